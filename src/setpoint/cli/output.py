"""The exit of the command line: text and data are printed here or on the consoles of ``render.console``, and nowhere else.

What programs, logs and people write reaches a terminal without escape sequences (``model.grammars.text``).
"""

from __future__ import annotations

import sys
from typing import Any

from setpoint.model.grammars.text import clean, escaped


def echo(text: str, *, err: bool = False) -> None:
    """Print text and a newline."""
    _write(f"{clean(text)}\n", err=err)


def echo_json(data: Any, *, indent: int | None = 2) -> None:
    """Print data as a JSON document and a newline."""
    import json  # noqa: PLC0415 - seldom needed

    echo_document(json.dumps(data, indent=indent, ensure_ascii=False))


def echo_document(json: str) -> None:
    """Print a JSON document and a newline."""
    _write(f"{escaped(json)}\n")


def echo_yaml(data: Any) -> None:
    """Print data as a YAML document."""
    text = _yaml(data, allow_unicode=True)
    _write(text if clean(text) == text else _yaml(data, allow_unicode=False))  # escaped where something is unsafe


def _yaml(data: Any, *, allow_unicode: bool) -> str:
    import io  # noqa: PLC0415 - seldom needed

    from ruamel.yaml import YAML  # noqa: PLC0415 - seldom needed, and slow to load

    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.allow_unicode = allow_unicode
    writer.dump(data, stream)
    return stream.getvalue()


def _write(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()
