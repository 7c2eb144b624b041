"""Values with their credentials blotted out: for whoever may see what a check is, and not what it logs in with.

``https://user:secret@host/path?token=abc`` becomes ``https://***@host/path?token=***``; of a map the values whose names tell that
they are secret (``Authorization``, ``X-Api-Key``, ``db_password``) become ``***``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
_NAMES = r"authorization|cookie|credential|passw(?:or)?d|passphrase|private[_-]?key|secret|token|api[_-]?key|signature"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_USER = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,31}://)[^/?#\s@\"']{1,512}@")
_PARAMETER = re.compile(rf"([?&;][A-Za-z0-9_.-]{{0,64}}(?:{_NAMES})[A-Za-z0-9_.-]{{0,64}}=)[^&;#\s\"']+", re.IGNORECASE)


def without_credentials(value: Any) -> Any:
    """A JSON-like value, its credentials hidden wherever they stand in it."""
    if isinstance(value, str):
        return _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", value))
    if isinstance(value, Mapping):
        return {key: _named(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        pair = len(value) == 2 and isinstance(value[0], str)  # maps are lists of pairs in the canonical form of a state
        return (
            [without_credentials(value[0]), _named(value[0], value[1])] if pair else [without_credentials(item) for item in value]
        )
    return value


def _named(name: Any, value: Any) -> Any:
    secret = isinstance(value, str) and value and _SECRET_NAME.search(str(name))
    return HIDDEN if secret else without_credentials(value)
