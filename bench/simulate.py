"""How fast worlds are simulated: ``python bench/simulate.py [--small]``.

Decisions a second on one core, in the mix of worlds that CI runs, without and with every invariant checked after every turn:
of its first worlds, once they have run a first time (a run of 1,500 works out its calendars once as well); and one release
across many services and channels: wall time, virtual time, decisions, peak memory.
"""

from __future__ import annotations

import argparse
import resource
import time

from setpoint.core.facts import Configured, ReleaseRequested
from setpoint.core.instance.state import InstanceState
from setpoint.model.policy import Ordering, Policy
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Version
from setpoint.model.time import HOUR, MINUTE, approximate_duration
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.faults import Faults
from setpoint.simulate.world.host import START, World
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Behaviour, Runtimes


def mix(seeds: int, *, invariants: bool) -> tuple[int, float]:
    """(decisions, seconds of processor time) of CI's first worlds."""
    decisions, began = 0, time.process_time()
    for seed in range(seeds):
        scenario = Scenario(draw(seed))
        if not invariants:
            scenario.world.check = None
            scenario.net.asleep = True
        scenario.run()
        decisions += scenario.world.turns
    return decisions, time.process_time() - began


def fleet(services: int, channels: int) -> World:
    """A world in which every service stands in every channel; all channels come after the first."""
    world = World(Rng(1), Runtimes({}), Checks(), Faults(split=0.0))
    specs = {}
    for service in range(services):
        first = f"app/s{service}@c0"
        for channel in range(channels):
            instance = f"app/s{service}@c{channel}"
            labels = {"application": "app", "channel": f"c{channel}", "service": f"s{service}", "runtime": "local"}
            orderings = (Ordering("after", (first,), ("c0",)),) if channel else ()
            world.post(f"instance:{instance}", Configured(policy=Policy(instance, labels, orderings=orderings), number=1))
            specs[instance] = spec = f"1.0/{instance}"
            world.runtimes.behaviours[spec] = Behaviour()
    wanted = {f"s{service}": ServiceVersion(Version("1.0")) for service in range(services)}
    world.run(START + MINUTE)
    world.post("line:app", ReleaseRequested(request="1", release=Release("app", wanted), specs=specs))
    return world


def finalized(world: World) -> int:
    """Instances that run what was released."""
    return sum(isinstance(state, InstanceState) and state.life.good.release == 1 for state in world.states.values())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="small enough for CI")
    parser.add_argument("--seeds", type=int, default=0)
    options = parser.parse_args()
    seeds = options.seeds or (10 if options.small else 100)
    mix(seeds, invariants=False)
    print(f"{'CI mix, one core':46} {'decisions':>12} {'a second':>10}")
    for words, invariants in (("without invariants", False), ("every invariant after every turn", True)):
        decisions, seconds = mix(seeds, invariants=invariants)
        print(f"{f'{seeds} worlds, {words}':46} {decisions:12,} {decisions / seconds:10,.0f}")
    services, channels = (20, 10) if options.small else (1000, 100)
    began, world = time.perf_counter(), fleet(services, channels)
    made, configured, turns = time.perf_counter() - began, world.now, world.turns
    began = time.perf_counter()
    while finalized(world) < services * channels and world.now < START + HOUR:
        world.run(world.now + 10_000)
    wall, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\none release, {services:,} services x {channels} channels = {services * channels:,} instances")
    print(f"  configured in      {made:10.1f} s")
    print(f"  finalized          {finalized(world):10,} in {wall:.1f} s of {approximate_duration(world.now - configured)}")
    print(f"  decisions          {world.turns - turns:10,} ({(world.turns - turns) / wall:,.0f} a second)")
    print(f"  peak memory        {peak:10,.0f} MiB")


if __name__ == "__main__":
    main()
