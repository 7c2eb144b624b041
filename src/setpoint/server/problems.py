"""Errors as JSON: ``{code, message, hint, details}``, the same for every route."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from setpoint.control.errors import ControlError

MEDIA_TYPE = "application/problem+json"
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "5"}}


def body(code: str, message: str, hint: str = "", details: list[str] | None = None) -> dict[str, Any]:
    """What is sent."""
    return {"code": code, "message": message, "hint": hint, "details": details or []}


def of_error(error: ControlError) -> dict[str, Any]:
    """What is sent for an error of control."""
    return body(error.code, error.message, error.hint, error.details)


def response(status: int, content: dict[str, Any]) -> JSONResponse:
    """Return a response that contains what is wrong."""
    return JSONResponse(content, status, headers=_HEADERS.get(status), media_type=MEDIA_TYPE)
