"""Faults: how likely each is, which ones struck, and which of them changed anything – only those count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from setpoint.model.names import key_of
from setpoint.model.time import Instant
from setpoint.simulate.world.rng import SIDES, Rng


class Faults(msgspec.Struct, frozen=True, omit_defaults=True):
    """How likely each fault is, per opportunity."""

    duplicate: float = 0.0
    """A fact is delivered a second time, later."""
    delay: float = 0.0
    """A fact is delivered late."""
    reorder: float = 0.0
    """The facts that wait for an entity change places."""
    crash: float = 0.0
    """The engine dies before it performs what a turn decided."""
    forget: float = 0.0
    """It dies after performing and before recording: the effect is performed again."""
    clock: float = 0.0
    """It stays down for a while, or the wall clock is set meanwhile, forward or back."""
    lost: float = 0.0
    """An apply is taken on, but its result is an error."""
    half: float = 0.0
    """An apply is taken on, but leaves something undone until it is repeated."""
    slow: float = 0.0
    """An apply or a check takes minutes."""
    blind: float = 0.0
    """A look fails."""
    broken: float = 0.0
    """A run of a check has no result, or hangs until it is killed."""
    flap: float = 0.0
    """A run of a check has the opposite result of what it should have."""
    task: float = 0.0
    """A try of a task fails, or hangs until it is killed."""
    split: float = 0.5
    """That a turn takes only some of the facts that wait. No fault: engines may fold as they like."""

    def worse(self, times: float) -> Faults:
        """Each so many times as likely, and none beyond ``MOST``."""
        return msgspec.structs.replace(self, **{kind: min(getattr(self, kind) * times, MOST) for kind in KINDS})


MOST = 0.25
"""No fault is likelier than this: a world in which nothing arrives proves nothing."""
KINDS = tuple(name for name in Faults.__struct_fields__ if name != "split")
NO_FAULTS = Faults()
"""Turns still take only some of the facts that wait."""


class Fault(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One fault: the ``nth`` chance that a kind of them had at an entity."""

    kind: str
    entity: str
    nth: int


_WORDS = {
    "duplicate": "a fact is delivered to {} twice",
    "delay": "a fact reaches {} late",
    "reorder": "facts waiting for {} are reordered",
    "crash": "the engine dies before it performs what {} decided, and starts again",
    "forget": "the engine dies before it records what came of {}, and starts again",
    "clock": "time has passed after that, or the wall clock was set",
    "lost": "{} is applied, but the reply reports a failure",
    "half": "only half of {} is applied",
    "slow": "{} takes very long",
    "blind": "a look at {} fails",
    "broken": "{} is unavailable",
    "flap": "{} reports the opposite",
    "task": "{} fails",
}


def words(fault: Fault) -> str:
    """What went wrong, for people."""
    return _WORDS[fault.kind].format(key_of(fault.entity) or fault.entity)


class FaultInjector:
    """Decides whether a fault strikes – at random, or by a script that lists which ones do – and keeps account."""

    def __init__(self, rng: Rng, levels: Faults, now: Callable[[], Instant], script: frozenset[Fault] | None = None) -> None:
        self.rng = rng
        self.clock = now
        self.script = script
        self.levels = levels
        self.struck: list[tuple[Instant, Fault]] = []
        """When which ones struck."""
        self.counted: Counter[str] = Counter()
        """Kind -> those that changed a delivery, a result or a crash."""

    @property
    def levels(self) -> Faults:
        """How likely what is."""
        return self._levels

    @levels.setter
    def levels(self, levels: Faults) -> None:
        self._levels = levels
        self._below = {kind: int(getattr(levels, kind) * SIDES) for kind in KINDS}

    def strikes(self, kind: str, entity: str) -> Fault | None:
        """The fault that strikes at this chance, if one does. The caller calls ``counts`` once it made a difference."""
        below = self._below[kind]
        if not below:
            return None
        roll = self.rng.roll(kind, entity)
        if self.script is None:
            if roll >= below:
                return None
            fault = Fault(kind, entity, self.rng.rolled(kind, entity))
        else:
            fault = Fault(kind, entity, self.rng.rolled(kind, entity))
            if fault not in self.script:
                return None
        self.struck.append((self.clock(), fault))
        return fault

    def counts(self, kind: str) -> None:
        """A fault of this kind changed something."""
        self.counted[kind] += 1

    @property
    def total(self) -> int:
        """Faults that count."""
        return sum(self.counted.values())
