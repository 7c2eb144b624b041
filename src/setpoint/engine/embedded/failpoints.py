"""Named points at which a test has this very process killed with SIGKILL, to see that nothing is lost.

``SETPOINT_FAILPOINT=name:count`` dies the ``count``-th time the point is reached; ``name/Kind:count`` counts only that kind of
instruction (``before-perform/Apply:1``). Without the variable a point costs one comparison.

| name | where |
|---|---|
| ``before-commit`` | turns are decided and written, the transaction is not committed |
| ``after-commit`` | the transaction is committed, nothing of it is performed |
| ``before-perform`` | an open operation is about to be performed |
| ``after-perform`` | the outside has been changed, the end is not posted |
| ``before-result`` | the result of an operation is about to be decided upon |
| ``after-result`` | the turn that took the result is committed, its instructions are not performed |
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

VARIABLE = "SETPOINT_FAILPOINT"
NAMES = ("before-commit", "after-commit", "before-perform", "after-perform", "before-result", "after-result")


class Failpoints:
    """At most one armed point. Raises ValueError for a name that does not exist, so that no test passes by a typing error."""

    def __init__(self, text: str = "") -> None:
        point, _, count = text.partition(":")
        self._name, _, self._kind = point.partition("/")
        self._left = int(count or "1")
        self.armed = bool(text)
        if self.armed and self._name not in NAMES:
            raise ValueError(f'{VARIABLE}: point "{self._name}" does not exist: expected one of {", ".join(NAMES)}')

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Failpoints:
        """Return what the environment arms."""
        return cls(environment.get(VARIABLE, ""))

    def hit(self, name: str, kind: str = "") -> None:
        """Die here if it is time to."""
        if not self.armed or name != self._name or (self._kind and kind != self._kind):
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
