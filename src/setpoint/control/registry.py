"""Every command and query there is: name, permission, request, answer, documentation. Nothing else changes the system."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from setpoint.control.bounds import TEXT
from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission


class Request(BaseModel):
    """What a command or query takes. Unknown fields are refused: a misspelt option must not be ignored.

    Every text, list and map has a bound: ``bounds.TEXT``, or one of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, str_max_length=TEXT)


class NoRequest(Request):
    """A request without fields."""


class Answer(BaseModel):
    """What it gives back."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Q = TypeVar("Q", bound=Request)
A = TypeVar("A", bound=Answer)
Handler = Callable[[RequestContext, Any], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """One command (``mutates``) or query."""

    name: str
    permission: Permission
    request: type[Request]
    answer: type[Answer]
    summary: str
    """One sentence for the documentation."""
    mutates: bool
    handler: Handler
    subject: Callable[[Any], str]
    """What a request is about, for the audit; never a secret."""
    instead: str = ""
    """Of a command without a dry run: what shows beforehand what it does."""
    secret: bool = False
    """Its answer is shown once and never stored: the same request again is refused."""

    @property
    def rehearsable(self) -> bool:
        """Whether there is a dry run."""
        return self.mutates and not self.instead


@dataclass(frozen=True)
class Stream:
    """One question that is answered bit by bit, as long as the asker listens."""

    name: str
    permission: Permission
    request: type[Request]
    answer: type[Answer]
    """Of one bit."""
    summary: str
    handler: Callable[[RequestContext, Any], AsyncIterator[Answer]]


COMMANDS: dict[str, Operation] = {}
QUERIES: dict[str, Operation] = {}
STREAMS: dict[str, Stream] = {}


def command(
    name: str,
    permission: Permission,
    request: type[Q],
    answer: type[A],
    summary: str,
    *,
    subject: Callable[[Q], str],
    instead: str = "",
    secret: bool = False,
) -> Callable[[Callable[[RequestContext, Q], Awaitable[A]]], Callable[[RequestContext, Q], Awaitable[A]]]:
    """Register a mutation; each is audited. ``instead``: it has no dry run, and this is what to do; ``secret``: see there."""

    def register(handler: Callable[[RequestContext, Q], Awaitable[A]]) -> Callable[[RequestContext, Q], Awaitable[A]]:
        COMMANDS[name] = Operation(name, permission, request, answer, summary, True, handler, subject, instead, secret)
        return handler

    return register


def query(
    name: str, permission: Permission, request: type[Q], answer: type[A], summary: str
) -> Callable[[Callable[[RequestContext, Q], Awaitable[A]]], Callable[[RequestContext, Q], Awaitable[A]]]:
    """Register a question; it changes nothing."""

    def register(handler: Callable[[RequestContext, Q], Awaitable[A]]) -> Callable[[RequestContext, Q], Awaitable[A]]:
        QUERIES[name] = Operation(name, permission, request, answer, summary, False, handler, lambda _: "")
        return handler

    return register


def stream(
    name: str, permission: Permission, request: type[Q], answer: type[A], summary: str
) -> Callable[[Callable[[RequestContext, Q], AsyncIterator[A]]], Callable[[RequestContext, Q], AsyncIterator[A]]]:
    """Register a question that is answered bit by bit."""

    def register(handler: Callable[[RequestContext, Q], AsyncIterator[A]]) -> Callable[[RequestContext, Q], AsyncIterator[A]]:
        STREAMS[name] = Stream(name, permission, request, answer, summary, handler)
        return handler

    return register
