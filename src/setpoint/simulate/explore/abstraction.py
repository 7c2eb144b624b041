"""The abstraction of values: those that will behave alike come to the same. Texts, instants, numbers.

*Instants.* The core, the models and the rules do three things with them: compare two, compare the time between two with a
configured duration, and add such a duration to one. If the time between two neighbouring past instants is longer than every
such duration (``Limits.longest``), how much longer does not matter, and it is shortened to just longer: what lay between two
instants stays exact within ``longest``, stays beyond it if it was beyond, and their order stays. An instant that is only
compared with now, and with one duration beyond it (``BOUNDS``), becomes its age, up to that. Those that only people read
(``INFORMATIONAL``) become set or not set. Future instants stay exact, from now. Observed time that adds up to a deadline
(``ADDED``) is cut at ``longest``.

*Numbers* that are only compared with others of their kind, of which a new one is higher than all before – looks, watches, runs
of checks, applies, publications – become their rank (``NUMBERS``).

*Identities of acts* are looked up only when the same act arrives again, and then it is known: they are left out.

States and facts never change, so the abstraction of each is computed once and remembered.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from setpoint.core.facts import Fact, InstanceStatus, Signal
from setpoint.core.instance.state import Life
from setpoint.model.names import instance_entity
from setpoint.model.time import DAY, SECOND, Duration, Instant
from setpoint.simulate.world.host import START

EARLIEST = START - DAY
KEPT = 200_000
"""Values remembered at most."""
_OPERATION = re.compile(r"^(.*)/(apply|check)/(\d+)$")

INFORMATIONAL: dict[str, frozenset[str]] = {
    "Admission": frozenset({"requested_at"}),
    "Adopting": frozenset({"at"}),
    "Attempt": frozenset({"began"}),
    "Breaker": frozenset({"since"}),
    "TaskClaim": frozenset({"at"}),
    "Failure": frozenset({"at"}),
    "CheckProgress": frozenset({"requested_at", "doubted", "since"}),
    "Hold": frozenset({"at"}),
    "StandingWatch": frozenset({"since"}),
    "Offer": frozenset({"at"}),
    "WaveProgress": frozenset({"stopped"}),
    "AdmissionRequest": frozenset({"requested_at", "since"}),
    "Reason": frozenset({"since"}),
    "Release": frozenset({"at"}),
    "Skip": frozenset({"at"}),
    "StandingOrder": frozenset({"at"}),
    "TaskState": frozenset({"since"}),
    "TaskStatus": frozenset({"since"}),
    "Veto": frozenset({"at"}),
}
"""Kind -> fields that only people read, or that are read only in the turn in which they are set."""
BOUNDS: dict[str, dict[str, tuple[str, ...]]] = {
    "Applying": {"taken": ("grace",), "retry_at": ()},
    "Attempt": {"entered": ("delay",)},
    "Finalization": {"at": ("soak",)},
    "TaskState": {"retry_at": ()},
    "TaskStatus": {"retry_at": ()},
}
"""Kind -> instant -> the settings added to it before it is compared with now."""
Numbers = Mapping[str, Mapping[str, str]]
NUMBERS: Numbers = {
    "Adopting": {"watch": "watch"},
    "Applying": {"count": "apply", "watch": "watch", "judges": "watch"},
    "AttachmentState": {"run": "check"},
    "CheckStatus": {"run": "check"},
    "RunAssigned": {"run": "check"},
    "CheckProgress": {"run": "check", "seen": "check"},
    "Life": {"published": "published"},
    "StandingWatch": {"number": "watch"},
    "InstanceStatus": {"number": "published"},
    "Observed": {"watch": "watch", "look": "look"},
    "Current": {"watch": "watch", "look": "look"},
    "Unobserved": {"watch": "watch", "look": "look"},
    "Watch": {"number": "watch"},
}
"""Kind -> field -> what it numbers; each entity has its own numbers."""
ATTEMPTS: Numbers = {"Attempt": {"number": "attempt"}, "Life": {**NUMBERS["Life"], "attempts": "attempt"}}
"""Likewise, where no other entity receives numbers of attempts; admission does."""
OWNERS = {"CheckStatus": "attachment", "RunAssigned": "attachment", "CheckProgress": "attachment"}
"""Kind -> field that names the owner of its numbers; of all others they are its holder's own."""
ADDED = {"CheckProgress": frozenset({"undecided"}), "Rollout": frozenset({"idle", "sick"})}
"""Observed time, cut at ``longest``."""
MARKS = frozenset({"absolved"})
"""Instants by which something is known again, and nothing else."""
LEFT_OUT = frozenset({"signals"})


