"""How a scalar becomes a value: the field decides the type, not the look.

Each type here is an annotation for pydantic: it reads a node of the tree, raises a ``Fault`` that has what to write instead,
and knows its JSON Schema. Texts stay a ``Scalar`` (:mod:`~setpoint.config.syntax.yaml`), so that later steps know their position.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, SchemaError, SchemaValidator, ValidationError, core_schema

from setpoint.config.problems import Position
from setpoint.config.syntax.yaml import Mapping, Scalar, Sequence, place_of
from setpoint.model.calendars.zones import zone_names
from setpoint.model.grammars.selector import Selector, parse_selector
from setpoint.model.grammars.text import without_credentials
from setpoint.model.similar import suggest
from setpoint.model.time import parse_duration

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
NAME_RULE = "Names are lower-case letters, digits and hyphens, start with a letter and have at most 63 characters."


def fault(code: str, message: str, hint: str, *, key: str | int | None = None) -> PydanticCustomError:
    """An error at the node being read, or at ``key`` inside of it."""
    context = {"message": message, "hint": hint, "key": key}
    return PydanticCustomError(code, "{message}", context)


@dataclass(frozen=True)
class Reads:
    """Annotation: reads a node with ``read``; ``schema`` describes for editors what may be written."""

    read: Callable[[Any], Any]
    schema: AnyMapping[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


class OneOrMany:
    """Annotation of a list: a single element may stand for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many.get("items", {}), many]}


