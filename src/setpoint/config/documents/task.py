"""Task: a program with side effects that must succeed once in an attempt."""

from __future__ import annotations

from setpoint.config.documents.protection import Runnable
from setpoint.config.values import Boolean, Duration
from setpoint.model.time import MINUTE


class Task(Runnable):
    """As a Protection, but run once, not polled."""

    timeout: Duration = 10 * MINUTE
    once: Boolean = False
    """A try whose end nobody saw is not repeated: a person is asked."""
    irreversible: Boolean = False
    """Once it was started, nothing is rolled back past it by itself."""
