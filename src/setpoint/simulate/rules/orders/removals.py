"""Removal: an instance that left the configuration starts nothing, and nothing is taken down without a request."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import Configured, Fact, Removed, TakenDown
from setpoint.core.instructions import Apply
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.step import Step
from setpoint.simulate.rules.registry import Complaint, rule


class Departures(FamilyLedger):
    """Whether the configuration has the instance, and whether what is left of it is to be taken down."""

    def __init__(self) -> None:
        self.number = 0
        self.down = False

    def take(self, fact: Fact) -> None:
        """The newest configuration counts."""
        match fact:
            case Removed(number=number, down=down) if number >= self.number:
                self.number, self.down = number, self.down or down
            case Configured(number=number) if number >= self.number:
                self.number, self.down = number, False
            case TakenDown():
                self.down = True
            case _:
                pass

    def write_down(self, step: Step) -> None:
        """An instance that comes back starts from nothing."""
        if step.before.removed and not step.after.removed:
            step.ledger.started.clear()


FAMILY_LEDGERS.append(Departures)


@rule("hands-off")
def left_alone(step: Step) -> Iterator[Complaint]:
    """Without configuration no rollout begins, and an apply is either its last rollout's or a requested removal."""
    requested = step.ledger.of(Departures).down
    if not step.after.removed:
        if any(given.down for given in step.turn.decision.instructions if isinstance(given, Apply)):
            yield "is configured, and yet taken down"
        return
    step.saw("hands-off")
    if step.forward:
        yield "has left the configuration, but a rollout began"
    for given in step.turn.decision.instructions:
        if isinstance(given, Apply) and given.down and not requested:
            yield "is taken down although no removal was requested"
        if isinstance(given, Apply) and not given.down and step.after.life.rollout is None:
            yield "has left the configuration, but is applied"
