"""What is declared for services that act on it outside of the algorithm: notifications, sources of versions, roles, stores."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Node
from setpoint.config.documents.channel import read_range
from setpoint.config.syntax.values import (
    Anything,
    Boolean,
    Duration,
    MapOf,
    Matching,
    Name,
    Principal,
    Reads,
    Several,
    Template,
    Text,
    choice,
    describe,
    fault,
    read_pattern,
    read_template,
    scalar,
)
from setpoint.config.syntax.yaml import Scalar
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.time import MINUTE

EVENTS = (
    "needs-approval",
    "failed",
    "rolled-back",
    "rollback-failed",
    "finalized",
    "stuck",
    "stopped",
    "drift",
    "violated",
)
RIGHTS = (
    "view",
    "release",
    "approve",
    "skip",
    "override-calendar",
    "pin",
    "hold",
    "rollback",
    "pause",
    "stop",
    "mark",
    "configure",
    "administer",
)
Event = Annotated[str, choice(*EVENTS)]
Right = Annotated[str, choice(*RIGHTS)]


class Recipient(Node):
    """Where a notification goes: exactly one way."""

    slack: Anything = None
    email: Anything = None
    webhook: Anything = None
    apprise: Anything = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("slack", "email", "webhook", "apprise") if getattr(self, name) is not None]
        if len(ways) != 1:
            used = " and ".join(ways) or "in none"
            raise fault("one-recipient", f"a notification goes one way, not {used}.", 'Write one, such as `{slack: "#deploys"}`.')
        return self


class Notification(Node):
    """Who is notified of what."""

    name: Name
    on: Several[Event]
    to: Recipient
    when: Matching | None = None


class Role(Node):
    """Who may do what, where."""

    name: Name
    members: Several[Principal] = ()
    may: Several[Right] = ()
    select: Matching = Field(default_factory=lambda: parse_selector("*"))


def _read_source_pattern(node: Any) -> Scalar:
    text = read_template(node)
    return text if "${" in text else read_pattern(text)


class SourceBlock(Node):
    """New versions by themselves."""

    name: Name | None = None
    image: Template | None = None
    git: Template | None = None
    paths: Several[Text] = ()
    branch: Template | None = None
    pick: Annotated[str, choice("semver", "newest", "digest")] = "semver"
    range: Annotated[str, Reads(read_range, {"type": "string"})] = "*"
    tags: Annotated[str, Reads(_read_source_pattern, {"type": "string"})] | None = None
    interval: Duration = 5 * MINUTE
    to: Several[Name] = ()
    release: Boolean = True

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.image is None) == (self.git is None):
            hint = "Write `image: shop/web`, or `git: github:acme/shop`."
            raise fault("one-source", "a source watches either an image or a repository.", hint)
        if self.image is not None and (self.paths or self.branch is not None):
            raise fault("one-source", "`paths` and `branch` are of repositories, not of images.", "Remove them, or watch `git`.")
        if self.interval == 0:
            raise fault("bad-duration", "a source is looked at every so often.", "Write a duration above 0.", key="interval")
        return self


def _read_pointer(node: Any) -> str:
    text = scalar(node, "a JSON pointer")
    if not re.fullmatch(r"(/([^~/]|~[01])*)+", text):
        raise fault(
            "bad-pointer",
            f"{describe(text)} is not a valid JSON pointer.",
            'Write one such as "/spec/replicas"; `*` is any name.',
        )
    return "".join(text)


Pointer = Annotated[str, Reads(_read_pointer, {"type": "string", "pattern": "^/"})]
Removal = Annotated[str, choice("keep", "destroy")]
Stores = MapOf[Text, Anything]
