"""Services that move together take a configuration whole (§10.1 Sets): the real application, sets and instances."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

from msgspec.structs import replace
from tests.core.dsl import Instance, approval, check, short, spec_of, version

from setpoint.core.decide import decide
from setpoint.core.facts import ConfigurationRequested, Finalization, InstanceStatus, Part, ReleaseRequested, SetStatus
from setpoint.core.instance.state import offer_of
from setpoint.core.instructions import Publish, Send
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import ServiceOrdering
from setpoint.model.release import Release, RequiredVersion, ServiceVersion

A, B = "app/a@production", "app/b@production"
LEDGER = "app/ledger@production"
SETS: dict[str, tuple[str, ...]] = {"app/production": (A, B)}
OF_VERSIONS = parse_selector("change=version")


class Placed(Instance):
    """An instance whose instructions others receive."""

    def __init__(self, world: World, name: str, **policy: Any) -> None:
        self.world = world
        super().__init__(name=name, **policy)

    def _turn(self, facts: tuple[Any, ...]) -> None:
        before = len(self.out)
        super()._turn(facts)
        self.world.receive(self.out[before:])


class World:
    """Two services in one channel, of the application ``app``; both move together."""

    def __init__(self, a: dict[str, Any] | None = None, b: dict[str, Any] | None = None) -> None:
        self.queue: deque[tuple[str, Any]] = deque()
        self.states: dict[str, Any] = {}
        self.requests = 0
        self.revision = ""
        self.a, self.b = Placed(self, A, **(a or {})), Placed(self, B, **(b or {}))
        self.placed = {one.entity: one for one in (self.a, self.b)}
        self.apply(0, changed=())

    def receive(self, instructions: list[Any]) -> None:
        for given in instructions:
            match given:
                case Send(to, fact) if to.startswith(("instance:", "set:", "line:")):
                    self.queue.append((to, fact))
                case Publish(SetStatus() as status):
                    self.queue.extend((entity, status) for entity in self.placed)

    def run(self) -> World:
        """Until nothing is on its way."""
        while self.queue:
            to, fact = self.queue.popleft()
            if to in self.placed:
                self.placed[to].receive(fact)
                continue
            now = self.a.now
            decision = decide(to, self.states.get(to), (replace(fact, at=now),), now)
            self.states[to] = decision.state
            self.receive(list(decision.instructions))
        return self

    def release(self, name: str, *services: str, together: bool = True) -> World:
        self.requests += 1
        named = {service: ServiceVersion(version(f"{name}/{self.revision}")) for service in services or ("a", "b")}
        specs = {one: spec_of(name, self.revision) for one in (A, B) if one[4] in named}
        release = Release("app", named, author="zoe")
        sets = SETS if together else {}
        self.queue.append(("line:app", ReleaseRequested(request=f"r{self.requests}", release=release, specs=specs, sets=sets)))
        return self.run()

    def apply(self, configured: int, changed: Collection[str] = ("a", "b"), *, named: Collection[str] = ("a", "b")) -> World:
        """Both are named; nothing changes for a service that is not ``changed``."""
        self.revision = f"R{configured}" if configured else ""
        parts, numbers = dict[str, dict[int, Part]](), set[int]()
        for instance in (self.a, self.b) if configured else ():
            if instance.name[4] in named:
                own = {offer.release: offer for offer in reversed(instance.offers)}
                parts[instance.name] = {
                    number: Part(
                        replace(offer.version, revision=self.revision),
                        spec_of(offer.version.name, self.revision) if instance.name[4] in changed else offer.spec,
                    )
                    for number, offer in own.items()
                }
                numbers |= own.keys()
        fact = ConfigurationRequested(
            request=f"c{configured}",
            release=Release("app", {}, author="cora", revisions=dict.fromkeys(("a", "b"), self.revision)),
            configured=configured,
            seen=getattr(self.states.get("line:app"), "number", 0),
            changed=tuple(named) if configured else (),
            parts=parts,
            sets=SETS if len(named) > 1 else {},
            pairs=dict.fromkeys(numbers, SETS),
        )
        self.queue.append(("line:app", fact))
        return self.run()

    def comes_up(self, a: str, b: str = "") -> World:
        """Both are applied, and looked at."""
        for instance, name in ((self.a, a), (self.b, b or a)):
            if instance.applying.operation:
                instance.applied()
            instance.observed(name)
        return self.run()

    @property
    def targets(self) -> tuple[str, str]:
        return self.a.target_in, self.b.target_in

    @property
    def goods(self) -> tuple[str, str]:
        return self.a.good_in, self.b.good_in


def started(**b: Any) -> World:
    """4.0.0 (release 1) is good in both."""
    both = World(b=b).release("4.0.0")
    for use in b.get("checks", ()):
        both.b.passing(use.name)
    both.run().comes_up("4.0.0")
    assert both.goods == ("4.0.0", "4.0.0"), (both.a.reasons, both.b.reasons)
    return both


def test_a_set_takes_a_configuration_whole_with_its_good():
    both = started(checks=(check("load"),)).apply(1)
    assert both.targets == ("4.0.0", "4.0.0"), "a waits for the check of b"
    assert both.a.waits_for("moves together with b")
    both.b.passing("load")
    assert both.run().targets == ("4.0.0/R1", "4.0.0/R1")
    both.a.applied().observed("4.0.0/R1")
    assert both.run().goods == ("4.0.0", "4.0.0"), "none is finalized before all have passed"
    assert both.comes_up("4.0.0/R1").goods == ("4.0.0/R1", "4.0.0/R1")


def test_a_set_takes_a_configuration_whole_with_one_version_release():
    """5.0.0 is approved only after the configuration came; no member is ever at another version release than the other."""
    both = World(b={"approvals": (approval(when=OF_VERSIONS),)})
    both.release("4.0.0")
    both.b.approve("ann")
    both.run().comes_up("4.0.0").release("5.0.0").apply(1)
    assert both.targets == ("4.0.0/R1", "4.0.0/R1")
    both.comes_up("4.0.0/R1")
    assert (both.goods, both.a.wanted_in, both.b.wanted_in) == (("4.0.0/R1", "4.0.0/R1"), "5.0.0/R1", "5.0.0/R1")
    both.b.approve("ann", release=2)
    assert both.run().targets == ("5.0.0/R1", "5.0.0/R1")
    assert both.comes_up("5.0.0/R1").goods == ("5.0.0/R1", "5.0.0/R1")


def test_half_of_a_set_changed_and_the_other_half_holds_it_up_no_longer():
    both = started().apply(1, changed=("a",))
    assert both.targets == ("4.0.0/R1", "4.0.0")
    both.a.applied().observed("4.0.0/R1")
    assert both.run().goods == ("4.0.0/R1", "4.0.0")
    assert both.b.life.abstains == (2,)
    both.release("5.0.0")
    assert both.targets == ("5.0.0/R1", "5.0.0/R1")
    assert both.comes_up("5.0.0/R1").goods == ("5.0.0/R1", "5.0.0/R1")


def test_a_member_that_fails_at_a_configuration_takes_the_set_back_to_good():
    both = started().apply(1)
    both.b.applied("refused", terminal=True)
    both.run()
    assert both.targets == ("4.0.0", "4.0.0")
    if both.a.applying.operation:
        both.a.applied()
    both.run().comes_up("4.0.0").comes_up("4.0.0")
    assert (both.goods, both.a.wanted, both.b.wanted) == (("4.0.0", "4.0.0"), "", "")
    assert both.apply(2).targets == ("4.0.0/R2", "4.0.0/R2"), "the fix passes it"


# --- services that come after others ------------------------------------------------------------------------------------


def portal() -> Instance:
    """Portal comes after ledger; both have finalized their first release, and ledger does not get on with its second."""
    found = Instance(services=(ServiceOrdering("ledger", LEDGER),))
    found.offer(1, "4.0.0", beside={LEDGER: RequiredVersion(1, version("1.0"))})
    ledger(found, "1.0").comes_up("4.0.0")
    return found.offer(2, "5.0.0", beside={LEDGER: RequiredVersion(2, version("2.0"))})


def ledger(instance: Instance, *names: str, **more: Any) -> Instance:
    instance.numbers[LEDGER] += 1
    done = tuple(Finalization(version(name), number, instance.now) for number, name in enumerate(names, 1))
    about = short({"good": 1, "version": version(names[-1]), **more})
    return instance.receive(InstanceStatus(instance=LEDGER, number=instance.numbers[LEDGER], finalized=done, **about))


def test_a_configuration_does_not_wait_for_the_pending_version_of_a_service_before_it():
    web = portal()
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0", "5.0.0", ["dependency-not-ready"])
    assert web.reconfigure(3, 1).target_in == "4.0.0/R1"
    web.comes_up("4.0.0/R1")
    assert (web.good_in, web.wanted_in, web.codes) == ("4.0.0/R1", "5.0.0/R1", ["dependency-not-ready"])
    assert ledger(web, "1.0", "2.0", good=2).target_in == "5.0.0/R1"


def test_a_configuration_waits_for_that_of_a_service_in_the_same_release():
    web = portal().reconfigure(3, 1, after={LEDGER: "R1"})
    assert (web.target_in, set(web.codes)) == ("4.0.0", {"dependency-not-ready"})
    assert web.waits_for("ledger has not finalized")
    assert ledger(web, "1.0", "1.0/R1").target_in == "4.0.0/R1"
    other = portal().reconfigure(3, 1, after={LEDGER: "R1"})
    assert ledger(other, "1.0", abstains=(3,)).target_in == "4.0.0/R1", "nothing of it changes there"


def test_a_set_that_rolls_out_takes_a_configuration_whole_with_that_version_afterwards():
    both = started().release("5.0.0").apply(1).comes_up("5.0.0").comes_up("5.0.0/R1")
    assert both.goods == ("5.0.0/R1", "5.0.0/R1")
    offers = [offer_of(one.life, one.life.good) for one in (both.a, both.b)]
    assert [offer.release for offer in offers if offer] == [2, 2]
