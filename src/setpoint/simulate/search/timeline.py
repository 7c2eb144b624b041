"""The timeline of a simulated run: acts, faults, decisions and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.model.names import key_of
from setpoint.model.time import Instant
from setpoint.simulate.invariants import Broken
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.world.faults import words
from setpoint.simulate.world.host import START

LINES = 60
"""Lines shown at most, the last ones."""
Line = tuple[str, str, str]
"""(time of the day and its seconds, mark, sentence)."""


def render(scenario: Scenario, broken: Broken | None = None, most: int = LINES) -> str:
    """The run as text: a line per thing that happened, oldest first."""
    lines = list(timeline(scenario, broken))
    left_out = [("", " ", f"… {len(lines) - most} earlier lines")] if len(lines) > most else []
    return "\n".join(f"  {when:>13}  {mark} {text}" for when, mark, text in [*left_out, *lines[-most:]])


def timeline(scenario: Scenario, broken: Broken | None = None) -> Iterator[Line]:
    """Acts (``▶``), faults (``✗``), what was decided (``·``) and what is wrong (``!``), in the order in which they came."""
    happened: list[tuple[Instant, int, str, str]] = []
    happened += [(when, 0, "▶", act.words()) for when, act in scenario.performed]
    happened += [(when, 1, "✗", words(fault)) for when, fault in scenario.world.fault_injector.struck]
    for when, entity, event in scenario.world.events:
        happened.append((when, 2, "·", f"{key_of(entity)}: {event.text}"))
    if scenario.fair_since is not None:
        happened.append((scenario.fair_since, -1, "▶", "from here on nothing goes wrong any more"))
    before = ""
    for when, _, mark, text in sorted(happened, key=lambda one: one[:2]):
        shown = clock(when)
        yield ("" if shown == before else shown), mark, text
        before = shown
    if broken is not None:
        yield clock(broken.turn.now), "!", f"{key_of(broken.turn.entity)}: {broken.complaint}"


def clock(now: Instant) -> str:
    """``1d 02:03:04.567`` since the start; days only when there are any."""
    seconds, milliseconds = divmod(now - START, 1000)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"
    return f"{days}d {text}" if days else text
