"""Parameters: what a release or a ``with`` gives, checked against what was declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setpoint.config.documents.parameters import Parameter
from setpoint.config.syntax.values import as_text, matches, plain
from setpoint.model.similar import listing, suggest
from setpoint.model.spec import Scalar


class ParameterError(ValueError):
    """A value that a declaration does not allow; the text is a sentence for people."""


def declared_values(
    declarations: Mapping[str, Parameter], given: Mapping[str, Any], what: str, *, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``given`` with defaults, each of its declared type.

    ``what`` names the map in messages; ``defaults`` have their lookups resolved.

    Raises:
        ParameterError: something is unknown, missing, or not allowed.
    """
    for name in given:
        if name not in declarations:
            hint = suggest(
                str(name), [str(known) for known in declarations], otherwise=f"Declared: {listing(declarations) or 'none'}."
            )
            raise ParameterError(f'"{name}" is not a parameter. {hint}')
    values = {
        str(name): value
        for name, declaration in declarations.items()
        if (value := _value(str(name), declaration, given, what, defaults)) is not None
    }
    return plain(values)  # type: ignore[no-any-return]  # a map stays a map


def _value(name: str, declaration: Parameter, given: Mapping[str, Any], what: str, defaults: Mapping[str, Any] | None) -> Any:
    if name in given and given[name] is not None:
        return typed(name, declaration, given[name])
    if declaration.required:
        raise ParameterError(f'the parameter "{name}" is required: give it in `{what}`.')
    default = declaration.default if defaults is None else defaults.get(name)
    return None if default is None else typed(name, declaration, default)


def typed(name: str, declaration: Parameter, value: Any) -> Scalar:
    """A value as the declaration wants it; a text that still holds lookups is taken as it is.

    Raises:
        ParameterError: it does not fit.
    """
    if value is None or isinstance(value, dict | list):
        raise ParameterError(f'the parameter "{name}" is one value, not a map or a list.')
    text = as_text(value)
    if isinstance(value, str) and "${" in value:
        return text
    result = _converted(name, str(declaration.type), text)
    allowed = [str(item) for item in declaration.values or ()]
    if allowed and text not in allowed:
        raise ParameterError(f'the parameter "{name}" may not be "{text}": {suggest(text, allowed)}')
    if declaration.pattern is not None and not matches(declaration.pattern, text):
        raise ParameterError(f'the parameter "{name}" may not be "{text}": it must match {declaration.pattern}')
    return result


def _converted(name: str, kind: str, text: str) -> Scalar:
    if kind == "text":
        return text
    if kind == "bool" and text in {"true", "false"}:
        return text == "true"
    if kind == "int" and text.removeprefix("-").isdecimal() and len(text) < 19:
        return int(text)
    wanted = "true or false" if kind == "bool" else "a whole number"
    raise ParameterError(f'the parameter "{name}" must be {wanted}, not "{text}".')
