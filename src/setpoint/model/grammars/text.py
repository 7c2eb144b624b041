"""Characters that a text from outside may not bring to a terminal: control characters, and those that change the direction of
writing.

Credentials are hidden from people who may see a check, but not what it logs in with:
``https://user:secret@host/path?token=abc`` becomes ``https://***@host/path?token=***``; of a map the values whose names show that
they are secret (``Authorization``, ``X-Api-Key``, ``db_password``) become ``***``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 with ESC, DEL, C1, bidirectional controls, line separators of Unicode, and halves of surrogate pairs."""
_BETWEEN_LINES = frozenset("\n\t")


def clean(text: str) -> str:
    """Return a text without unsafe characters; newlines and tabs stay."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in _BETWEEN_LINES else "", text)


def escaped(json: str) -> str:
    """Return a JSON document with unsafe characters escaped; newlines and tabs stay, which stand between its values."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in _BETWEEN_LINES else f"\\u{ord(match[0]):04x}", json)


# --- credentials ----------------------------------------------------------------------------------------------------------------

HIDDEN = "***"
_NAMES = (
    r"authorization|auth(?![a-z])|cookie|credential|passw(?:or)?d|passphrase|(?<![a-z])(?:pass|pwd|sig|jwt)(?![a-z])"
    r"|(?:private|access|api|encryption|signing|app|auth|master)[_-]?key|secret|token|signature"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_USER = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,31}://)[^/?#\s\"']{1,8192}@")
_PARAMETER = re.compile(
    rf"((?:[?&;#\s]|^|(?<!\S)--?)[A-Za-z0-9_.-]{{0,64}}(?:{_NAMES})[A-Za-z0-9_.-]{{0,64}}=)[^&;#\s\"']+", re.IGNORECASE
)


def without_credentials(value: Any) -> Any:
    """A JSON-like value, its credentials hidden wherever they stand in it."""
    if isinstance(value, str):
        return _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", value))
    if isinstance(value, Mapping):
        named = value.get("name") if "value" in value else ""
        return {key: _named(f"{named} {key}" if key == "value" else key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        pair = len(value) == 2 and isinstance(value[0], str)  # maps are lists of pairs in the canonical form of a state
        return (
            [without_credentials(value[0]), _named(value[0], value[1])] if pair else [without_credentials(item) for item in value]
        )
    return value


def _named(name: Any, value: Any) -> Any:
    secret = isinstance(value, str | int | float) and not isinstance(value, bool) and value and _SECRET_NAME.search(str(name))
    return HIDDEN if secret else without_credentials(value)