class EmptyMap:
    """Annotation of a map: it may be left empty."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_map, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "null"}]}


T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
MapOf = Annotated[dict[K, V], EmptyMap()]
Several = Annotated[tuple[T, ...], OneOrMany()]


def _as_list(node: Any) -> Any:
    if isinstance(node, Scalar) and node.null:
        raise fault("null", "nothing is written here.", "Write a list, `[]` for an empty one, or leave the key out.")
    if isinstance(node, Scalar | Mapping):
        return Sequence([node], position=node.position)
    return node


def _as_map(node: Any) -> Any:
    if isinstance(node, Scalar) and node.null:
        return Mapping(position=node.position)
    if not isinstance(node, dict):
        raise fault("expected-map", f"expected a map, found {describe(node)}.", "Write keys and values, such as `{key: value}`.")
    return node


def describe(node: Any) -> str:
    """What a node is, for people."""
    if isinstance(node, AnyMapping):
        return "a map"
    if isinstance(node, list | tuple):
        return "a list"
    if isinstance(node, Scalar) and node.null:
        return "nothing"
    return f'"{_short(without_credentials(str(node)))}"'


def describe_address(text: str) -> str:
    """As ``describe``, for what was to be a URL: what stands before an @ may be a password, however it is written."""
    return describe(text.rpartition("@")[2])


def _short(text: str) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= 60 else line[:57] + "..."


def scalar(node: Any, wanted: str) -> Scalar:
    """The node itself if it is a text that is there.

    Raises:
        PydanticCustomError: it is null, a map or a list.
    """
    if is_secret(node):
        raise fault(
            "secret-not-here",
            f"a secret cannot stand here: expected {wanted}.",
            "Give it in `env`, or in the arguments of `with`.",
        )
    if isinstance(node, str | int | float) and not isinstance(node, Scalar | bool):
        node = Scalar.of(str(node), place_of(node))
    if not isinstance(node, Scalar):
        raise fault("expected-text", f"expected {wanted}, found {describe(node)}.", f"Write {wanted} here.")
    if node.null:
        raise fault("null", f"expected {wanted}, found nothing.", 'Write a value, "" for an empty text, or leave the key out.')
    return node


def is_secret(node: Any) -> bool:
    """Whether a value is a reference to a secret, ``{secret: name}`` or ``{secret: name, store: vault}``."""
    return isinstance(node, AnyMapping) and set(node) <= {"secret", "store"} and "secret" in node


def read_secret(node: Any) -> Mapping:
    """The reference: only its name ever leaves here, never what it stands for."""
    name, store = scalar(node["secret"], "the name of a secret"), node.get("store")
    if not name:
        raise fault("bad-secret", "the secret has no name.", "Write such as `{secret: database-url}`.", key="secret")
    found = {"secret": name} | ({} if store is None else {"store": read_name(store)})
    return Mapping(found, position=place_of(node))


def read_constant(node: Any) -> Any:
    """As ``read_any``, without secrets: constants are put into texts, which are shown."""
    if is_secret(node):
        raise fault("secret-not-here", "a constant cannot be a secret: it is put into texts that are shown.", "Give it in `env`.")
    if isinstance(node, AnyMapping):
        return Mapping({key: read_constant(value) for key, value in node.items()}, position=place_of(node))
    if isinstance(node, list | tuple):
        return Sequence([read_constant(item) for item in node], position=place_of(node))
    return read_any(node)


def read_template(node: Any) -> Scalar:
    """A text that may look things up."""
    return scalar(node, "text")


def read_text(node: Any) -> Scalar:
    """A text that looks nothing up."""
    text = scalar(node, "text")
    if "${" in text.replace("$${", ""):
        raise fault("lookup-not-here", f"this field looks nothing up, but has {describe(text)}.", "Write the value itself.")
    return text


def read_prose(node: Any) -> Scalar:
    """A text for people."""
    return scalar(node, "text")


def read_name(node: Any) -> Scalar:
    """A name as everything here is named."""
    text = scalar(node, "a name")
    if not NAME.fullmatch(text):
        guess = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63]
        hint = f'{NAME_RULE} For example "{guess}".' if NAME.fullmatch(guess) else NAME_RULE
        raise fault("bad-name", f"{describe(text)} is not a valid name.", hint)
    return text


def read_integer(node: Any) -> int:
    """A whole number from 0 on."""
    text = scalar(node, "a whole number")
    _not_beyond(text, "bad-integer")
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise fault("bad-integer", f"{describe(text)} is not a whole number.", "Write digits only, such as 3.")
    return int(text)


def _not_beyond(text: str, code: str) -> None:
    """A number out of bounds is reported as that, and not as malformed."""
    if re.fullmatch(r"-[0-9]+%?", text):
        raise fault(code, f"{describe(text)} is below 0.", "Write a number from 0.")
    if re.fullmatch(r"[0-9]{10,}", text):
        raise fault(code, f"{describe(text)} is above 999,999,999.", "Write a smaller number.")
    if re.fullmatch(r"[0-9]+%", text) and int(text[:-1]) > 100:
        raise fault(code, f"{describe(text)} is above 100%.", "Write a percentage from 0% to 100%.")


def read_boolean(node: Any) -> bool:
    """``true`` or ``false``."""
    text = scalar(node, "true or false")
    if text not in {"true", "false", "True", "False", "TRUE", "FALSE"}:
        raise fault("bad-boolean", f"{describe(text)} is neither true nor false.", "Write true or false.")
    return text.lower() == "true"


def read_duration(node: Any) -> int:
    """A duration in milliseconds."""
    text = scalar(node, "a duration")
    if text.startswith("-") and text[1:2].isdigit():
        raise fault("bad-duration", f"{describe(text)} is below 0.", 'Write one from 0, such as "90s" or "1d12h".')
    try:
        return parse_duration(text)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        raise fault("bad-duration", message + ".", _sentence(hint) or 'Write one such as "90s" or "1d12h".') from None


def read_amount(node: Any) -> int | str:
    """A count, or a percentage as it was written."""
    text = scalar(node, "an amount")
    _not_beyond(text, "bad-amount")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    if re.fullmatch(r"[0-9]{1,3}%", text) and int(text[:-1]) <= 100:
        return str(text)
    raise fault(
        "bad-amount",
        f"{describe(text)} is not a valid amount.",
        "Write a whole number such as 2, or a percentage from 0% to 100%.",
    )


def read_selector(node: Any) -> Selector:
    """A selector, parsed."""
    text = scalar(node, "a selector")
    try:
        return parse_selector(text)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        default = "Write terms such as `env=production, !exempt` or `ring in (a, b)`; `|` is or."
        raise fault(
            "bad-selector", message + ".", _sentence(hint) if "write" in hint else f"{_sentence(hint)} {default}".strip()
        ) from None


def read_zone(node: Any) -> Scalar:
    """A time zone of the IANA data that come with Setpoint."""
    text = scalar(node, "a time zone")
    if text not in zone_names():
        raise fault(
            "unknown-timezone",
            f"{describe(text)} is not a valid time zone.",
            _zone_hint(text),
        )
    return text


def _zone_hint(text: str) -> str:
    otherwise = 'Write an IANA name such as "Europe/Berlin" or "UTC".'
    place = re.sub(r"[^a-z]+", "_", text.lower())
    same = sorted(zone for zone in zone_names() if zone.lower() == text.lower() or zone.rpartition("/")[2].lower() == place)
    if same:
        return f'Did you mean "{same[0]}"?'
    return suggest(text, zone_names(), otherwise=otherwise) if "/" in text else otherwise


def read_pattern(node: Any) -> Scalar:
    """Read a regular expression in the syntax of Rust's regex."""
    text = scalar(node, "a pattern")
    try:
        _compiled(text)
        _whole(text)
    except SchemaError as error:
        reason = str(error).rpartition("error: ")[2].strip().rstrip(".")
        raise fault(
            "bad-pattern",
            f"{describe(text)} is not a valid regular expression: {reason}.",
            "Write it without look-around and back-references, so that matching takes linear time.",
        ) from None
    return text


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern that ``read_pattern`` accepted matches a whole text, in linear time."""
    try:
        _whole(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


def _whole(pattern: str) -> SchemaValidator:
    return _compiled(rf"\A(?:{pattern})\z")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator:
    """Return the validator of texts in which a pattern of Rust's regex occurs. Raises SchemaError."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True))


