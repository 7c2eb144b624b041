"""The HTTP API: every command, query and stream of the registry as a route. A thin skin: nothing is decided here."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import typing
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

import setpoint
from setpoint.control import bounds
from setpoint.control.applying.files import UPLOAD, VALUES, Files
from setpoint.control.control import Control
from setpoint.control.dry_run import Rehearsed
from setpoint.control.errors import ControlError, Malformed, Unreadable
from setpoint.control.permissions import may
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Operation, Stream
from setpoint.server import problems, streams
from setpoint.server.guard import MAX_BODY, Guard, Limit

log = logging.getLogger("setpoint.server")
PREFIX = "/api/v1"
IDEMPOTENCY = "Idempotency-Key"
_REF = "#/components/schemas/{model}"


def create_app(control: Control, stopping: asyncio.Event) -> FastAPI:
    """The application; ``stopping`` ends its streams."""
    app = FastAPI(
        title="Setpoint", version=setpoint.__version__, docs_url=None, redoc_url=None, openapi_url=f"{PREFIX}/openapi.json"
    )
    for command in COMMANDS.values():
        _add_command(app, control, command)
        if command.rehearsable:
            _add_dry_run(app, control, command)
    for query in QUERIES.values():
        _add_query(app, control, query)
    for stream in STREAMS.values():
        _add_stream(app, control, stream, stopping)
    _add_health(app, control)
    app.add_middleware(
        Guard,
        identify=lambda token: control.services.people.identify(token, control.services.clock()),
        limit=_limits(),
        refused=control.note_stranger,
    )
    app.add_exception_handler(ControlError, _control_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def _limits() -> Limit:
    """Bytes of a request: only who may apply a configuration sends one."""
    uploads = {
        f"{PREFIX}/{kind}/{name}": operation.permission
        for kind, operations in (("commands", COMMANDS), ("queries", QUERIES))
        for name, operation in operations.items()
        if issubclass(operation.request, Files)
    }
    return lambda path, person: UPLOAD if path in uploads and may(person, uploads[path]) else MAX_BODY


def _add_command(app: FastAPI, control: Control, operation: Operation) -> None:
    async def run(request: Request) -> Response:
        payload = await _json(request, operation)
        answer = await control.command(
            operation.name,
            payload,
            request.state.person,
            request=request.headers.get(IDEMPOTENCY, ""),
            origin=request.state.origin,
        )
        return _answer(answer)

    _route(app, f"{PREFIX}/commands/{operation.name}", run, operation, ["POST"], "commands")


def _add_dry_run(app: FastAPI, control: Control, operation: Operation) -> None:
    async def run(request: Request) -> Response:
        payload = await _json(request, operation)
        return _answer(await control.rehearse(operation.name, payload, request.state.person, origin=request.state.origin))

    rehearsed = dataclasses.replace(
        operation, name=f"rehearse-{operation.name}", answer=Rehearsed, summary=f"What would come of it: {operation.summary}"
    )
    _route(app, f"{PREFIX}/rehearsals/{operation.name}", run, rehearsed, ["POST"], "rehearsals")


def _add_query(app: FastAPI, control: Control, operation: Operation) -> None:
    async def run(request: Request) -> Response:
        payload = await _json(request, operation) if request.method == "POST" else _parameters(request, operation.request)
        return _answer(await control.query(operation.name, payload, request.state.person, origin=request.state.origin))

    _route(app, f"{PREFIX}/queries/{operation.name}", run, operation, ["GET", "POST"], "queries")


def _add_stream(app: FastAPI, control: Control, stream: Stream, stopping: asyncio.Event) -> None:
    async def run(request: Request) -> Response:
        payload = _parameters(request, stream.request)
        last = request.headers.get("Last-Event-ID", "")
        if last and "after" in stream.request.model_fields:
            payload["after"] = last
        bits = await control.stream(stream.name, payload, request.state.person, origin=request.state.origin)

        def allowed() -> bool:
            token = request.state.again()
            return token is not None and may(token.person, stream.permission)

        return StreamingResponse(streams.encode(bits, stopping, allowed), media_type="text/event-stream", headers=streams.HEADERS)

    _route(app, f"{PREFIX}/{stream.name}", run, stream, ["GET"], "streams")


def _add_health(app: FastAPI, control: Control) -> None:
    async def health() -> Response:
        status = control.services.engine.health().status
        return JSONResponse({"status": status, "version": setpoint.__version__}, 200 if status == "serving" else 503)

    app.add_api_route("/healthz", health, methods=["GET"], summary="Whether the engine serves.", tags=["health"])


def _route(app: FastAPI, path: str, run: Any, operation: Operation | Stream, methods: list[str], tag: str) -> None:
    for method in methods:
        app.add_api_route(
            path,
            run,
            methods=[method],
            response_model=None,
            responses={200: {"model": operation.answer}, "default": {"model": Problem}},
            summary=operation.summary,
            operation_id=f"{operation.name}-{method.lower()}" if len(methods) > 1 else operation.name,
            tags=[tag],
            openapi_extra=_described(operation.request, method),
        )


class Problem(BaseModel):
    """What is wrong, and what to do about it."""

    code: str
    message: str
    hint: str
    details: list[str]


def _described(model: type[BaseModel], method: str) -> dict[str, Any]:
    if method == "POST":
        return {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
            }
        }
    properties = model.model_json_schema(ref_template=_REF).get("properties", {})
    required = model.model_json_schema().get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in required, "schema": schema} for name, schema in properties.items()
        ]
    }


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes, description=setpoint.__doc__)
        requests = [(one.request, "validation") for one in (*COMMANDS.values(), *QUERIES.values())]
        _, definitions = models_json_schema(requests, ref_template=_REF)  # type: ignore[arg-type]  # the mode is a literal
        components = found.setdefault("components", {})
        components["schemas"] = {**definitions.get("$defs", {}), **components.get("schemas", {})}
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


async def _json(request: Request, operation: Operation) -> dict[str, Any]:
    text = await request.body()
    try:
        payload = await _decoded(text, operation)
    except RecursionError:
        raise Unreadable("The body is nested too deep.", "Send a flatter JSON object.") from None
    except ValueError:
        raise Malformed("The body is not JSON.", "Send a JSON object.") from None
    if not isinstance(payload, dict):
        raise Malformed("The body is not a JSON object.", "Send a JSON object.")
    return payload


async def _decoded(text: bytes, operation: Operation) -> Any:
    """In a thread where a request may be large."""
    if issubclass(operation.request, Files):
        return await asyncio.to_thread(_loads, text, VALUES)
    return _loads(text, bounds.VALUES)


def _loads(text: bytes, most: int) -> Any:
    bounds.check_body(text, most)
    return json.loads(text) if text else {}


def _parameters(request: Request, model: type[BaseModel]) -> dict[str, Any]:
    """Query parameters; those of lists may be repeated."""
    several = {name for name, field in model.model_fields.items() if typing.get_origin(field.annotation) is list}
    query = request.query_params
    return {name: query.getlist(name) if name in several else query[name] for name in query}


def _answer(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _control_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ControlError)  # noqa: S101 - registered for it only
    return problems.response(error.status, problems.of_error(error))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    return problems.response(error.status_code, problems.body("http", f"{error.detail}.", f"See {PREFIX}/openapi.json."))


async def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    hint = "This is a defect of Setpoint: please report it, with the engine's log."
    return problems.response(500, problems.body("broken", f"The server broke while it answered ({type(error).__name__}).", hint))
