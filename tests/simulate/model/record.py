"""Records sample paths of the model of section 10.1: ``python -m tests.simulate.model.record PATH-TO-MODEL`` from the root.

The model is a small program of its own, not a part of Setpoint: ``test_model_paths.py`` reads only what this module writes into
``paths/``. Walks are random, but the same each time; the walks that together show most kinds of steps are recorded.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.simulate.model.known import KNOWN, Act

HERE = Path(__file__).parent / "paths"
WALKS = 300
"""Number of walks through each scenario, of which ``KEPT`` are recorded."""
KEPT = 10
MOST_ACTS = 20
SCARCE = ("release", "apply", "fail", "reject", "pin", "roll-back", "skip", "mark-bad", "cancel")
LONGEST_WAIT = 10
"""A walk takes each scarce act only after a number of acts that it draws below this."""
STRATEGIES = {"nr": "newest-ready", "newest": "newest", "every": "every"}

_ATTEMPT = r"(?P<kind>[rc])(?P<number>\d+)=\(v(?P<version>\d+),R(?P<revision>\d+)\)"
_LABELS = [
    ("release", re.compile(r"release v(?P<release>\d+) to (?P<to>\w+)")),
    ("apply", re.compile(r"apply R(?P<revision>\d+) = .*")),
    ("finalize", re.compile(r"(?P<at>\w) finalizes .*")),
    ("fail", re.compile(r"(?P<at>\w) fails .*")),
    ("start", re.compile(r"(?P<at>\w) starts .*")),
    ("approve", re.compile(r"(?P<at>\w): release (?P<release>\d+) approved")),
    ("reject", re.compile(rf"(?P<at>\w): {_ATTEMPT} rejected")),
    ("pin", re.compile(r"(?P<at>\w) pinned to v(?P<release>\d+)")),
    ("unpin", re.compile(r"(?P<at>\w) unpinned")),
    ("roll-back", re.compile(rf"(?P<at>\w) rolled back by hand from \S+ to {_ATTEMPT} .*")),
    ("skip", re.compile(rf"(?P<at>\w): ordering of {_ATTEMPT} skipped")),
    ("mark-bad", re.compile(r"v(?P<release>\d+) marked bad")),
    ("cancel", re.compile(r"release (?P<release>\d+) cancelled")),
]


@dataclass
class Model:
    """The model, as far as it is used here."""

    machine: Any
    """``M`` of model.py, which takes steps through one scenario."""
    empty: Any
    """An instance before the first release."""
    state: Any
    law: Any
    """The rule that stands in the law."""
    scenarios: dict[str, Any]


def load(path: Path) -> Model:
    """Import the model. ``final.py`` explores everything when it is imported: only its definitions are executed."""
    sys.dont_write_bytecode = True  # the model's directory stays as it is
    sys.path.insert(0, str(path))
    model, scn = importlib.import_module("model"), importlib.import_module("scn")
    tree = ast.parse((path / "final.py").read_text("utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.ImportFrom | ast.Assign)]
    exec(compile(tree, "final.py", "exec"), {})  # adds to the scenarios of scn.py
    return Model(model.M, model.I0, model.S, scn.CURED, scn.SC)


class Channel(NamedTuple):
    """A channel in the model: versions are numbers of releases, configurations are counted from the first change."""

    target: tuple[int, int] | None
    good: tuple[int, int] | None
    rolling: bool
    pin: int


def _channel(instance: Any) -> Channel:
    good = instance.goods[-1] if instance.goods else None
    target = (instance.cur[1], instance.cur[2]) if instance.cur else None
    return Channel(target, (good[1], good[2]) if good else None, bool(instance.roll), instance.pin)


def _changed(before: dict[str, Channel], after: dict[str, Channel]) -> Act:
    """Return the channels that are in another state then, each whole; null, false and 0 at its end are left out."""
    changed = {name: list(one) for name, one in after.items() if one != before[name]}
    for found in changed.values():
        while found and not found[-1]:
            found.pop()
    return {"then": changed} if changed else {}


def lawful(machine: Any) -> Any:
    """Return the model with three corrections by the law: what a pin and a train take, and what a skip is for."""

    class Lawful(machine):  # type: ignore[misc]
        def wanted(self, state: Any, index: int) -> Any:
            """§10.1 Chosen: of the pin's configurations the newest that is most ready; the model waits for the newest."""
            instance, found = state.inst[index], self.considered(state, index)
            if not instance.pin or instance.roll or not found:
                return super().wanted(state, index)
            best = max(found, key=lambda one: (self.level(state, index, one), one))
            here = instance.cur and best[1:] == instance.cur[1:] and best[0] <= instance.cur[0]
            return None if here and not instance.failed else best

        def considered(self, state: Any, index: int) -> Any:
            """§10.11: after an unpin the frontier is the next one of a train; the model prefers what is newer."""
            instance, found = state.inst[index], super().considered(state, index)
            good, frontier = self.good(instance), instance.fbase
            resting = good and good[1] < frontier and not (instance.pin or instance.roll)
            if self.ch[index].strat != "every" or not resting or self.outb(state, instance, frontier):
                return found
            return [attempt for attempt in found if attempt[1] <= frontier]

        def order_ok(self, state: Any, index: int, attempt: Any) -> bool:
            """§7: a skip is for one release, and an attempt needs what both of its releases need (§10.1 Gated); the model skips
            an attempt whole. What is not skipped is judged as if the earlier channel had finalized the other half.
            """
            instance, above = state.inst[index], self.ch[index].after
            number, version, revision = attempt
            bare = self.put(state, index, instance._replace(sk=frozenset()))
            if above is None or not instance.sk or super().order_ok(bare, index, attempt):
                return bool(super().order_ok(bare, index, attempt))
            good, skipped = self.good(instance), {half for half in (number, version) if half in instance.sk}
            if skipped == {number, version} or (number in skipped and good and good[1] == version):
                return True
            earlier = bare.inst[above]
            done = {(0, revision)} if number in skipped else {(version, -1)} if version in skipped else set()
            return bool(done) and bool(
                super().order_ok(self.put(bare, above, earlier._replace(fin=earlier.fin | done)), index, attempt)
            )

    return Lawful


