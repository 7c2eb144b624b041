"""Protection and Task: a check or a program with side effects, declared once."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Document, Environment, Node
from setpoint.config.documents.gates import Phases
from setpoint.config.documents.parameters import Parameter
from setpoint.config.documents.workloads import Command, Path, UserName
from setpoint.config.syntax.values import (
    Anything,
    Boolean,
    Duration,
    Integer,
    MapOf,
    Name,
    Reads,
    Several,
    Template,
    Text,
    describe,
    fault,
    is_secret,
    read_secret,
    read_template,
    read_url,
    scalar,
)
from setpoint.config.syntax.yaml import Mapping
from setpoint.model import exits
from setpoint.model.time import MINUTE, SECOND

CHECK_TYPES = ("program", "http", "use")
STATUS = r"[1-5]\d\d(-[1-5]\d\d)?(,\s*[1-5]\d\d(-[1-5]\d\d)?)*"


def _read_status(node: Any) -> str:
    text = scalar(node, "a status")
    if not re.fullmatch(STATUS, text):
        raise fault(
            "bad-status", f"{describe(text)} is not a valid HTTP status.", 'Write one such as 200, or a range such as "200-299".'
        )
    return "".join(text)


def _read_http_url(node: Any) -> Any:
    return read_url(read_template(node))


def _read_header(node: Any) -> Any:
    return read_secret(node) if is_secret(node) else read_template(node)


Header = Annotated[str | Mapping, Reads(_read_header, {"type": ["string", "number", "boolean", "object"]})]


class ProgramBlock(Node):
    """A program: exit 0 passes; what other codes mean: ``setpoint.model.exits``."""

    command: Command
    user: UserName | None = None
    directory: Path | None = None
    mutable: Boolean = False
    env: Environment = Field(default_factory=dict)


class Http(Node):
    """A request."""

    url: Annotated[str, Reads(_read_http_url, {"type": "string"})]
    method: Text = "GET"
    headers: MapOf[Text, Header] = Field(default_factory=dict)
    body: Template | None = None
    status: Annotated[str, Reads(_read_status, {"type": ["string", "integer"]})] = "200-299"


class Runnable(Document):
    """Exactly one of ``program``, ``http`` and ``use``: what checks and tasks have in common."""

    LATER: ClassVar[AnyMapping[str, str]] = {"container": "programs in containers", "runOn": "programs run by an agent"}
    program: ProgramBlock | None = None
    http: Http | None = None
    use: Name | None = None
    parameters: MapOf[Text, Parameter] = Field(default_factory=dict)
    with_: MapOf[Text, Anything] = Field(default_factory=dict, alias="with")


class ExitCodesBlock(Node):
    """What exit codes of a program mean, where the usual meaning does not fit."""

    fail: Several[Integer] | None = None
    unavailable: Several[Integer] = ()

    @property
    def codes(self) -> exits.ExitCodes:
        """As checks have them."""
        fail = None if self.fail is None else tuple(int(code) for code in self.fail)
        return exits.ExitCodes(fail, tuple(int(code) for code in self.unavailable))

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        wrong = exits.wrong_with(self.codes)
        if wrong:
            hint = "Write codes from 1 to 255, each in one of the two lists."
            raise fault("bad-exit-codes", f"{wrong}.", hint, key="unavailable" if self.fail is None else "fail")
        return self


class ProtectionDocument(Runnable):
    """A check."""

    at: Phases | None = None
    interval: Duration = 60 * SECOND
    timeout: Duration = 30 * SECOND
    max_age: Duration | None = None
    exit_codes: ExitCodesBlock | None = None


class TaskDocument(Runnable):
    """As a Protection, but run once, not polled."""

    timeout: Duration = 10 * MINUTE
    once: Boolean = False
    """A try whose end was not observed is not repeated: a person decides."""
    irreversible: Boolean = False
    """Once it was started, nothing is rolled back past it automatically."""
