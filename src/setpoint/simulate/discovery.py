"""Packages that are registers: every module in them and in their subpackages registers its own part."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable


def find_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package by name, so that registration has the same order everywhere."""
    for module in sorted(found.name for found in pkgutil.walk_packages(path, f"{package}.")):
        importlib.import_module(module)