class Walker:
    """Walks through one scenario. Each instance starts what it wants as soon as it may, as the core does in the same turn."""

    def __init__(self, model: Model, scenario: Any, *, exact: bool = True) -> None:
        self.scenario = scenario
        self.exact = exact
        self.machine = (lawful(model.machine) if exact else model.machine)(model.law, scenario)
        self.names = [channel.name for channel in scenario.chans]
        instances = (model.empty,) * len(self.names)
        self.first = model.state((), 0, frozenset(), scenario.nv, scenario.nc, scenario.acts, scenario.fails, instances)

    def steps(self, state: Any) -> list[tuple[Act, Any]]:
        """Return the acts that may come next, each with the state that it leads to."""
        found = {}
        for step in self.machine.steps(state):
            act = self._act(state, step[0], step[1])
            if act["act"] != "start":
                after = self._skipped(act, step[1]) if act["act"] == "skip" and self.exact else step[1]
                found[json.dumps(act)] = (act, self.settled(after))
        return [found[key] for key in sorted(found)]

    def settled(self, state: Any) -> Any:
        """Let every instance start what it wants, if that is ready."""
        moved = True
        while moved:
            moved = False
            for index in range(len(self.names)):
                wanted = self.machine.wanted(state, index)
                if wanted and self.machine.level(state, index, wanted) == 2:
                    state, moved = self.machine.start(state, index, wanted), True
        return state

    def _skipped(self, act: Act, state: Any) -> Any:
        """A person skips the ordering for the version's release, too, if that changes."""
        index = self.names.index(act["at"])
        instance = state.inst[index]
        good = self.machine.good(instance)
        halves = set() if good and good[1] == act["pair"][0] else {act["pair"][0]}
        return self.machine.put(state, index, instance._replace(sk=instance.sk | halves))

    def _act(self, before: Any, label: str, after: Any) -> Act:
        name, match = next((name, match) for name, form in _LABELS if (match := form.fullmatch(label)))
        found = {key: int(text) if text.isdigit() else text for key, text in match.groupdict().items()}
        act = {"act": name} | {key: found[key] for key in ("at", "release") if key in found}
        if name == "release":
            _, named, _, addressed = after.rels[-1]
            return act | ({"to": [self.names[index] for index in named]} if addressed else {})
        if name in {"roll-back", "skip"}:
            return act | {"pair": [found["version"], found["revision"]]}
        if name == "reject":  # the model vetoes what the attempt changes: its version, or else its configuration
            instance = before.inst[self.names.index(found["at"])]
            keeps = bool(instance.goods) and instance.goods[-1][1] == found["version"]
            return act | {"release": found["number"] if keeps else found["version"]}
        return act | ({"revision": found["revision"]} if name == "apply" else {})

    def channels(self, state: Any) -> dict[str, Channel]:
        """Return the state of each channel in the model."""
        return {name: _channel(instance) for name, instance in zip(self.names, state.inst, strict=True)}

    def path(self, acts: list[Act]) -> list[Act]:
        """Return these acts, each with the channels that it changes."""
        state, steps = self.first, list[Act]()
        for act in acts:
            after = next(after for found, after in self.steps(state) if found == act)
            steps.append(act | _changed(self.channels(state), self.channels(after)))
            state = after
        return steps


