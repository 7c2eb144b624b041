"""The JSON Schema of documents, for editors: every kind of this version, short forms included."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import CoreModeRef, CoreRef, DefsRef, GenerateJsonSchema, models_json_schema

from setpoint.config.documents import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CLASS_SUFFIX = re.compile(r"(?<=\w)(?:Document|Block)(?=:)")


def json_schema() -> dict[str, Any]:
    """One schema for a document of any kind; ``kind`` selects which applies."""
    references, definitions = models_json_schema(
        [(model, "validation") for model in KINDS.values()], title="Setpoint configuration", schema_generator=_Generator
    )
    schemas = definitions["$defs"]
    for kind, model in KINDS.items():
        name = references[(model, "validation")]["$ref"].rpartition("/")[2]
        schemas[name]["properties"]["kind"] = {"const": kind}
    choices = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": references[(model, "validation")]}
        for kind, model in KINDS.items()
    ]
    return {
        "$schema": DIALECT,
        "title": "Setpoint configuration",
        "type": "object",
        "required": ["kind", "name"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": choices,
        "$defs": schemas,
    }


class _Generator(GenerateJsonSchema):
    """Calls models by their titles, and adds what they accept beyond their fields."""

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        """The key of a model in ``$defs``."""
        reference, mode = core_mode_ref
        return super().get_defs_ref((CoreRef(_CLASS_SUFFIX.sub("", reference)), mode))

    def model_schema(self, schema: Any) -> Any:
        """A model's map, or what is short for it; ``x-`` keys where they are ignored."""
        found = super().model_schema(schema)
        model = schema["cls"]
        found["title"] = model.title()
        if model.ignores("x-anything"):
            found["patternProperties"] = {"^x-": {}}
        return {"anyOf": [found, *model.SHORT]} if model.SHORT else found
