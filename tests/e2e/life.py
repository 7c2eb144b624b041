"""One life of a machine in which the engine is killed again and again, while release follows release.

Each release goes through every phase: an approval, a check before deployment, a rolling replacement, a window of checks after
it – and is finalized, or rolled back. Commands are repeated with the same request id until they are answered, as a careful script
does.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
from tests.e2e.machine import WITHIN, Engine, Load, Machine
from tests.e2e.nursery import Nursery
from tests.e2e.replicas import Replicas
from tests.e2e.shop import configure
from tests.support.eventually import wait_until

from setpoint.server.client import ClientError

WEB = "shop/web@staging"
COUNT = 2
APPROVAL, BEFORE, DEPLOYMENT, AFTER, BACK = "approval", "pre-deployment", "deployment", "post-deployment", "rolling-back"
PHASES = (APPROVAL, BEFORE, DEPLOYMENT, AFTER, BACK)
ONCE = (
    "attempt-started",
    "target-moved",
    "finalized",
    "failed",
    "rolling-back",
    "rolled-back",
    "attempt-ended",
    "signal",
    "vote",
)
"""What history may tell of a release only once in these words."""
END_OF = {DEPLOYMENT: "is verified", AFTER: "is finalized", BACK: "rolled back"}

APPLICATION = """
kind: Application
name: shop
channels:
  - name: staging
    approvals: [{topic: go, from: group:qa}]
    protections: [ready, {use: fine, at: {post-deployment: {for: 600ms}}}]
"""


def check(name: str) -> str:
    """A check that takes its time, and passes while a file of its name is there."""
    command = f'[sh, -c, "sleep 0.1; test -e FLAGS/{name}"]'
    return f"---\nkind: Protection\nname: {name}\nprogram: {{command: {command}}}\ninterval: 200ms\ntimeout: 5s\n"


class CrashingMachine(Machine):
    """Its engines are forked from a process that has loaded Setpoint: what is killed is real, only quick to start again."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.nursery = Nursery(self.environment())

    def launch(self, words: Sequence[str], environment: Mapping[str, str]) -> Engine:
        return self.nursery.start(words, environment, self.root / "engine.log")

    def close(self) -> None:
        if self.alive():
            self.kill()
        self.nursery.close()
        super().close()