# --- where the core is known to differ ---------------------------------------------------------------------------------


def differs(walker: Walker, before: Any, act: Act, after: Any) -> str:
    """Return the known difference that this act may lead to; empty: none. Walks avoid it; ``known.py`` has a path to it."""
    machine = walker.machine
    if act["act"] == "pin":
        instance = before.inst[walker.names.index(act["at"])]
        if any(tag[0] in "nr" and tag[1] == act["release"] for tag in instance.vets):
            return "pin-lifts-a-veto"
    if act["act"] == "mark-bad" and any(
        one.roll and one.goods and one.cur[1] == act["release"] and channel.noback
        for one, channel in zip(before.inst, machine.ch, strict=True)
    ):
        return "bad-without-rollback"
    for name, hits in _IN_A_CHANNEL.items():
        if any(hits(machine, after, index) for index in range(len(machine.ch))):
            return name
    return ""


def _stopped_by_what_cannot_come(machine: Any, state: Any, index: int) -> bool:
    """Whether a train stands at a version that the earlier channel went past, having failed at it in some configuration."""
    channel, instance = machine.ch[index], state.inst[index]
    if channel.strat != "every" or channel.after is None or not machine.stopped(state, index):
        return False
    above = state.inst[channel.after]
    stopping = {tag[1] for tag in instance.vets if tag[0] == "n" and tag[1] >= instance.fbase}
    return any(version < above.fbase and any(tag[:2] == ("p", version) for tag in above.vets) for version in stopping)


def _stopped_further_on(machine: Any, state: Any, index: int) -> bool:
    """Whether a train stands for a vetoed version that is not the next one: it can only have come by a pin."""
    instance = state.inst[index]
    good = machine.good(instance)
    behind = max(instance.fbase, good[1] if good else 0)
    waiting = {
        version for version in machine.named(state, index) if version > behind and {version, -version}.isdisjoint(state.out)
    }
    stopping = {tag[1] for tag in instance.vets if tag[0] == "n"}
    return machine.ch[index].strat == "every" and any(version < other for version in waiting - stopping for other in stopping)


def _pinned_between(machine: Any, state: Any, index: int) -> bool:
    """Whether a pin may come in a configuration between its own and that of good."""
    instance = state.inst[index]
    good = machine.good(instance)
    if not instance.pin or not good:
        return False
    return any(machine.rev_of(state, instance.pin) < release[1] < good[2] for _, release in machine.configs(state))


_IN_A_CHANNEL = {
    "stopped-by-what-cannot-come": _stopped_by_what_cannot_come,
    "stopped-further-on": _stopped_further_on,
    "pin-in-an-older-configuration": _pinned_between,
}


@dataclass
class Walk:
    """One walk, and what it shows."""

    steps: list[Act]
    features: set[str]


def walk(walker: Walker, random: Random, seen: Counter[str]) -> Walk:
    """Walk to the end of a scenario; steps of a kind that was seldom seen are taken more often.

    Acts of which a scenario has few would mostly come early: each walk draws how long it waits with each.
    """
    state, steps, features = walker.first, list[Act](), set[str]()
    before, patience = walker.channels(state), {act: random.randrange(LONGEST_WAIT) for act in SCARCE}
    while len(steps) < MOST_ACTS:
        possible = [one for one in walker.steps(state) if not differs(walker, state, *one)]
        if not possible:
            break
        choices = [one for one in possible if len(steps) >= patience.get(one[0]["act"], 0)] or possible
        kinds = [_kind(act, before) for act, _ in choices]
        weights = [1 / (1 + seen[kind]) for kind in kinds]
        index = random.choices(range(len(choices)), weights)[0]
        act, state = choices[index]
        seen[kinds[index]] += 1
        after = walker.channels(state)
        steps.append(act | _changed(before, after))
        features |= {kinds[index], f"{kinds[index]} -> {_changes(before, after)}"}
        before = after
    return Walk(steps, features)


