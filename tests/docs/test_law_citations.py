"""Every citation of the law names a paragraph that exists in ``docs/design/law.md``.

A citation is the section sign and a number, such as 10.1. A capitalised name directly after the number is part of it. The name is
that of a heading without a number, or of a bold lead-in, in the section with that number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAW = ROOT / "docs" / "design" / "law.md"
SIGN = "\N{SECTION SIGN}"
"""Not written out below, so that this file cites nothing."""
CITING = ("src/**/*.py", "tests/**/*.py", "docs/**/*.md", "*.md")
SECTION = re.compile(r"#+ (\d+(?:\.\d+)*)\.? (.+)")
NAMED = re.compile(r"#{3,} (\D.*)")
LEAD_IN = re.compile(r"\s*(?:- |\d+\. )?\*\*([A-Z][^*]*?)\.?\*\*")
CITATION = re.compile(rf"{SIGN} ?(?P<number>\d+(?:\.\d+)*)?(?= (?P<rest>[A-Z].*))?")


def paragraphs(law: str) -> dict[str, frozenset[str]]:
    """Number of each section -> the names of its paragraphs."""
    found: dict[str, set[str]] = {}
    number, code = "", False
    for line in law.splitlines():
        code ^= line.startswith("```")
        if code:
            continue
        if section := SECTION.fullmatch(line):
            number = section[1]
            found[number] = set()
        elif number and (name := NAMED.fullmatch(line) or LEAD_IN.match(line)):
            found[number].add(name[1])
    return {section: frozenset(names) for section, names in found.items()}


def unknown(text: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Citations in a text that name nothing, each with its number."""
    for found in CITATION.finditer(text):
        names, rest = known.get(found["number"]), found["rest"]
        if names is None or (rest and not any(re.match(rf"{re.escape(name)}\b", rest) for name in names)):
            yield found[0]


@pytest.fixture(scope="module")
def law() -> dict[str, frozenset[str]]:
    return paragraphs(LAW.read_text("utf-8"))


def citing() -> dict[str, str]:
    """Path of each file that may cite the law -> its text."""
    paths = sorted({path for pattern in CITING for path in ROOT.glob(pattern)})
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths}


def test_each_citation_names_a_paragraph_of_the_law(law: dict[str, frozenset[str]]):
    texts = citing()
    assert sum(SIGN in text for path, text in texts.items() if path.startswith("src/")) > 50
    assert {path: found for path, text in texts.items() if (found := list(unknown(text, law)))} == {}


def test_the_law_keeps_its_numbers(law: dict[str, frozenset[str]]):
    numbers = [str(number) for number in range(1, 11)]
    assert list(law) == numbers + [f"10.{number}" for number in range(1, 18)]


def test_the_law_names_what_code_applies(law: dict[str, frozenset[str]]):
    assert law["3"] >= {"Forward only", "Veto"}
    assert law["4"] >= {"Freshness"}
    assert law["5"] >= {"Observing"}
    assert law["10.1"] >= {"Made", "Chosen", "Ordered", "Gated", "Vetoed", "Sets", "Shown"}


LITTLE_LAW = """
# A law

## 4. Lifecycle

### Freshness

**Standing conditions.** They are read twice.

```
### Not a paragraph
```

### 4.2 Exit codes

- **Programs** end with a number.
"""


@pytest.mark.parametrize(
    "good", ["4", "4)", "4 Freshness", "4 Freshness).", "4 Standing conditions, 4.2", "4.2.", "4.2 Programs: all"]
)
def test_a_known_citation_is_accepted(good: str):
    assert list(unknown(f"Kept here ({SIGN}{good}", paragraphs(LITTLE_LAW))) == []


@pytest.mark.parametrize(
    "bad", ["5", "4.1", "4.21", "4 Fresh", "4 Freshnesses", "4 Programs", "4.2 Freshness", "4 Not a paragraph", " of it", ""]
)
def test_an_unknown_citation_is_found(bad: str):
    assert len(list(unknown(f"First {SIGN}4. Then {SIGN}{bad}\nAnd more", paragraphs(LITTLE_LAW)))) == 1


def test_each_of_several_citations_counts():
    assert list(unknown(f"({SIGN}4, {SIGN}7.\n{SIGN}4.2 Programs, {SIGN}9)", paragraphs(LITTLE_LAW))) == [f"{SIGN}7", f"{SIGN}9"]
