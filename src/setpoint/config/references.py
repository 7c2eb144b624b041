"""Checks across documents: names that lead nowhere, circles, things that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping

from setpoint.config.catalog import Catalog
from setpoint.config.problems import Problems


def check_references(catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> None:
    """Mistakes go to ``problems``."""
