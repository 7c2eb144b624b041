"""Where the core and the model are known to differ: one smallest path for each reason, and which of the two the law agrees with.

The recorder records these paths beside the others, and keeps its random walks away from such states. The test requires that each
path still differs in just this way: remove an entry when its difference is gone, and record again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Act = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A path whose last act leads the core to another state than the model."""

    scenario: str
    acts: tuple[Act, ...]
    core: dict[str, list[Any]]
    """The channels in which the core differs, as in a recorded path: target, good, whether a rollout is under way, pin."""
    why: str
    exact: bool = True
    """Whether it is still there when the recorder corrects what the model gets wrong of pins, trains and skips (``lawful``)."""


def _act(act: str, release: int = 0, at: str = "", **more: Any) -> Act:
    return {"act": act} | ({"at": at} if at else {}) | ({"release": release} if release else {}) | more


def _finalize(*channels: str) -> tuple[Act, ...]:
    return tuple(_act("finalize", at=channel) for channel in channels)


FIRST, SECOND, THIRD, FOURTH = (_act("release", number) for number in (1, 2, 3, 4))
R1, R2 = (_act("apply", revision=number) for number in (1, 2))

KNOWN = {
    "pin-waits": Difference(
        "pin/unpin",
        (FIRST, *_finalize("S", "P"), SECOND, _act("pin", 2, "P"), R1, *_finalize("S")),
        {"P": [[2, 0], [1, 0], True, 2]},
        "The core is right. Of a pin's configurations goes the newest that is most ready (§10.1 Chosen); the model waits "
        "for the newest one.",
        exact=False,
    ),
    "skip-of-an-attempt": Difference(
        "2 acts: reject and skip",
        (FIRST, _act("approve", 1, "U"), R1, _act("skip", at="U", pair=[1, 1])),
        {"U": [[1, 0], None, True]},
        "The core is right. A skip is for one release (§7), and an attempt needs what each of its two releases needs "
        "(§10.1 Gated): with both skipped, release 1 may come in its own configuration, too. The model skips one attempt "
        "and no other.",
        exact=False,
    ),
    "bad-without-rollback": Difference(
        "bad, no rollback",
        (FIRST, *_finalize("S", "X"), SECOND, *_finalize("S"), _act("mark-bad", 2)),
        {"X": [[2, 0], [1, 0]]},
        "The core is right. Marking a version bad fails a rollout of it (§3 Bad), and where automatic rollback is "
        "disabled target stays when a rollout fails (§5). The model goes back.",
    ),
    "stopped-by-what-cannot-come": Difference(
        "trains, rollback by hand",
        (
            *(FIRST, *_finalize("S", "E"), SECOND, R1, *_finalize("S", "E"), _act("fail", at="S")),
            *(_act("roll-back", at="E", pair=[1, 0]), FOURTH, *_finalize("S", "E")),
        ),
        {"E": [[4, 1], [1, 1], True]},
        "The core is right. Release 2 was rolled back by hand, which stops the train; but the earlier channel failed at "
        "it in the only configuration that may bring it and went past it, so it drops out (§10.1 Chosen). In the model it "
        "stops the train all the same.",
    ),
    "stopped-further-on": Difference(
        "train, 3 versions, pin, fail",
        (
            *(FIRST, *_finalize("S"), SECOND, R1, *_finalize("E"), FOURTH, _act("pin", 4, "E"), *_finalize("S", "S")),
            *(_act("unpin", at="E"), _act("fail", at="E")),
        ),
        {"E": [[2, 1], [1, 0], True]},
        "The core is right. A vetoed version stops a train when it is the next one (§3 Strategies); release 4 failed as a pin, "
        "and release 2 is next. In the model a veto of any newer version stops the train.",
    ),
    "train-after-a-pin": Difference(
        "train, 3 versions, pin, fail",
        (
            *(FIRST, *_finalize("S", "E"), SECOND, *_finalize("S", "E"), _act("pin", 1, "E"), *_finalize("E"), THIRD),
            _act("unpin", at="E"),
        ),
        {"E": [[2, 0], [1, 0], True]},
        "The core is right. After an unpin the frontier is the next one of a train (§10.11). The model waits for what is "
        "newer than the frontier.",
        exact=False,
    ),
    "pin-lifts-a-veto": Difference(
        "written acts: pin, unpin, fail, hand",
        (
            *(FIRST, *_finalize("S"), SECOND, *_finalize("S"), _act("pin", 1, "S"), *_finalize("P"), _act("unpin", at="S")),
            *(_act("fail", at="S"), _act("pin", 1, "S")),
        ),
        {"S": [[1, 0], [2, 0], True, 1]},
        "The core is right. A pin ends the veto of its version (§3 Veto). The model keeps it.",
    ),
    "pin-in-an-older-configuration": Difference(
        "pin, fail",
        (
            *(FIRST, *_finalize("S"), R1, *_finalize("S"), R2, FOURTH, _act("fail", at="S"), *_finalize("S", "P", "P")),
            _act("pin", 1, "P"),
        ),
        {"P": [[1, 0], [4, 2], True, 1]},
        "The law is silent. No configuration is older than that of good (§10.1 Chosen); whether that binds a pin is left "
        "open. The model takes the newest older one that is ready, R1; the core takes R0, since it has dropped release 1 "
        "in R1.",
    ),
}
