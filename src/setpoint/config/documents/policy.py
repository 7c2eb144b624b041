"""Policy: gates from outside, which whoever owns an application cannot take away."""

from __future__ import annotations

from setpoint.config.documents.base import Document
from setpoint.config.documents.declared import Notification
from setpoint.config.documents.gates import Gated
from setpoint.config.values import Matching, Several


class Policy(Document, Gated):
    """It only adds."""

    select: Matching
    notifications: Several[Notification] = ()
