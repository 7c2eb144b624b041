"""Reads the options of built-ins and reports what is wrong with them in sentences that name the field.

Values may be texts that still hold lookups (``${…}``): those are taken for what they should be.
"""

from __future__ import annotations

from typing import Any

from setpoint.model.similar import closest


def unresolved(value: object) -> bool:
    """Whether a value cannot be judged yet, because it still holds a lookup."""
    return isinstance(value, str) and "${" in value


class Options:
    """One reading of a map of options; ``wrong`` gathers the sentences. The readers return a usable value or the default."""

    def __init__(self, options: dict[str, Any], known: set[str]) -> None:
        self.options = options
        self.wrong: list[str] = []
        for name in options:
            if name not in known:
                self.wrong.append(_unknown(str(name), known))

    def _value(self, name: str, required: bool) -> Any:
        value = self.options.get(name)
        if required and (value is None or value == ""):
            self.wrong.append(f"{name} is missing")
        return value

    def text(self, name: str, default: str = "", *, required: bool = False, among: tuple[str, ...] = ()) -> str:
        """A text, one of ``among`` if given; numbers and flags are taken as YAML writes them."""
        value = self._value(name, required)
        if value is None or unresolved(value):
            return default if value is None else str(value)
        value = as_text(value) if isinstance(value, bool | int | float) else value
        if not isinstance(value, str):
            self.wrong.append(f"{name} must be text, not {_kind(value)}")
            return default
        if among and value not in among:
            self.wrong.append(f'{name} is "{value}": write {" or ".join(among)}')
        return value

    def url(self, name: str, *, required: bool = False) -> str:
        """An http or https address."""
        value = self.text(name, required=required)
        if value and not unresolved(value) and not value.startswith(("http://", "https://")):
            self.wrong.append(f"{name} must begin with http:// or https://")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.options.get(name)
        if value is None or unresolved(value):
            return default
        if not isinstance(value, bool):
            self.wrong.append(f"{name} must be true or false, not {_kind(value)}")
            return default
        return value

    def number(self, name: str) -> float | None:
        """A number; None if absent."""
        value = self.options.get(name)
        if value is None or unresolved(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong.append(f"{name} must be a number, not {_kind(value)}")
            return None
        return value

    def mapping(self, name: str) -> dict[str, str]:
        """Names to texts; numbers and flags are written as YAML would."""
        value = self.options.get(name)
        if value is None or unresolved(value):
            return {}
        if not isinstance(value, dict):
            self.wrong.append(f"{name} must be a map, not {_kind(value)}")
            return {}
        for key, item in value.items():
            if isinstance(item, dict | list) or item is None:
                self.wrong.append(f"{name}.{key} must be text, not {_kind(item)}")
        return {str(key): as_text(item) for key, item in value.items()}

    def command(self, name: str, *, required: bool = False) -> None:
        """An argv list."""
        value = self._value(name, required)
        if value is None or unresolved(value):
            return
        if not isinstance(value, list):
            self.wrong.append(f"{name} must be a list of arguments such as [./check, --now]: no shell splits it")
        elif not value or not as_text(value[0]):
            self.wrong.append(f"{name} names no program")
        for place, argument in enumerate(value if isinstance(value, list) else []):
            if isinstance(argument, dict | list) or argument is None:
                self.wrong.append(f"{name}[{place}] must be text, not {_kind(argument)}")
            elif "\0" in str(argument):
                self.wrong.append(f"{name}[{place}] contains a NUL character")

    def directory(self, name: str) -> None:
        """An absolute path."""
        value = self.text(name)
        if value and not unresolved(value) and not value.startswith("/"):
            self.wrong.append(f"{name} must be an absolute path")


def as_text(value: object) -> str:
    """A scalar as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: "a map",
        list: "a list",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def _unknown(name: str, known: set[str]) -> str:
    close = closest(name, known)
    return f"{name} is unknown" + (f": did you mean {close}?" if close else f": there is {', '.join(sorted(known))}")
