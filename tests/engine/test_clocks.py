"""Two clocks (§10.17): the steady one, by which durations go, and the wall clock, which anybody may set at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engine.conformance import HOUR, Taken
from tests.engine.hosts import make
from tests.engine.toy import Outside, Toy, decide, tell
from tests.support.eventually import eventually

from setpoint.core import facts as happened
from setpoint.core.instructions import Decision
from setpoint.core.wall import Wall, wall_of
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.embedded.clock import SET, HostClock, Jump, clocks
from setpoint.engine.port import CLOCK
from setpoint.model.time import Stamp

START = 1_800_000_000_000
DAY = 24 * HOUR
SECOND = 1000
JUMPS = [-DAY, -HOUR, -SECOND, SECOND, HOUR, DAY]


class Machine:
    """The clocks of a machine: time passes for both, and the wall clock may be set."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 77

    def pass_by(self, time: int) -> None:
        self.wall += time
        self.monotonic += time

    def set_by(self, by: int) -> None:
        self.wall += by

    def boot(self) -> None:
        """The monotonic clock begins anywhere."""
        self.monotonic = 5

    @property
    def read(self) -> Any:
        return clocks(lambda: self.wall, lambda: self.monotonic)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def engine_on(machine: Machine, home: Path, **options: Any) -> EmbeddedEngine:
    return make(home, Outside(), clock=lambda: machine.wall, monotonic=lambda: machine.monotonic, **options)


# --- the clock alone


@pytest.fixture
def clock(machine: Machine) -> HostClock:
    clock = HostClock(machine.read)
    assert clock.start(None) is None
    return clock


def test_both_clocks_begin_together_and_go_on_together(machine: Machine, clock: HostClock) -> None:
    machine.pass_by(DAY)
    assert (clock(), clock.offset, clock.wall()) == (START + DAY, 0, START + DAY)
    assert clock.look() is None
    assert not clock.was_set


@pytest.mark.parametrize("by", JUMPS)
def test_the_steady_clock_does_not_notice_that_the_wall_clock_is_set(machine: Machine, clock: HostClock, by: int) -> None:
    machine.pass_by(HOUR)
    machine.set_by(by)
    assert clock.look() == Jump(by, down=False)
    assert clock.look() is None, "it is noticed once"
    machine.pass_by(HOUR)
    assert (clock(), clock.stamp().wall) == (START + 2 * HOUR, machine.wall)


def test_a_moment_between_two_readings_is_no_jump(machine: Machine, clock: HostClock) -> None:
    machine.set_by(SET - 1)
    assert clock.look() is None
    machine.set_by(1)
    assert clock.look() == Jump(SET, down=False), "a clock that creeps away is noticed as well"


def test_a_machine_that_sleeps_lets_no_steady_time_pass(machine: Machine, clock: HostClock) -> None:
    machine.wall += 8 * HOUR
    assert clock.look() == Jump(8 * HOUR, down=False)
    assert clock() == START


@pytest.mark.parametrize(
    ("passed", "counted"),
    [(0, 0), (SECOND, SECOND), (HOUR, HOUR), (DAY, DAY), (DAY + 1, DAY), (9 * DAY, DAY), (-1, 0), (-HOUR, 0), (-DAY, 0)],
)
def test_after_a_restart_it_goes_on_at_the_last_durable_stamp_plus_the_wall_difference_up_to_a_day(
    machine: Machine, passed: int, counted: int
) -> None:
    last = Stamp(START + HOUR, 3 * HOUR)
    machine.wall = last.wall + passed
    machine.boot()
    clock = HostClock(machine.read)
    jump = clock.start(last, [Stamp(START, 3 * HOUR)])
    assert clock() == last.at + counted
    assert clock.stamp().wall == machine.wall
    assert (jump.by if jump else 0) == passed - counted


def test_times_are_shown_by_the_wall_clock_of_their_moment(machine: Machine, clock: HostClock) -> None:
    machine.pass_by(HOUR)
    machine.set_by(-DAY)
    clock.look()
    machine.pass_by(HOUR)
    machine.set_by(2 * DAY)
    clock.look()
    shown = [clock.wall_at(START + at) - START for at in (0, HOUR - 1, HOUR, 2 * HOUR - 1, 2 * HOUR, 9 * HOUR)]
    assert shown == [0, HOUR - 1, HOUR - DAY, 2 * HOUR - 1 - DAY, 2 * HOUR + DAY, 9 * HOUR + DAY]


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_clock_that_was_set_is_told_in_words(by: int) -> None:
    assert "1h" in str(Jump(by, down=False))
    assert str(Jump(by, down=False)) != str(Jump(by, down=True))


