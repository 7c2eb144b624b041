"""Files and directories that a workload names: given to the adapter relative to the root, and stored with the version."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any

from setpoint.config.syntax import paths
from setpoint.config.syntax.yaml import place_of

PATHS: AnyMapping[str, tuple[str, ...]] = {
    "kubernetes": ("manifests", "kustomize"),
    "helm": ("chart", "valuesFiles"),
    "terraform": ("directory",),
}
"""Workload -> its fields that name files."""
MAY_BE_ELSEWHERE = frozenset({"chart"})
"""Fields that may also name something that is not a file."""


def named_files(
    kind: str, written: AnyMapping[str, Any], options: AnyMapping[str, Any], files: AnyMapping[str, bytes]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The options with paths relative to the root, and the files themselves.

    Raises:
        PathError: something is not there, or outside.
    """
    found: dict[str, bytes] = {}
    changed: dict[str, Any] = {}
    for field in PATHS.get(kind, ()):
        if field in options:
            changed[field], these = _each(field, written[field], options[field], files)
            found |= these
    return {**options, **changed}, found


def _each(field: str, written: Any, path: Any, files: AnyMapping[str, bytes]) -> tuple[Any, dict[str, bytes]]:
    if isinstance(path, list | tuple):
        pairs = [_each(field, one, resolved, files) for one, resolved in zip(written, path, strict=True)]
        return [one for one, _ in pairs], {name: content for _, these in pairs for name, content in these.items()}
    if "${" in path:
        return path, {}
    there = paths.beside(place_of(written).file, path)
    if there in files:
        return there, {there: files[there]}
    if field in MAY_BE_ELSEWHERE and not any(name.startswith(f"{there}/") for name in files):
        return path, {}
    return there, paths.below(files, there)


def static_part(path: str) -> str:
    """The directory above the first lookup of a path; the path itself where it has none."""
    before, lookup, _ = path.partition("${")
    return (before.rpartition("/")[0] or ".") if lookup else path
