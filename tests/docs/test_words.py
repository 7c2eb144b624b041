"""Hand-written pages use the words of the field: software does not speak, and a sentence names its actor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AVOIDED = [
    r"\b(told|tells?|telling|says?|said|heard|hears)\b",
    r"\b(asks|asked|asking|answers for|word of)\b",
    r"\b(nobody|somebody|whoever|those who|begun|afresh|anew|lest|for ever|shall|bears|yonder)\b",
    r"\bat once\b",
    r"\bby itself\b",
    r"\b(is|are) no (?!longer\b|more\b)[a-z]",
    r"\b(mistakes?|rehears\w+|goodbye|the line goes|made so)\b",
]
FOUND = re.compile("|".join(f"(?:{one})" for one in AVOIDED), re.IGNORECASE)
GENERATED = re.compile(r"<!-- generated: begin -->.*?<!-- generated: end -->", re.DOTALL)
OUTSIDE = {
    "commands.md": "written from docstrings",
    "rules.md": "names tests",
    "engine-port.md": "shows the port, which has a method `rehearse`",
    "protections.md": "not yet rewritten",
    "process-runtime.md": "not yet rewritten",
    "security.md": "not yet rewritten",
}
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in OUTSIDE
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_avoids_words_that_software_does_not_have(page):
    text = GENERATED.sub("", page.read_text("utf-8"))
    assert [line for line in text.splitlines() if FOUND.search(line)] == []


def test_each_page_that_is_left_out_needs_it():
    texts = {page.name: GENERATED.sub("", page.read_text("utf-8")) for page in (ROOT / "docs").rglob("*.md")}
    assert [name for name in OUTSIDE if not FOUND.search(texts[name])] == []
