"""What is told of values, so that those which will behave alike are told alike: texts, instants, numbers.

*Instants.* The core, the models and the rules do three things with them: they compare two, they compare the time between two
with a duration that is configured, and they add such a duration to one. So if the time between two neighbouring instants of the
past is longer than every such duration (``Limits.longest``), it does not matter how much longer, and it is told as just longer:
what lay between two instants is then told exactly if it was within ``longest``, and as beyond it if it was beyond, and their
order stays. An instant that is only ever compared with now, and with one duration beyond it (``BOUNDS``), is told by its age, up
to that. Those that only people read (``WORDS``) are told as set or not. Times to come are told exactly, from now. Observed time
that adds up to a deadline (``ADDED``) is told up to ``longest``.

*Numbers* that are only compared with others of their kind, of which a new one is higher than all before – looks, watches, runs of
checks, applies, publications – are told by their rank (``NUMBERS``).

*Identities of acts* are looked up only when the same act comes again, and then it is known: they are not told at all.

States and facts never change, so each is read once and remembered.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from setpoint.core.facts import Fact, Neighbour, Signal
from setpoint.core.instance.state import Life
from setpoint.model.time import DAY, SECOND, Duration, Instant
from setpoint.simulate.world.host import START

EARLIEST = START - DAY
KEPT = 200_000
"""So many values are remembered at once."""
_OPERATION = re.compile(r"^(.*)/(apply|check)/(\d+)$")

WORDS: dict[str, frozenset[str]] = {
    "Admission": frozenset({"asked"}),
    "Adopting": frozenset({"at"}),
    "Attempt": frozenset({"began"}),
    "Breaker": frozenset({"since"}),
    "Came": frozenset({"at"}),
    "Failure": frozenset({"at"}),
    "CheckProgress": frozenset({"asked", "doubted", "since"}),
    "Hold": frozenset({"at"}),
    "Looks": frozenset({"since"}),
    "Offer": frozenset({"at"}),
    "Passage": frozenset({"stopped"}),
    "Place": frozenset({"asked", "since"}),
    "Reason": frozenset({"since"}),
    "Release": frozenset({"at"}),
    "Skip": frozenset({"at"}),
    "Standing": frozenset({"at"}),
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
"""Kind -> instant -> the settings that are added to it before it is asked whether now is as late."""
Numbers = Mapping[str, Mapping[str, str]]
NUMBERS: Numbers = {
    "Adopting": {"watch": "watch"},
    "Applying": {"count": "apply", "watch": "watch", "judges": "watch"},
    "AttachmentState": {"run": "check"},
    "CheckStatus": {"run": "check"},
    "From": {"run": "check"},
    "CheckProgress": {"run": "check", "seen": "check"},
    "Life": {"published": "published"},
    "Looks": {"number": "watch"},
    "Neighbour": {"number": "published"},
    "Observed": {"watch": "watch", "look": "look"},
    "Seen": {"watch": "watch", "look": "look"},
    "Unobserved": {"watch": "watch", "look": "look"},
    "Watch": {"number": "watch"},
}
"""Kind -> field -> what it numbers; each entity has its own numbers."""
ATTEMPTS: Numbers = {"Attempt": {"number": "attempt"}, "Life": {**NUMBERS["Life"], "attempts": "attempt"}}
"""Likewise, where nobody else is told of attempts: admission is."""
OWNERS = {"CheckStatus": "attachment", "From": "attachment", "CheckProgress": "attachment"}
"""Kind -> field that says whose numbers it holds; of all others they are its holder's own."""
ADDED = {"CheckProgress": frozenset({"undecided"}), "Rollout": frozenset({"idle", "sick"})}
"""Observed time, told up to the longest."""
MARKS = frozenset({"absolved"})
"""Instants by which something is known again, and nothing else."""
UNTOLD = frozenset({"signals"})


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
            for name, told in _annotated(type(value)):
                if told == "Duration" and name != "poll_settled":
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
    """What is told of some values: a text with gaps, and what belongs into them."""

    __slots__ = ("ages", "instants", "numbers", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.instants: list[Instant] = []
        self.ages: list[tuple[Instant, Duration]] = []
        """Instants, and up to which age each is told."""
        self.numbers: list[Number] = []

    def add(self, other: Abstraction) -> None:
        """Tell this as well."""
        self.text += other.text
        if other.instants:
            self.instants += other.instants
        if other.ages:
            self.ages += other.ages
        if other.numbers:
            self.numbers += other.numbers

    def number(self, what: str, owner: str, number: int) -> None:
        """Tell one of a row."""
        self.text.append("#")
        self.numbers.append((what, owner, number))

    def age(self, instant: Instant, bound: Duration) -> None:
        """Tell an instant by its age."""
        self.text.append("~")
        self.ages.append((instant, bound))

    def marks(self, what: str, instants: Mapping[Any, Instant]) -> None:
        """Tell instants that are only compared with themselves."""
        for key, instant in instants.items():
            self.text.append(repr(key))
            self.number(what, "", instant)

    def close(self) -> None:
        """Nothing more will be told: a long text becomes a short one, the same for the same."""
        text = "\x1f".join(self.text)
        self.text = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if len(text) > 32 else text]

    def key(self, now: Instant, longest: Duration) -> bytes:
        """The same for the same, as seen from now."""
        times, ranks = _shortened(self.instants, now, longest), _ranks(self.numbers)
        told = (
            self.text,
            [times[instant] for instant in self.instants],
            [min(now - instant, bound) for instant, bound in self.ages],
            [ranks[number] for number in self.numbers],
        )
        return hashlib.blake2b(repr(told).encode(), digest_size=16).digest()


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