# --- what a turn knows of it


def test_a_turn_goes_by_its_newest_fact() -> None:
    facts = [happened.Woken(at=START, offset=HOUR), happened.Woken(at=START - 1, offset=DAY)]
    assert wall_of(facts, START) == START + HOUR
    assert Wall().updated(facts) == Wall(HOUR, START)


def test_a_fact_that_comes_late_does_not_bring_an_old_clock_back() -> None:
    known = Wall(HOUR, START)
    assert known.updated([happened.Woken(at=START - 1, offset=DAY)]) is known
    assert known.updated([happened.Woken(at=START + 1, offset=DAY)]) == Wall(DAY, START + 1)


def test_a_fact_without_a_wall_clock_has_it_the_same(machine: Machine) -> None:
    assert happened.Woken(at=START).wall == START
    assert Wall().updated([happened.Woken(at=START)]) == Wall()


# --- the engine


async def state_of(engine: EmbeddedEngine, entity: str = "toy:a") -> Toy:
    state = await engine.read(entity)
    assert isinstance(state, Toy)
    return state


async def is_due(engine: EmbeddedEngine) -> bool:
    return "due" in (await state_of(engine)).story


async def is_woken(taken: Taken) -> happened.Woken:
    """Taken's last wake-up once there is one; those before are forgotten."""
    await eventually(lambda: taken.of("toy:a", happened.Woken))
    woken: happened.Woken = taken.of("toy:a", happened.Woken)[-1]
    taken.facts.clear()
    return woken


