"""Identified requests (§10.12): a key belongs to one person and one command and is bound to its payload.

The same request again returns what the first one returned. One whose command ended with an error, or with the engine, is tried
again under the same identity, which the core counts once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from setpoint.control.errors import InFlight, KeyReused, Malformed, Refused
from setpoint.control.registry import Answer, Operation, Request
from setpoint.model.people import Person
from setpoint.model.time import Instant
from setpoint.store.port import Requests

LONGEST = 255
"""Characters of a key."""


def check_key(key: str) -> None:
    """Raises Malformed for a key that is too long or not printable ASCII."""
    if len(key) > LONGEST or not (key.isascii() and key.isprintable()):
        raise Malformed(
            f"The Idempotency-Key is not valid: expected at most {LONGEST} printable ASCII characters.",
            "A random UUID is a good key.",
        )


def identity_of(person: Person, command: str, key: str) -> str:
    """Identity of a request in the core, such as in ``LineState.requests``; without a key a random one."""
    if not key:
        return uuid.uuid4().hex
    return hashlib.sha256(f"{person.name}\0{command}\0{key}".encode()).hexdigest()[:32]


def payload_digest(request: Request) -> str:
    """SHA-256 of a request as it was understood: defaults are part of it."""
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()


class Once:
    """Carries out each identified request once."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._in_flight: set[str] = set()

    async def run(
        self, operation: Operation, identity: str, payload: str, now: Instant, carry_out: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Return what the command returns, or returned the first time. ``payload``: its digest.

        Raises:
            KeyReused: the key was used for something else. InFlight: the first one has not ended.
            Refused: what the first one returned was shown once and is not stored.
        """
        with self._alone(operation, identity):
            claim = await self._requests.claim(identity, payload, now)
            if claim.payload != payload:
                raise KeyReused(
                    f"This Idempotency-Key was used by an earlier `{operation.name}` with another payload; nothing was done.",
                    "Use another key for another request.",
                )
            if claim.answer is not None:
                return _repeated(operation, claim.answer)
            answer = await carry_out()
            await self._requests.finish(identity, b"" if operation.secret else answer.model_dump_json().encode())
            return answer

    @contextmanager
    def _alone(self, operation: Operation, identity: str) -> Iterator[None]:
        if identity in self._in_flight:
            raise InFlight(
                f"A `{operation.name}` with this Idempotency-Key has not ended yet.",
                "Wait, then send the same request again: it returns what the first one returned.",
            )
        self._in_flight.add(identity)
        try:
            yield
        finally:
            self._in_flight.discard(identity)


def _repeated(operation: Operation, answer: bytes) -> Answer:
    if not answer:
        raise Refused(
            f"This `{operation.name}` was carried out already; what it returned is shown only once.",
            "Use another Idempotency-Key to do it again.",
        )
    return operation.answer.model_validate_json(answer)
