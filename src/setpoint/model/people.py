"""Who did something, and who may: every human act carries a ``By``."""

from __future__ import annotations

import msgspec

from setpoint.model.names import is_kind, key_of


class Person(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person identified by a token: a name and its groups."""

    name: str
    groups: tuple[str, ...] = ()
    admin: bool = False

    def matches(self, principal: str) -> bool:
        """Whether a principal of the configuration (``user:``, ``group:``, ``email:``) means this person."""
        name = key_of(principal)
        return name in self.groups if is_kind(principal, "group") else is_kind(principal, "user", "email") and name == self.name


class By(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who, when (the event's timestamp) and why."""

    person: str
    why: str = ""
    link: str = ""
    """An incident or a ticket, as a URL."""

    @property
    def because(self) -> str:
        """``: fire drill (https://…)``, to stand behind what the person did; empty without a reason and a link."""
        text = " ".join(part for part in (self.why, f"({self.link})" if self.link else "") if part)
        return f": {text}" if text else ""


ENGINE = By("setpoint")
