"""What handlers work with: the services of one engine, and the request of a person at a moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from setpoint.compilation.compilers import Compilers
from setpoint.config.compile import CompiledConfiguration
from setpoint.control.audit import Audit
from setpoint.control.errors import Refused
from setpoint.control.people import People
from setpoint.control.stores import Stores
from setpoint.engine.effects import RealEffects
from setpoint.engine.port import Clock, Engine
from setpoint.model.people import By, Person
from setpoint.model.time import Duration, Instant

DRY_RUN = "dry-run"
"""Identity of the request of a dry run."""


@dataclass
class Services:
    """The parts that every request shares."""

    home: Path
    """The data directory."""
    engine: Engine
    effects: RealEffects
    stores: Stores
    people: People
    audit: Audit
    compilers: Compilers
    clock: Clock
    """The wall clock."""
    applied: CompiledConfiguration | None = None
    """The configuration in force; None before the first apply."""
    unreadable: str = ""
    """Why the stored configuration cannot be used by this version; empty: it can."""
    configuring: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while something is compiled with the configuration in force, or another one is put into force."""
    ordering: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by an order of a person until it was taken up; see ``orders``."""

    @property
    def configuration(self) -> CompiledConfiguration:
        """The configuration in force. Raises Refused before the first apply."""
        if self.unreadable:
            raise Refused(
                "The stored configuration cannot be used by this version.", "See `setpoint doctor`; then apply a corrected one."
            )
        if self.applied is None:
            raise Refused("No configuration has been applied yet.", "Apply one with `setpoint apply DIRECTORY`.")
        return self.applied


@dataclass(frozen=True)
class RequestContext:
    """One request."""

    services: Services
    person: Person
    now: Instant
    """By the wall clock."""
    request: str
    """Identity of the request: the same one twice does nothing twice."""

    @property
    def engine(self) -> Engine:
        """The host of the actors."""
        return self.services.engine

    @property
    def stores(self) -> Stores:
        """What is kept beside the actors."""
        return self.services.stores

    @property
    def applied(self) -> CompiledConfiguration | None:
        """The configuration in force; None before the first apply."""
        return self.services.applied

    @property
    def configuration(self) -> CompiledConfiguration:
        """The configuration in force. Raises Refused before the first apply."""
        return self.services.configuration

    @property
    def offset(self) -> Duration:
        """How far the wall clock is beyond the steady clock that states and reasons go by (§10.17)."""
        return self.engine.clock.offset

    @property
    def steady(self) -> Instant:
        """``now`` by the steady clock."""
        return self.now - self.offset

    def by(self, why: str = "") -> By:
        """Who did it, for facts."""
        return By(self.person.name, why)
