"""Resolves the tags of images when a version is released, so that what is verified later is what runs (§10.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from setpoint.control.errors import ControlError, Refused, Unavailable
from setpoint.model.checks import Outcome
from setpoint.model.grammars.images import parse_image
from setpoint.model.time import SECOND, Duration
from setpoint.protections.web.oci import Unresolvable, resolve_tag

PATIENCE: Duration = 15 * SECOND
"""For one image."""
_AT_ONCE = 8


async def resolve_tags(what: str, named: Mapping[str, bool]) -> dict[str, str]:
    """Image -> digest that its tag stands for now. ``named``: image -> whether its registry speaks plain HTTP.

    Raises:
        Refused: an image is not there, not shown without credentials, or its name is none. Unavailable: its registry is.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, plain_http: bool) -> str:
        async with turns:
            try:
                return await resolve_tag(name, parse_image(name), PATIENCE, plain_http=plain_http)
            except ValueError as error:
                raise Refused(f"{what} cannot be released: {error}.", "Correct the image, or the parameters.") from None
            except Unresolvable as error:
                raise _refusal(what, error) from None

    names = sorted(named)
    found = await asyncio.gather(*(one(name, named[name]) for name in names), return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException):
            raise result
    return {name: result for name, result in zip(names, found, strict=True) if isinstance(result, str)}


def _refusal(what: str, error: Unresolvable) -> ControlError:
    message = f"{what} cannot be released: {error}."
    if error.outcome is Outcome.UNAVAILABLE:
        hint = "A tag is resolved to a digest when a version is released. Try again when the registry can be reached."
        return Unavailable(message, hint)
    if error.outcome is Outcome.BLOCKING:
        return Refused(message, "Push the image, then release the version.")
    return Refused(message, "Name the image by its digest, or make it readable without credentials.")
