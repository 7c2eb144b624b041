"""Scenes in simulated worlds: what no pretended runtime does, and what only bad luck brings about."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from setpoint.core.recording import trace as traces
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.people import Person
from setpoint.model.policy import Cadence, CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.policy import DriftPolicy as OnDrift
from setpoint.model.time import HOUR, MINUTE, SECOND, Duration
from setpoint.simulate.acts import Act
from setpoint.simulate.acts.accidents import Drift, Outage, Vanish
from setpoint.simulate.acts.overrides import Resume
from setpoint.simulate.acts.releasing import TOGETHER, RequestRelease
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.plan import Plan
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.search.recording import Recorder
from setpoint.simulate.world.faults import NO_FAULTS, Faults
from setpoint.simulate.world.host import START
from setpoint.simulate.world.runtimes import Behaviour

ANN = Person("ann", ("leads",))
STAGING, PRODUCTION = "app/web@staging", "app/web@production"
UNLUCKY = Faults(duplicate=0.15, delay=0.15, reorder=0.3, crash=0.05, forget=0.2)
_MOST_TURNS = {"instance": 300, "attachment": 100}
"""Few enough to be read."""
_DRAWN = (3, 5, 12, 13, 16, 23, 25, 30, 32, 33, 36, 45, 49)
"""Seeds of worlds with tasks, sets, leases and waves, of which the busiest entity of every kind is kept."""
Scene = Callable[[], tuple[Plan, Duration, tuple[str, ...]]]
SCENES: dict[str, tuple[str, Scene]] = {}
"""Name -> what happens in it, the plan, its duration, and the entities whose traces are kept."""


def scene(about: str) -> Callable[[Scene], Scene]:
    """Register a scene."""

    def register(made: Scene) -> Scene:
        SCENES[made.__name__.replace("_", "-")] = (about, made)
        return made

    return register


def play(name: str) -> dict[str, traces.Trace]:
    """File name -> story."""
    about, made = SCENES[name]
    plan, lasts, instances = made()
    scenario = Scenario(plan)
    recorder = Recorder(scenario.world)
    scenario.prepare()
    scenario.world.run(START + lasts)
    sets = [entity for entity in recorder.turns if entity.startswith("set:")]
    entities = [*(f"instance:{instance}" for instance in instances), *sets[-1:]] if instances else _busiest(recorder)
    return {f"{name}.{_short(entity)}.json": recorder.trace(entity, about) for entity in entities}


def _short(entity: str) -> str:
    kind, _, key = entity.partition(":")
    return key.rpartition("/")[2] if kind == "instance" else kind


def _busiest(recorder: Recorder) -> list[str]:
    """Of every kind, the one with the most turns."""
    found: dict[str, str] = {}
    for entity, turns in sorted(recorder.turns.items(), key=lambda item: len(item[1])):
        kind = entity.partition(":")[0]
        if len(turns) <= _MOST_TURNS.get(kind, len(turns)):
            found[kind] = entity
    return sorted(found.values())


def _policy(instance: str, **more: object) -> Policy:
    service, _, channel = instance.partition("/")[2].partition("@")
    labels = {"application": "app", "service": service, "channel": channel, "runtime": "r"}
    return Policy(instance, labels, progress_deadline=2 * MINUTE, **more)  # type: ignore[arg-type]


def _plan(*policies: Policy, acts: tuple[Act, ...], faults: Faults = NO_FAULTS, **more: object) -> Plan:
    named = {policy.instance: policy for policy in policies}
    return Plan(seed=1, people=(ANN,), policies=named, acts=acts, faults=faults, **more)  # type: ignore[arg-type]


def _releases(*versions: str, every: Duration = 10 * MINUTE, **behaves: Behaviour) -> tuple[Act, ...]:
    """One after the other; ``v1_1``: behaviour of 1.1 in production."""
    return tuple(
        RequestRelease(
            at=number * every,
            by="ann",
            application="app",
            services={"web": version},
            behaves={PRODUCTION: behaves[f"v{version.replace('.', '_')}"]} if f"v{version.replace('.', '_')}" in behaves else {},
        )
        for number, version in enumerate(versions)
    )


AFTER_STAGING = (Ordering("after", (STAGING,), ("staging",)),)
FAILING = Behaviour(5 * SECOND, "failing")


@scene("Drift is put right; the same one again and again trips the breaker, which a person resets, and again; then an outage.")
def drifted() -> tuple[Plan, Duration, tuple[str, ...]]:
    acts = (
        *_releases("1.0"),
        Drift(at=10 * MINUTE, instance=PRODUCTION, difference="replicas"),
        Drift(at=30 * MINUTE, instance=PRODUCTION, difference="image", stubborn=True),
        Resume(at=90 * MINUTE, by="ann", instance=PRODUCTION),
        Vanish(at=150 * MINUTE, instance=PRODUCTION),
        Outage(at=160 * MINUTE, instance=PRODUCTION, lasts=20 * MINUTE),
    )
    return _plan(_policy(PRODUCTION, drift=OnDrift(breaker=3)), acts=acts), 4 * HOUR, (PRODUCTION,)


@scene("The engine is killed again and again while a release fails in production and is rolled back.")
def killed_in_a_rollback() -> tuple[Plan, Duration, tuple[str, ...]]:
    acts = _releases("1.0", "1.1", "1.2", every=30 * MINUTE, v1_1=FAILING)
    plan = _plan(_policy(PRODUCTION), acts=acts, faults=Faults(crash=0.3, forget=0.5))
    return plan, 2 * HOUR, (PRODUCTION,)


@scene("One finalized release a day; a second one waits for the next.")
def cadence() -> tuple[Plan, Duration, tuple[str, ...]]:
    daily = Cadence(Calendar("daily", open=(Window(every="day", length=(0, 6 * HOUR)),)), "Europe/Berlin")
    acts = _releases("1.0", "1.1", "1.2", every=2 * HOUR)
    return _plan(_policy(PRODUCTION, cadence=daily), acts=acts), 80 * HOUR, (PRODUCTION,)


@scene("A train: every release, one after the other; a failed one stops it until it is superseded by a hot fix.")
def train() -> tuple[Plan, Duration, tuple[str, ...]]:
    fix = RequestRelease(at=HOUR, by="ann", application="app", services={"web": "1.4"}, urgent=True)
    acts = (*_releases("1.0", "1.1", "1.2", "1.3", every=MINUTE, v1_2=FAILING), fix)
    policies = (
        _policy(STAGING, strategy=Strategy.EVERY),
        _policy(PRODUCTION, strategy=Strategy.EVERY, orderings=AFTER_STAGING),
    )
    return _plan(*policies, acts=acts), 2 * HOUR, (STAGING, PRODUCTION)


@scene("A check flaps, breaks and recovers before a deployment; after the next one it fails, which goes back.")
def flapping() -> tuple[Plan, Duration, tuple[str, ...]]:
    check = CheckDefinition(
        "alerts", "program", "channel:app/production", interval=20 * SECOND, timeout=5 * SECOND, max_age=MINUTE
    )
    uses = (
        CheckUse("before", Phase.PRE_DEPLOYMENT, check),
        CheckUse("after", Phase.POST_DEPLOYMENT, check, window=5 * MINUTE),
    )
    results = (
        (0, Outcome.BLOCKING),
        (3 * MINUTE, Outcome.UNAVAILABLE),
        (6 * MINUTE, Outcome.PASSING),
        (63 * MINUTE, Outcome.BLOCKING),
        (70 * MINUTE, Outcome.PASSING),
    )
    plan = _plan(_policy(PRODUCTION, checks=uses), acts=_releases("1.0", "1.1", every=HOUR), timetable={"alerts": results})
    return plan, 2 * HOUR, (PRODUCTION,)


@scene("Two services of a channel move as one; in the second release one of them fails, and both go back; then a fix.")
def together() -> tuple[Plan, Duration, tuple[str, ...]]:
    worker = PRODUCTION.replace("web", "worker")

    def release(at: Duration, version: str, behaves: Behaviour) -> RequestRelease:
        services = {"web": version, "worker": version}
        return RequestRelease(at=at, by="ann", application="app", services=services, behaves={worker: behaves})

    acts = (release(0, "1.0", Behaviour()), release(20 * MINUTE, "1.1", FAILING), release(HOUR, "1.2", Behaviour()))
    policies = [_policy(one) for one in (PRODUCTION, worker)]
    joined = [replace(policy, labels={**policy.labels, TOGETHER: "production"}) for policy in policies]
    return _plan(*joined, acts=acts), 2 * HOUR, (PRODUCTION, worker)


def _drawn(seed: int) -> Scene:
    return lambda: (draw(seed, faults=UNLUCKY), 5 * HOUR, ())


for _seed in _DRAWN:
    SCENES[f"drawn-{_seed}"] = (
        f"The busiest of its kind in the world that seed {_seed} drew, with bad luck of every kind.",
        _drawn(_seed),
    )