def read_principal(node: Any) -> Scalar:
    """``user:``, ``group:``, ``role:`` or ``email:``; what follows may look things up."""
    text = scalar(node, "a person or group")
    kind, colon, value = text.partition(":")
    if kind not in {"user", "group", "role", "email"} or not colon or not value.strip():
        raise fault(
            "bad-principal",
            f"{describe(text)} is not a valid principal.",
            f'Write "user:{value or text}", "group:{value or text}" or "email:ops@example.org".',
        )
    if kind == "email" and "${" not in value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise fault("bad-principal", f'"{value}" is not a valid e-mail address.', 'Write one such as "email:ops@acme.example".')
    return text


def read_url(node: Any) -> Scalar:
    """An address of the web."""
    text = scalar(node, "a URL")
    if "${" not in text and not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise fault(
            "bad-url", f"{describe_address(text)} is not a valid URL.", 'Write one that starts with "https://" or "http://".'
        )
    return text


def read_label(node: Any) -> Scalar:
    """A label's value: what a selector could ask for."""
    text = read_text(node)
    if not re.fullmatch(r"[A-Za-z0-9._@+-]{0,253}", text):
        raise fault(
            "bad-label",
            f"{describe(text)} cannot be a label's value.",
            "Use letters, digits and . _ - @ + only, so that selectors can name it.",
        )
    return text


def choice(*allowed: str, later: tuple[str, ...] = ()) -> Reads:
    """One of fixed words; words of ``later`` are refused as such."""

    def read(node: Any) -> Scalar:
        text = scalar(node, " or ".join(allowed))
        if text in later:
            raise fault("later", f'this version has no "{text}" yet.', f"There is: {', '.join(allowed)}.")
        if text not in allowed:
            raise fault("bad-choice", f"{describe(text)} is not among {', '.join(allowed)}.", suggest(text, allowed))
        return text

    return Reads(read, {"enum": list(allowed)})


class Number(float):
    """A number that keeps the characters it was written with when it is put into a text."""

    __slots__ = ("position", "text")
    position: Position
    text: str

    def __str__(self) -> str:
        return self.text


class Whole(int):
    """The same for whole numbers."""

    position: Position
    text: str

    def __str__(self) -> str:
        return self.text


_LONGEST_NUMBER = 40
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def read_any(node: Any) -> Any:
    """A value whose form decides its type, as in YAML 1.2's core schema."""
    if is_secret(node):
        return read_secret(node)
    if isinstance(node, AnyMapping):
        return Mapping({key: read_any(value) for key, value in node.items()}, position=place_of(node))
    if isinstance(node, list | tuple):
        return Sequence([read_any(item) for item in node], position=place_of(node))
    return core_value(node) if isinstance(node, Scalar) else node


def core_value(text: Scalar) -> Any:
    """A scalar as YAML 1.2's core schema reads it; numbers keep their characters."""
    if not text.plain:
        return text
    if text.null:
        return None
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    number: Whole | Number
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        number = Whole(text)
    elif _BASED.fullmatch(text):
        number = Whole(int(text, 0))
    elif _FLOAT.fullmatch(text):
        number = Number(text)
    else:
        return text
    if abs(number) >= (1 << 63 if isinstance(number, int) else float("inf")):
        return text  # beyond what JSON carries: its characters are all there is
    number.text, number.position = str.__str__(text), text.position
    return number


def plain(value: Any) -> Any:
    """A value without the places it came from: only text, numbers, booleans, null, lists and maps."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value) if type(value) is str else "".join(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, AnyMapping):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value]


def as_text(value: Any) -> str:
    """The characters of a scalar value, as they are put into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, str) else str(value)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith(".") else ".")


_TEXTUAL = {"type": ["string", "number", "boolean"]}
Text = Annotated[str, Reads(read_text, _TEXTUAL)]
Template = Annotated[str, Reads(read_template, _TEXTUAL)]
Prose = Annotated[str, Reads(read_prose, _TEXTUAL)]
Name = Annotated[str, Reads(read_name, {"type": "string", "pattern": f"^{NAME.pattern}$"})]
Integer = Annotated[int, Reads(read_integer, {"type": "integer", "minimum": 0})]
Boolean = Annotated[bool, Reads(read_boolean, {"type": "boolean"})]
Duration = Annotated[int, Reads(read_duration, {"type": ["string", "integer"], "examples": ["90s", "1d12h"]})]
Amount = Annotated[
    int | str, Reads(read_amount, {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,3}%$"}]})
]
Matching = Annotated[Selector, Reads(read_selector, {"type": "string"})]
Zone = Annotated[str, Reads(read_zone, {"type": "string", "examples": ["Europe/Berlin"]})]
Pattern = Annotated[str, Reads(read_pattern, {"type": "string"})]
Principal = Annotated[str, Reads(read_principal, {"type": "string", "pattern": "^(user|group|role|email):"})]
Url = Annotated[str, Reads(read_url, {"type": "string"})]
Label = Annotated[str, Reads(read_label, _TEXTUAL)]
Anything = Annotated[Any, Reads(read_any, {})]
Constant = Annotated[Any, Reads(read_constant, {})]
