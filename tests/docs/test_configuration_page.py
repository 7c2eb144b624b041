"""docs/configuration.md says what the models say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))


def test_the_tables_are_those_of_the_models():
    text = (DOCS / "configuration.md").read_text("utf-8")
    assert loaded("generate").page(text) == text, "run `make docs`"


def test_the_schema_of_a_reason_is_committed():
    """It is API: whoever changes it changes this file, and says so in the changelog."""
    assert (DOCS / "reason.schema.json").read_text("utf-8") == loaded("generate").reason_schema(), "run `make docs`"


def test_every_meaning_belongs_to_a_key_that_there_is():
    generate = loaded("generate")
    known: dict[str, Any] = {model.__name__: model for model in every_model(generate)}
    meanings = loaded("meanings").MEANINGS
    stale = [
        f"{name}.{key}"
        for name, keys in meanings.items()
        for key in keys
        if key not in {"", "title"} and (name not in known or key not in known[name].written_keys())
    ]
    assert stale == []


def every_model(generate: ModuleType) -> list[type]:
    found: list[type] = []
    queue = [generate.Document, generate.Gated, *generate.KINDS.values()]
    while queue:
        model = queue.pop()
        if model not in found:
            found.append(model)
            queue += [base for base in model.__mro__[1:] if issubclass(base, generate.Node)]
            queue += [inner for field in model.model_fields.values() for inner in generate._nodes(field.annotation)]
    return found
