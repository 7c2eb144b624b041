"""Instances of one release that move as one: the set, and one of its members."""

from __future__ import annotations

from typing import Any, Self

from tests.core.dsl.actor import Actor
from tests.core.dsl.builders import NAME
from tests.core.dsl.instance import Instance

from setpoint.core.facts import (
    AnyFact,
    Fact,
    MemberState,
    Need,
    SetFormed,
    SetStage,
    SetStatus,
    SetVote,
)
from setpoint.core.sets import SetState

SET = "set:app/production#2"
A, B, C = "app/a@production", "app/b@production", "app/c@production"
LEASE = Need("lease:runtime:local", 1)


class Set(Actor[SetState]):
    """The set, and votes of its members in words: ``both.vote("ready", A)``."""

    def __init__(self, *members: str, after: dict[str, tuple[str, ...]] | None = None) -> None:
        super().__init__(SET, SetState)
        self.numbers: dict[str, int] = {}
        self.receive(SetFormed(release=2, members=members or (A, B), after=after or {}))

    def vote(self, state: str, *members: str, number: int = 0, **more: Any) -> Self:
        epoch = {"epoch": more.pop("epoch", self.epoch)} if state in {"ready", "locked"} else {}
        for member in members or (A, B):
            self.numbers[member] = number or self.numbers.get(member, 0) + 1
            reason = more.get("reason", f"is {state}")
            rest = {**epoch, **more, "reason": reason}
            self.receive(SetVote(member=member, number=self.numbers[member], state=MemberState(state), **rest))
        return self

    def gone(self) -> Self:
        return self.vote("ready").vote("locked").vote("started")

    @property
    def status(self) -> SetStatus:
        assert self.state.status
        return self.state.status

    @property
    def epoch(self) -> int:
        return self.maybe_state.epoch if self.maybe_state else 1

    @property
    def facts(self) -> list[Fact]:
        """What its last turn sent."""
        return self.sent(Fact)

    @property
    def stage(self) -> str:
        return self.status.stage


class Member(Instance):
    """An instance that is a member, and what its set publishes: ``web.set_is("gathering")``."""

    def __init__(self, **policy: Any) -> None:
        super().__init__(**policy)
        self.status_number = 0
        self.votes_given: list[SetVote] = []

    def _turn(self, facts: tuple[AnyFact, ...]) -> None:
        super()._turn(facts)
        self.votes_given = [*getattr(self, "votes_given", []), *self.sent(SetVote)]

    def set_is(self, stage: str, *, start: tuple[str, ...] = (NAME,), epoch: int = 1, number: int = 0, **more: Any) -> Self:
        self.status_number = number or self.status_number + 1
        if stage in {"going", "finalizing"}:
            more.setdefault("went", (NAME, B))
        self.receive(SetStatus(set=SET, number=self.status_number, epoch=epoch, stage=SetStage(stage), start=start, **more))
        return self

    @property
    def vote_given(self) -> str:
        return self.votes_given[-1].state if self.votes_given else ""

    def member(self, name: str = "1.1", **more: Any) -> Self:
        self.offer(2, name, set=SET, **more)
        return self