class Life:
    """Drives releases through their phases, kills, and knows what must be true afterwards."""

    def __init__(self, machine: Machine, *, clients: bool = True) -> None:
        """``clients``: whether the address is asked all along, and must always answer."""
        self.machine = machine
        self.clients = clients
        self.random = random.Random()
        self.number = 0
        self.kills = 0
        self.good = ""
        self.acknowledged: list[str] = []
        """Reasons given with the signals of the newest release that were answered."""
        self.address = ""
        self.load = Load(self._request)
        self.replicas = Replicas(machine.root)
        self._running = contextlib.ExitStack()
        self._http = self._running.enter_context(httpx2.Client(timeout=10, trust_env=False, verify=False))

    def begin(self) -> None:
        """The first release, finalized; clients begin to ask and the process table is watched."""
        self.machine.up()
        self.flags = configure(self.machine, APPLICATION, check("ready"), check("fine"))
        self.machine.write(self._fast(), "setpoint.yaml")
        self.machine.apply()
        self.machine.person("quinn", "qa")
        self._running.enter_context(self.replicas)
        self.release()
        self.finish()
        if self.clients:
            self._running.enter_context(self.load)

    def _fast(self) -> str:
        text = (self.machine.config / "setpoint.yaml").read_text()
        return text.replace("moving: 300ms", "moving: 200ms").replace(
            "python3, web.py", f"{sys.executable}, web.py, --warm-up, '0.25'"
        )

    def end(self) -> None:
        """No client asks any more."""
        self._running.close()

    def _request(self) -> None:
        answer = self._http.get(self.address)
        if answer.status_code != httpx2.codes.OK:
            raise AssertionError(f"{answer.status_code}: {answer.text}")
        time.sleep(0.02)

    # --- killing and coming back

    def crash(self) -> None:
        """Kill -9 of the engine, and the next one."""
        self.machine.kill()
        self.kills += 1
        self.machine.up()

    def revive(self) -> None:
        """After a failpoint had it killed."""
        assert self.machine.engine is not None
        assert self.machine.engine.wait(10) == -9, self.machine.tail()
        self.kills += 1
        self.machine.up()

    def ask(self, query: str, **request: Any) -> dict[str, Any]:
        """A query, asked again of the next engine when this one dies."""
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                return self.machine.ask(query, **request)
            except ClientError as error:
                self._next_engine(error, deadline)

    def tell(self, command: str, *, by: str = "", identity: str = "", **request: Any) -> dict[str, Any]:
        """A command, repeated as the same request until it is answered."""
        identity = identity or uuid.uuid4().hex
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                with self.machine.client(by) as client:
                    answer = client.command(command, request, request=identity)
            except ClientError as error:
                self._next_engine(error, deadline)
            else:
                self.acknowledged.append(str(request.get("why", "")))
                return answer

    def _next_engine(self, error: ClientError, deadline: float) -> None:
        if error.code != "unreachable" or time.monotonic() > deadline:
            raise error
        if self.machine.alive():
            time.sleep(0.02)  # it has only begun
        else:
            self.revive()

    # --- one release

    @property
    def version(self) -> str:
        """Of the newest release."""
        return f"{self.number}.0.0"

    def release(self) -> None:
        """The next one; its gates are shut but for the check after deployment."""
        (self.flags / "ready").unlink(missing_ok=True)
        (self.flags / "fine").touch()
        self.number = self._released() + 1
        self.acknowledged.clear()
        answer = self.tell("release", services={"web": {"version": self.version}}, why=f"release {self.number}")
        assert answer["release"] == self._released() == self.number, "the same request made two releases"

    def _released(self) -> int:
        events = self.ask("history", kinds=["released"], limit=1)["events"]
        return int(events[0]["release"]) if events else 0

    def approve(self) -> None:
        """By somebody of the right group."""
        self.tell("approve", by="quinn", target=WEB, release=self.number, why=f"yes to {self.number}")

    def phase(self) -> str:
        """Where the newest release is now; empty: it ended."""
        row: dict[str, Any] = self.ask("status", target=WEB)["applications"][0]["instances"][0]
        if row["condition"] == BACK:
            return BACK
        return str(row["phase"]) if row["release"] == self.number else ""

    def go_to(self, phase: str) -> None:
        """Open gates until it is in this phase."""
        wanted = PHASES.index(phase)
        self.reach(APPROVAL)
        if wanted >= 1:
            self.approve()
            self.reach(BEFORE)
        if wanted >= 2:
            (self.flags / "ready").touch()
            self.reach(DEPLOYMENT)
        if wanted >= 3:
            self.reach(AFTER)
        if wanted >= 4:
            self.fail()

    def fail(self) -> None:
        """Have it rolled back: what runs turns out bad."""
        (self.flags / "fine").unlink()
        self.reach(BACK)

    def reach(self, phase: str) -> None:
        """Wait until it is there, or further."""
        later = {"": 9} | {name: place for place, name in enumerate(PHASES)}
        wanted = later[phase]
        wait_until(
            lambda: later.get(self.phase(), -1) >= wanted, 20, lambda: f"not in {phase}: {self.machine.story(WEB)}", every=0.02
        )

    def left(self, phase: str) -> float:
        """When the newest release left this phase, in seconds since 1970; infinity: it is there still."""
        words = END_OF.get(phase)
        lines = [line for line in self.lines() if words and words in line["text"]]
        return min((line["at"] / 1000 for line in lines), default=float("inf"))

    # --- what must be true

    def finish(self, *, back: bool = False, ready: bool = True) -> None:
        """Let the newest release go on from wherever it is, and see that all is well."""
        if self.phase() == APPROVAL or not self.lines("vote"):
            self.reach(APPROVAL)
            self.approve()
        if ready:
            (self.flags / "ready").touch()
        if back:
            self.reach(AFTER)
            if not self.lines("rolling-back"):
                self.fail()
        self._ended("rolled-back" if back else "finalized")
        self.good = self.good if back else self.version
        self.machine.runs(WEB, self.good, COUNT, within=20)
        self.address = self.address or self.machine.address(WEB)
        assert self.machine.get(self.address)["version"] == self.good
        assert self.machine.good(WEB) == self.machine.target(WEB) == self.good
        self._told_once(back=back)
        self._never_twice(back=back)

    def _ended(self, kind: str) -> None:
        wait_until(lambda: self.lines(kind), 30, lambda: f"not {kind}: {self.machine.story(WEB)}", every=0.05)

    def lines(self, kind: str = "") -> list[dict[str, Any]]:
        """History of the newest release, everywhere."""
        events: list[dict[str, Any]] = self.ask("history", release=self.number, limit=500)["events"]
        return [event for event in events if kind in {"", event["kind"]}]

    def _told_once(self, *, back: bool) -> None:
        lines = self.lines()
        told = Counter((line["kind"], line["text"]) for line in lines if line["kind"] in ONCE)
        assert set(told.values()) == {1}, told
        kinds = Counter(line["kind"] for line in lines)
        ending = {"finalized": 0, "rolling-back": 1, "rolled-back": 1} if back else {"finalized": 1, "rolled-back": 0}
        expected = {"released": 1, "attempt-started": 1, "target-moved": 1, "vote": 1} | ending
        assert {kind: kinds[kind] for kind in expected} == expected, lines
        self.nothing_lost()

    def nothing_lost(self) -> None:
        """Each signal of this release has its line, and only one."""
        events = self.ask("history", limit=300)["events"]
        told = Counter(event["why"] for event in events if event["kind"] in {"released", "vote", "signal"})
        assert {why: told[why] for why in self.acknowledged} == dict.fromkeys(self.acknowledged, 1)

    def _never_twice(self, *, back: bool) -> None:
        """Every replica was started once: each version by as many processes as it has replicas, and by no other."""
        assert not self.replicas.twice, self.replicas.twice
        assert len(self.replicas.seen[self.version]) <= COUNT, self.replicas.seen
        assert self.replicas.most[self.version] <= COUNT
        if not back:
            assert len(self.replicas.seen[self.version]) == COUNT, self.replicas.seen
        assert not self.load.failures, self.load.failures[:5]


class Hold:
    """A hold that is on its way, answered or not, when the engine is killed."""

    def __init__(self, life: Life, delay: float) -> None:
        self._life = life
        self._why = f"crash {life.kills + 1}"
        self._identity = uuid.uuid4().hex
        self._client = life.machine.client()
        self.answered = False
        self._thread = threading.Thread(target=self._send, args=(delay,))
        self._thread.start()

    def _send(self, delay: float) -> None:
        time.sleep(delay)
        with self._client as client, contextlib.suppress(ClientError):
            client.command("hold", {"target": WEB, "why": self._why}, request=self._identity)
            self.answered = True

    def check(self) -> None:
        """What was answered stands; then it is said again, as somebody does who got no answer, and withdrawn."""
        self._thread.join()
        held = self._life.machine.row(WEB)["held_by"]
        assert held or not self.answered, "a hold that was answered is gone"
        self._life.tell("hold", identity=self._identity, target=WEB, why=self._why)
        assert self._life.machine.row(WEB)["held_by"]
        self._life.tell("resume", target=WEB, why=f"after {self._why}")