class Reader:
    """Reads values that never change; what was read is remembered by its identity."""

    def __init__(self, limits: Limits, numbers: Numbers) -> None:
        self.limits = limits
        self._numbers = numbers
        self._read: dict[tuple[int, str], tuple[Any, Abstraction]] = {}
        self._ways: dict[type, list[Way | None]] = {}

    def read(self, value: Any, owner: str, told: Abstraction) -> None:
        """Tell a value that belongs to an entity."""
        kind = type(value)
        if not value or value is True:
            told.text.append(repr(value))
        elif kind is int:
            self._int(value, told)
        elif kind is str:
            self._str(value, told)
        elif isinstance(value, msgspec.Struct):
            told.add(self._remembered(value, owner, self._fields))
        elif isinstance(value, dict | tuple | list | deque):
            self._items(value, owner, told)
        elif isinstance(value, set | frozenset):
            told.text.append(repr(sorted(map(repr, value))))
        else:
            self._other(value, owner, told)

    @staticmethod
    def _int(value: int, told: Abstraction) -> None:
        if value >= EARLIEST:
            told.text.append("@")
            told.instants.append(value)
        else:
            told.text.append(str(value))

    @staticmethod
    def _str(value: str, told: Abstraction) -> None:
        operation = _OPERATION.match(value) if value and value[-1].isdigit() else None
        if operation:
            told.number(operation[2], operation[1], int(operation[3]))
        else:
            told.text.append(repr(value))

    def _items(self, values: Any, owner: str, told: Abstraction) -> None:
        told.text.append("[")
        for value in values:
            self.read(value, owner, told)
            if isinstance(values, dict):
                self.read(values[value], owner, told)
        told.text.append("]")

    def _other(self, value: Any, owner: str, told: Abstraction) -> None:
        """Notes of the rules, and plain values."""
        if hasattr(value, "__dict__") and type(value).__module__.startswith("setpoint.simulate."):
            told.text.append(type(value).__name__)
            self.read({name: one for name, one in vars(value).items() if name not in UNTOLD}, owner, told)
        else:
            told.text.append(repr(value))

    def _remembered(self, value: Any, owner: str, reads: Callable[[Any, str, Abstraction], None]) -> Abstraction:
        known = self._read.get((id(value), owner))
        if known is not None:
            return known[1]
        if len(self._read) > KEPT:
            self._read.clear()
        told = Abstraction()
        reads(value, owner, told)
        told.close()
        self._read[id(value), owner] = (value, told)
        return told

    def _fields(self, value: msgspec.Struct, owner: str, told: Abstraction) -> None:
        kind = type(value)
        if isinstance(value, Life) and value.current and not (value.rollout and value.current.at > value.rollout.began):
            value = replace(value, current=replace(value.current, at=0))  # deadlines begin with the rollout at the earliest
        owner = (
            f"instance:{value.instance}" if isinstance(value, Neighbour) else getattr(value, OWNERS.get(kind.__name__, ""), owner)
        )
        text = told.text
        text.append(kind.__name__)
        ways = self._ways.get(kind) or self._ways.setdefault(kind, _ways(kind, self.limits, self._numbers))
        for one, way in zip(astuple(value), ways, strict=True):
            if way is None:
                continue
            if not one:
                text.append(_NOTHING.get(type(one)) or repr(one))
            else:
                way(self, one, owner, told)

    def field(self, value: Any, owner: str, told: Abstraction) -> None:
        """A field of something that never changes."""
        if value and type(value) in _HOLDERS:
            told.add(self._remembered(value, owner, self._items))
        else:
            self.read(value, owner, told)


Way = Callable[[Reader, Any, str, Abstraction], None]
"""How a field is told."""


def _ways(kind: type[msgspec.Struct], limits: Limits, numbers: Numbers) -> list[Way | None]:
    """How each field of a kind is told. Facts are stamped anew when they are told."""
    left_out = UNTOLD | ({"at"} if issubclass(kind, Fact) else set()) | ({"id"} if issubclass(kind, Signal) else set())
    return [None if name in left_out else _way(kind.__name__, name, limits, numbers) for name in kind.__struct_fields__]


def _way(kind: str, name: str, limits: Limits, numbers: Numbers) -> Way:
    if name in WORDS.get(kind, ()):
        return lambda _, __, ___, told: told.text.append("set")
    if name in ADDED.get(kind, ()):
        return lambda _, value, __, told: told.text.append(str(min(value, limits.longest)))
    if name in MARKS:
        return lambda _, value, __, told: told.marks(name, value)
    if name in BOUNDS.get(kind, {}):
        bound = limits.of(BOUNDS[kind][name])
        return lambda _, value, __, told: told.age(value, bound)
    if name in numbers.get(kind, {}):
        what = numbers[kind][name]
        return lambda _, value, owner, told: told.number(what, owner, value)
    return Reader.field


_NOTHING = {bool: "no", int: "0", type(None): "-", dict: "{}", tuple: "()", str: "''"}
_HOLDERS = frozenset({dict, tuple})