@pytest.mark.parametrize("by", JUMPS)
async def test_a_duration_is_as_long_as_it_is_whatever_the_wall_clock_does(tmp_path: Path, machine: Machine, by: int) -> None:
    taken = Taken()
    async with engine_on(machine, tmp_path, decide=taken) as engine:
        await engine.post("toy:a", tell("sleep", ("wake", START + HOUR)))
        machine.pass_by(HOUR // 2)
        machine.set_by(by)
        woken = await is_woken(taken)
        assert (woken.at, woken.wall) == (START + HOUR // 2, machine.wall), "whoever waits is told of the new clock"
        assert not await is_due(engine)
        machine.pass_by(HOUR // 2)
        await eventually(lambda: is_due(engine))
        assert (await state_of(engine)).now == START + HOUR


@pytest.mark.parametrize("by", JUMPS)
async def test_a_duration_goes_on_over_a_restart_at_which_the_clock_was_set(tmp_path: Path, machine: Machine, by: int) -> None:
    """What the wall clock says of the time without an engine is believed up to a day, and never that it went back."""
    async with engine_on(machine, tmp_path) as engine:
        await engine.post("toy:a", tell("sleep", ("wake", START + 3 * DAY)))
    machine.set_by(by)
    machine.boot()
    counted = min(max(by, 0), DAY)
    taken = Taken()
    async with engine_on(machine, tmp_path, decide=taken) as engine:
        await engine.post("toy:b", tell("tick"))
        assert (await state_of(engine, "toy:b")).now == START + counted
        machine.pass_by(3 * DAY - counted - 1)
        await engine.post("toy:b", tell("tock"))
        assert not await is_due(engine)
        machine.pass_by(1)
        await eventually(lambda: is_due(engine))


@pytest.mark.parametrize("by", [-DAY, -SECOND])
async def test_a_clock_set_back_over_a_restart_wakes_who_waits_for_the_wall(tmp_path: Path, machine: Machine, by: int) -> None:
    async with engine_on(machine, tmp_path) as engine:
        await engine.post("toy:a", tell("sleep", ("wake", START + 3 * DAY)))
    machine.set_by(by)
    taken = Taken()
    async with engine_on(machine, tmp_path, decide=taken):
        woken = await is_woken(taken)
        assert (woken.at, woken.wall) == (START, machine.wall)


async def test_everything_that_a_turn_brings_about_has_its_clocks(tmp_path: Path, machine: Machine) -> None:
    taken = Taken()
    async with engine_on(machine, tmp_path, decide=taken) as engine:
        machine.set_by(-DAY)
        await eventually(lambda: engine.clock.offset == -DAY)
        await engine.post("toy:p", tell("sub", ("subscribe", "toy:q")))
        await engine.post("toy:q", tell("go", ("publish", "news"), ("send", "toy:p", tell("hello")), ("record", "a line")))
        await engine.post("toy:r", tell("late", ("subscribe", "toy:q")))
        await eventually(lambda: len(taken.of("toy:r", happened.CheckStatus)))
        stamps = {(fact.at, fact.wall) for _, fact in taken.facts}
        assert stamps == {(START, START - DAY)}
        line = (await engine.store.history.lines(entities=["toy:q"]))[0]
        assert line.at == START - DAY, "people read the wall clock"


@pytest.mark.parametrize(("by", "told"), [(-DAY, True), (6 * SECOND, True), (-4 * SECOND, False), (SECOND, False)])
async def test_a_difference_of_more_than_five_seconds_is_a_line_of_history(
    tmp_path: Path, machine: Machine, by: int, told: bool
) -> None:
    async with engine_on(machine, tmp_path) as engine:
        machine.set_by(by)
        await eventually(lambda: engine.clock.offset == by)
        await engine.post("toy:a", tell("hello"))
        lines = await engine.store.history.lines(entities=[CLOCK])
        assert [line.event.text for line in lines] == ([str(Jump(by, down=False))] if told else [])


async def test_a_rest_of_days_is_a_line_of_history(tmp_path: Path, machine: Machine) -> None:
    async with engine_on(machine, tmp_path) as engine:
        await engine.post("toy:a", tell("hello"))
    machine.pass_by(3 * DAY)
    async with engine_on(machine, tmp_path) as engine:
        await engine.post("toy:a", tell("hello again"))
        assert [line.event.text for line in await engine.store.history.lines(entities=[CLOCK])] == [str(Jump(2 * DAY, down=True))]
        assert engine.clock.wall_at(engine.clock()) == machine.wall


async def test_what_was_shown_of_the_past_is_shown_after_a_restart_too(tmp_path: Path, machine: Machine) -> None:
    async with engine_on(machine, tmp_path) as engine:
        machine.pass_by(HOUR)
        machine.set_by(DAY)
        await eventually(lambda: engine.clock.offset == DAY)
        await engine.post("toy:a", tell("hello"))
    async with engine_on(machine, tmp_path) as engine:
        assert [engine.clock.wall_at(START + at) for at in (0, HOUR)] == [START, START + HOUR + DAY]


async def test_an_idle_engine_keeps_a_stamp_now_and_then(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setpoint.engine.embedded.host._KEEP_STAMP", 0.01)
    async with engine_on(machine, tmp_path) as engine:
        machine.pass_by(2 * DAY)
        commits = engine.health().commits
        await eventually(lambda: engine.health().commits > commits + 1)
    monkeypatch.undo()
    machine.pass_by(HOUR)
    async with engine_on(machine, tmp_path) as engine:
        assert engine.clock() == START + 2 * DAY + HOUR, "it is known how long it was idle"
        assert await engine.store.history.lines(entities=[CLOCK]) == []


def wall_keeper(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
    """Asks to be woken at an instant of the wall clock, by what it knows of it."""
    decision = decide(entity, state, facts, now)
    due = START + HOUR
    reached = wall_of(facts, now) >= due
    story = (*decision.state.story, "noon") if reached else decision.state.story  # type: ignore[attr-defined]
    wake = None if reached else Wall().updated(facts).steady(due)
    return Decision(Toy(story, wake_at=None), decision.instructions, wake)


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize("restart", [False, True])
async def test_who_waits_for_the_wall_clock_is_woken_when_it_shows_that(
    tmp_path: Path, machine: Machine, by: int, restart: bool
) -> None:
    async with engine_on(machine, tmp_path, decide=wall_keeper) as engine:
        await engine.post("toy:a", tell("till noon"))
        if not restart:
            machine.set_by(by)
            await eventually(lambda: engine.clock.offset == by)
            await it_is_noon_in_time(engine, machine)
            return
    machine.set_by(by)
    async with engine_on(machine, tmp_path, decide=wall_keeper) as engine:
        await it_is_noon_in_time(engine, machine)


async def it_is_noon_in_time(engine: EmbeddedEngine, machine: Machine) -> None:
    """It is noon neither a millisecond too early nor a day too late."""

    async def noon() -> bool:
        return "noon" in (await state_of(engine)).story

    if machine.wall < START + HOUR:
        machine.wall, machine.monotonic = START + HOUR - 1, machine.monotonic + START + HOUR - 1 - machine.wall
        await engine.post("toy:b", tell("tick"))
        assert not await noon()
        machine.pass_by(1)
    await eventually(noon)