def _kind(act: Act, before: dict[str, Channel]) -> str:
    """What is done where, and while what happens: numbers of releases apart."""
    where = act.get("at", "".join(act.get("to", ())))
    return f"{act['act']} {where} while {' '.join(name + _situation(one) for name, one in before.items())}"


def _situation(channel: Channel) -> str:
    return "+" * channel.rolling + "!" * (channel.target != channel.good) + "#" * bool(channel.pin)


def _changes(before: dict[str, Channel], after: dict[str, Channel]) -> str:
    return " ".join(name + _moves(before[name], after[name]) for name in after)


def _moves(before: Channel, after: Channel) -> str:
    """How target and good moved: each half up, down or not."""
    pairs = ((before.target, after.target), (before.good, after.good))
    halves = (both for old, new in pairs for both in zip(old or (0, 0), new or (0, 0), strict=True))
    return "".join("=" if old == new else "<" if old < new else ">" for old, new in halves) + "+" * after.rolling


def sample(walker: Walker, seed: str, walks: int = WALKS, kept: int = KEPT) -> list[list[Act]]:
    """Return the walks that together show most kinds of steps."""
    random, seen = Random(seed), Counter[str]()
    found = [walk(walker, random, seen) for _ in range(walks)]
    chosen, shown = list[Walk](), set[str]()
    while found and len(chosen) < kept:
        best = max(found, key=lambda one: (len(one.features - shown), -len(one.steps)))
        if not best.features - shown:
            break
        found.remove(best)
        chosen.append(best)
        shown |= best.features
    return [path.steps for path in chosen]


def described(scenario: Any) -> list[Act]:
    """Return the channels of a scenario."""
    return [_described(scenario, channel) for channel in scenario.chans]


def _described(scenario: Any, channel: Any) -> Act:
    found: Act = {"name": channel.name}
    if channel.after is not None:
        found["after"] = scenario.chans[channel.after].name
    if channel.strat != "nr":
        found["strategy"] = STRATEGIES[channel.strat]
    if channel.appr:
        found["approvals"] = channel.appr
    return found | ({"manual": True} if channel.manual else {}) | ({"rollback": False} if channel.noback else {})


def written(name: str, channels: list[Act], paths: list[list[Act]], differences: dict[str, list[Act]]) -> str:
    """Return a scenario as JSON, one act a line."""
    heads = ",\n".join(f"  {_line(channel)}" for channel in channels)
    known = ",\n".join(f"  {json.dumps(about)}: {_lines(path)}" for about, path in differences.items())
    rows = ",\n".join(f"  {_lines(path)}" for path in paths)
    parts = [
        f' "scenario": {json.dumps(name)}',
        f' "channels": [\n{heads}\n ]',
        *([f' "differences": {{\n{known}\n }}'] if known else []),
        f' "paths": [\n{rows}\n ]',
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(path: list[Act]) -> str:
    return "[\n" + ",\n".join(f"   {_line(step)}" for step in path) + "\n  ]"


def _line(found: Act) -> str:
    return json.dumps(found, separators=(",", ":"))


def file_of(name: str) -> Path:
    """Return the file of a scenario."""
    return HERE / f"{'-'.join(re.findall(r'[a-z0-9]+', name.lower()))}.json"


def record(model: Model, name: str) -> tuple[int, int]:
    """Record one scenario. Return the number of its paths and of their acts."""
    scenario = model.scenarios[name]
    paths = sample(Walker(model, scenario), name)
    differences = {
        about: Walker(model, scenario, exact=known.exact).path(list(known.acts))
        for about, known in KNOWN.items()
        if known.scenario == name
    }
    file_of(name).write_text(written(name, described(scenario), paths, differences), "utf-8")
    return len(paths), sum(map(len, paths))


def main() -> None:
    """Record every scenario."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the directory of model.py, scn.py and final.py")
    model = load(parser.parse_args().model)
    HERE.mkdir(exist_ok=True)
    for file in HERE.glob("*.json"):
        file.unlink()
    for name in model.scenarios:
        paths, acts = record(model, name)
        print(f"{name}: {paths} paths, {acts} acts")


if __name__ == "__main__":
    main()
