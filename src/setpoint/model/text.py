"""Characters that a text from outside may not bring to a terminal: control characters, and those that change the direction of
writing.
"""

from __future__ import annotations

import re

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 with ESC, DEL, C1, bidirectional controls, line separators of Unicode, and halves of surrogate pairs."""
_BETWEEN_LINES = frozenset("\n\t")


def clean(text: str) -> str:
    """Return a text without unsafe characters; newlines and tabs stay."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in _BETWEEN_LINES else "", text)


def escaped(json: str) -> str:
    """Return a JSON document with unsafe characters escaped; newlines and tabs stay, which stand between its values."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in _BETWEEN_LINES else f"\\u{ord(match[0]):04x}", json)