class Limits:
    """The durations that instants are compared with in one world, and a little more."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._found: dict[str, Duration] = {}
        for value in values:
            self._look_at(value)
        self.longest: Duration = max(self._found.values(), default=0) + SECOND

    def of(self, names: Iterable[str]) -> Duration:
        """The longest of some settings, all added up."""
        return sum(self._found.get(name, 0) for name in names)

    def _look_at(self, value: Any) -> None:
        """How often a settled runtime is looked at is compared with nothing."""
        if isinstance(value, msgspec.Struct):
            for name, annotation in _annotated(type(value)):
                if annotation == "Duration" and name != "poll_settled":
                    self._found[name] = max(self._found.get(name, 0), getattr(value, name))
            value = [getattr(value, name) for name in value.__struct_fields__]
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ():
            self._look_at(one)


def _annotated(kind: type) -> Iterator[tuple[str, str]]:
    for base in kind.__mro__:
        yield from getattr(base, "__annotations__", {}).items()


Number = tuple[str, str, int]
"""What it numbers, whose it is, and the number."""


class Abstraction:
    """The abstraction of some values: a text with gaps, and what fills them."""

    __slots__ = ("ages", "instants", "numbers", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.instants: list[Instant] = []
        self.ages: list[tuple[Instant, Duration]] = []
        """Instants, and the age at which each is cut."""
        self.numbers: list[Number] = []

    def add(self, other: Abstraction) -> None:
        """Add another abstraction."""
        self.text += other.text
        if other.instants:
            self.instants += other.instants
        if other.ages:
            self.ages += other.ages
        if other.numbers:
            self.numbers += other.numbers

    def number(self, what: str, owner: str, number: int) -> None:
        """Add a number of a row."""
        self.text.append("#")
        self.numbers.append((what, owner, number))

    def age(self, instant: Instant, bound: Duration) -> None:
        """Add an instant that counts by its age."""
        self.text.append("~")
        self.ages.append((instant, bound))

    def marks(self, what: str, instants: Mapping[Any, Instant]) -> None:
        """Add instants that are only compared with themselves."""
        for key, instant in instants.items():
            self.text.append(repr(key))
            self.number(what, "", instant)

    def close(self) -> None:
        """Nothing more is added: a long text becomes its hash."""
        text = "\x1f".join(self.text)
        self.text = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if len(text) > 32 else text]

    def key(self, now: Instant, longest: Duration) -> bytes:
        """The same for the same, as seen from now."""
        times, ranks = _shortened(self.instants, now, longest), _ranks(self.numbers)
        out = (
            self.text,
            [times[instant] for instant in self.instants],
            [min(now - instant, bound) for instant, bound in self.ages],
            [ranks[number] for number in self.numbers],
        )
        return hashlib.blake2b(repr(out).encode(), digest_size=16).digest()


def _shortened(instants: list[Instant], now: Instant, longest: Duration) -> dict[Instant, Duration]:
    """How long it is from now to each; of the past, none lies more than just beyond ``longest`` before the next."""
    found: dict[Instant, Duration] = {}
    age, later = 0, now
    for instant in sorted(set(instants), reverse=True):
        if instant < now:
            age -= min(later - instant, longest + 1)
            found[instant], later = age, instant
        else:
            found[instant] = instant - now
    return found


def _ranks(numbers: list[Number]) -> dict[Number, int]:
    """Place of each number in its row; 0 is none."""
    found: dict[Number, int] = {}
    row, rank = ("", ""), 0
    for number in sorted(set(numbers)):
        rank = rank + 1 if number[:2] == row else int(number[2] > 0)
        found[number], row = rank, number[:2]
    return found


class Abstracter:
    """Abstracts values that never change; each abstraction is remembered by the identity of its value."""

    def __init__(self, limits: Limits, numbers: Numbers) -> None:
        self.limits = limits
        self._numbers = numbers
        self._read: dict[tuple[int, str], tuple[Any, Abstraction]] = {}
        self._ways: dict[type, list[Way | None]] = {}

    def read(self, value: Any, owner: str, out: Abstraction) -> None:
        """Add a value that belongs to an entity."""
        kind = type(value)
        if not value or value is True:
            out.text.append(repr(value))
        elif kind is int:
            self._int(value, out)
        elif kind is str:
            self._str(value, out)
        elif isinstance(value, msgspec.Struct):
            out.add(self._remembered(value, owner, self._fields))
        elif isinstance(value, dict | tuple | list | deque):
            self._items(value, owner, out)
        elif isinstance(value, set | frozenset):
            out.text.append(repr(sorted(map(repr, value))))
        else:
            self._other(value, owner, out)

    @staticmethod
    def _int(value: int, out: Abstraction) -> None:
        if value >= EARLIEST:
            out.text.append("@")
            out.instants.append(value)
        else:
            out.text.append(str(value))

    @staticmethod
    def _str(value: str, out: Abstraction) -> None:
        operation = _OPERATION.match(value) if value and value[-1].isdigit() else None
        if operation:
            out.number(operation[2], operation[1], int(operation[3]))
        else:
            out.text.append(repr(value))

    def _items(self, values: Any, owner: str, out: Abstraction) -> None:
        out.text.append("[")
        for value in values:
            self.read(value, owner, out)
            if isinstance(values, dict):
                self.read(values[value], owner, out)
        out.text.append("]")

    def _other(self, value: Any, owner: str, out: Abstraction) -> None:
        """Ledgers of the rules, and plain values."""
        if hasattr(value, "__dict__") and type(value).__module__.startswith("setpoint.simulate."):
            out.text.append(type(value).__name__)
            self.read({name: one for name, one in vars(value).items() if name not in LEFT_OUT}, owner, out)
        else:
            out.text.append(repr(value))

    def _remembered(self, value: Any, owner: str, reads: Callable[[Any, str, Abstraction], None]) -> Abstraction:
        known = self._read.get((id(value), owner))
        if known is not None:
            return known[1]
        if len(self._read) > KEPT:
            self._read.clear()
        out = Abstraction()
        reads(value, owner, out)
        out.close()
        self._read[id(value), owner] = (value, out)
        return out

    def _fields(self, value: msgspec.Struct, owner: str, out: Abstraction) -> None:
        kind = type(value)
        if isinstance(value, Life) and value.current and not (value.rollout and value.current.at > value.rollout.began):
            value = replace(value, current=replace(value.current, at=0))  # deadlines begin with the rollout at the earliest
        owner = (
            instance_entity(value.instance)
            if isinstance(value, InstanceStatus)
            else getattr(value, OWNERS.get(kind.__name__, ""), owner)
        )
        text = out.text
        text.append(kind.__name__)
        ways = self._ways.get(kind) or self._ways.setdefault(kind, _ways(kind, self.limits, self._numbers))
        for one, way in zip(astuple(value), ways, strict=True):
            if way is None:
                continue
            if not one:
                text.append(_NOTHING.get(type(one)) or repr(one))
            else:
                way(self, one, owner, out)

    def field(self, value: Any, owner: str, out: Abstraction) -> None:
        """A field of something that never changes."""
        if value and type(value) in _HOLDERS:
            out.add(self._remembered(value, owner, self._items))
        else:
            self.read(value, owner, out)


Way = Callable[[Abstracter, Any, str, Abstraction], None]
"""How a field is abstracted."""


def _ways(kind: type[msgspec.Struct], limits: Limits, numbers: Numbers) -> list[Way | None]:
    """How each field of a kind is abstracted. Facts are stamped again when they are delivered."""
    left_out = LEFT_OUT | ({"at"} if issubclass(kind, Fact) else set()) | ({"id"} if issubclass(kind, Signal) else set())
    return [None if name in left_out else _way(kind.__name__, name, limits, numbers) for name in kind.__struct_fields__]


def _way(kind: str, name: str, limits: Limits, numbers: Numbers) -> Way:
    if name in INFORMATIONAL.get(kind, ()):
        return lambda _, __, ___, out: out.text.append("set")
    if name in ADDED.get(kind, ()):
        return lambda _, value, __, out: out.text.append(str(min(value, limits.longest)))
    if name in MARKS:
        return lambda _, value, __, out: out.marks(name, value)
    if name in BOUNDS.get(kind, {}):
        bound = limits.of(BOUNDS[kind][name])
        return lambda _, value, __, out: out.age(value, bound)
    if name in numbers.get(kind, {}):
        what = numbers[kind][name]
        return lambda _, value, owner, out: out.number(what, owner, value)
    return Abstracter.field


_NOTHING = {bool: "no", int: "0", type(None): "-", dict: "{}", tuple: "()", str: "''"}
_HOLDERS = frozenset({dict, tuple})
