"""Policy: gates from outside, which whoever owns an application cannot take away."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import ClassVar

from setpoint.config.documents.base import Document
from setpoint.config.documents.gates import Gated
from setpoint.config.values import Matching


class Policy(Document, Gated):
    """It only adds."""

    LATER: ClassVar[AnyMapping[str, str]] = {"notifications": "notifications"}
    select: Matching
