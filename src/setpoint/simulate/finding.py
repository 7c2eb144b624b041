"""Packages that are registers: every file in them adds its own part."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable


def find_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, by name, so that what they register is registered in the same order everywhere."""
    for module in sorted(found.name for found in pkgutil.iter_modules(path)):
        importlib.import_module(f"{package}.{module}")
