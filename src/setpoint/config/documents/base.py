"""What every map of a document has in common: camelCase keys, unknown ones refused with a suggestion, later ones as such."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from setpoint.config.syntax.values import (
    Constant,
    Label,
    MapOf,
    Name,
    Prose,
    Reads,
    Text,
    Url,
    describe,
    fault,
    is_secret,
    read_secret,
    read_template,
    read_text,
)
from setpoint.config.syntax.yaml import Mapping, Scalar, Sequence, place_of
from setpoint.model.similar import suggest

RESERVED_LABELS = ("application", "channel", "group", "service", "runtime")


SYNONYMS = {
    "checks": "protections",
    "cmd": "command",
    "cron": "rrule",
    "dependsOn": "after",
    "environment": "env",
    "environments": "channels",
    "gates": "protections",
    "needs": "after",
    "schedule": "cadence",
    "stages": "channels",
    "variables": "constants",
    "vars": "constants",
}
"""What other tools call it."""


class Stray(NamedTuple):
    """A key that does not belong where it stands. Models gather them in the validation context and go on without."""

    parent: Mapping
    key: str
    code: str
    message: str
    hint: str


class Node(BaseModel):
    """A map with known keys. A key of ``LATER`` is refused as one that this version does not have yet."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, arbitrary_types_allowed=True)
    LATER: ClassVar[AnyMapping[str, str]] = {}
    """Key -> what it will be for, in words that follow "this version has no …"."""
    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ()
    """JSON Schemas of what is short for the map."""

    @classmethod
    def title(cls) -> str:
        """What people call it, as in the JSON Schema: its kind where it is a document."""
        return cls.__name__.removesuffix("Document").removesuffix("Block")

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """The map that a scalar is short for, if it is."""
        del scalar
        return None

    @classmethod
    def listed(cls, items: Sequence) -> Any:
        """The map that a list is short for, or the list."""
        return items

    @classmethod
    def written_keys(cls) -> list[str]:
        """Every key that may be written."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _as_map(cls, node: Any, info: ValidationInfo) -> Any:
        if isinstance(node, Scalar):
            node = cls._expanded(node)
        if isinstance(node, Sequence):
            node = cls.listed(node)
        if type(node) is dict:
            node = Mapping(node, position=place_of(node))
        if not isinstance(node, Mapping):
            raise fault(
                "expected-map",
                f"expected a map, found {describe(node)}.",
                f"It has the keys {', '.join(cls.written_keys()[:8])}.",
            )
        known = cls.written_keys()
        strays = [key for key in node if key not in known and not cls.ignores(key)]
        if isinstance(info.context, list):
            info.context.extend(Stray(node, key, *cls._stray(key)) for key in strays)
        return Mapping({key: value for key, value in node.items() if key in known}, position=place_of(node))

    @classmethod
    def _expanded(cls, scalar: Scalar) -> Any:
        if scalar.null:
            return Mapping(position=scalar.position)
        fields = cls.short(scalar)
        return scalar if fields is None else Mapping(fields, position=scalar.position)

    @classmethod
    def ignores(cls, key: str) -> bool:
        """Whether a key is passed over in silence."""
        del key
        return False

    @classmethod
    def _stray(cls, key: str) -> tuple[str, str, str]:
        if key in cls.LATER:
            return "later", f"this version has no {cls.LATER[key]} yet (`{key}`).", "Leave it out for now."
        if "=" in key or key.startswith("!") or key.endswith(")"):
            return (
                "unquoted-selector",
                f'"{key}" looks like the rest of a selector that a comma cut off.',
                "Quote the whole selector: inside {…} a comma ends a value.",
            )
        known = cls.written_keys()
        same = SYNONYMS.get(key, "")
        return "unknown-key", f"unknown key `{key}`.", f'Did you mean "{same}"?' if same in known else suggest(key, known)


def _read_label_key(node: Any) -> Scalar:
    if node in RESERVED_LABELS:
        raise fault(
            "reserved-label", f'the label "{node}" is set by Setpoint on everything.', "Choose another name for this label."
        )
    return read_text(node)


def _read_env_name(node: Any) -> Scalar:
    text = read_text(node)
    if not text or "=" in text:
        raise fault(
            "bad-env",
            f"{describe(text)} cannot be the name of an environment variable.",
            "Use letters, digits and underscores, such as DATABASE_URL.",
        )
    if text.startswith("SETPOINT_"):
        raise fault("bad-env", f"{describe(text)} is for Setpoint to set.", "Choose a name that does not start with SETPOINT_.")
    return text


def _read_env_value(node: Any) -> Scalar | Mapping | None:
    if is_secret(node):
        return read_secret(node)
    return None if isinstance(node, Scalar) and node.null else read_template(node)


LabelKey = Annotated[str, Reads(_read_label_key, {"type": "string"})]
EnvName = Annotated[str, Reads(_read_env_name, {"type": "string"})]
EnvValue = Annotated[str | Mapping | None, Reads(_read_env_value, {"type": ["string", "number", "boolean", "null", "object"]})]
Environment = MapOf[EnvName, EnvValue]
"""None removes what a wider node set."""
Constants = MapOf[Text, Constant]


class Labelled(Node):
    """The keys that every kind takes, and channels in place."""

    name: Name
    description: Prose | None = None
    labels: MapOf[LabelKey, Label] = Field(default_factory=dict)
    links: MapOf[Text, Url] = Field(default_factory=dict)

    @classmethod
    def ignores(cls, key: str) -> bool:
        """Top-level keys that start with ``x-`` are a place for YAML anchors."""
        return key.startswith("x-")


class Document(Labelled):
    """What stands on its own between ``---``."""

    api_version: Text | None = None
    kind: Text
