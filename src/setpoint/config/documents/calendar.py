"""Calendar: when deployments may start."""

from __future__ import annotations

from setpoint.config.documents.base import Document
from setpoint.config.documents.gates import CalendarFields
from setpoint.config.values import Matching, Principal, Several


class Calendar(Document, CalendarFields):
    """Named windows, used by any gate."""

    when: Matching | None = None
    override: Several[Principal] | None = None
