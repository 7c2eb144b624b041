"""What people say to a topic, and what it publishes."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact
from setpoint.model.people import Person
from setpoint.model.time import Instant


class Voted(Fact, frozen=True, gc=False):
    """A person said yes or no to one release at one subject."""

    person: Person
    yes: bool
    why: str = ""
    id: str = ""
    """Identity of the act: the same one twice is one. Empty: told apart by person, vote and stamp."""


class Vote(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One person's yes or no."""

    person: Person
    yes: bool
    at: Instant
    """By the wall clock, as its expiry is."""
    why: str = ""
    id: str = ""


class TopicStatus(Fact, frozen=True, gc=False):
    """What a topic publishes: every yes and no so far, in the order in which they came."""

    topic: str
    number: int
    votes: tuple[Vote, ...] = ()
