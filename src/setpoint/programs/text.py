"""Turns what programs and servers write into one line that can be shown anywhere: printable, bounded, without secrets."""

from __future__ import annotations

import re

REASON_LENGTH = 300
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def printable(text: str, limit: int = REASON_LENGTH) -> str:
    """One line without terminal escapes and control characters; longer than ``limit`` characters is cut with an ellipsis."""
    plain = _ESCAPES.sub("", text[: 8 * limit])
    line = " ".join("".join(character if character.isprintable() else " " for character in plain).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def last_line(output: str) -> str:
    """The last line with something to read on it, made printable; empty if there is none."""
    for line in reversed(re.split(r"[\r\n]", output)):
        if shown := printable(line):
            return shown
    return ""
