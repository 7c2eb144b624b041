"""What the docs show is there: links, configuration, commands, built-ins, failpoints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setpoint.config.compile import check
from setpoint.config.policies.builtins import BUILTINS
from setpoint.engine.embedded import failpoints

ROOT = Path(__file__).parents[2]
PAGES = [path for pattern in ("*.md", "docs/**/*.md", "examples/*/*.md") for path in sorted(ROOT.glob(pattern))]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
SNIPPETS = [
    pytest.param(snippet, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    if page.name not in {"calendars.md", "README.md"}
    for number, snippet in enumerate(YAML.findall(page.read_text("utf-8")), 1)
]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(page.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        if "://" not in target and (not place.exists() or (anchor and anchor not in anchors(place))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_configuration_that_is_shown_is_right(snippet, tmp_path):
    (tmp_path / "setpoint.yaml").write_text(snippet)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "app.py").write_text("")
    (tmp_path / "smoke-test").write_text("#!/bin/sh\n")
    (tmp_path / "smoke-test").chmod(0o755)
    assert [str(problem) for problem in check(tmp_path)] == []


def test_every_built_in_protection_has_a_section_that_names_its_arguments():
    page = (ROOT / "docs" / "protections.md").read_text("utf-8")
    sections = dict(re.findall(r"^### ([a-z-]+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(BUILTINS)
    untold = [f"{name}: {key}" for name, one in BUILTINS.items() for key in one.arguments if f"`{key}`" not in sections[name]]
    assert untold == []


def test_the_failpoints_are_those_there_are():
    page = (ROOT / "docs" / "engine.md").read_text("utf-8")
    assert tuple(re.findall(r"^\| `([a-z-]+)` \|", page.split("## Failpoints")[1], re.MULTILINE)) == failpoints.NAMES


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs" / "index.md"
    reached, queue = {index}, [index]
    while queue:
        page = queue.pop()
        targets = (target.partition("#")[0] for target in LINK.findall(page.read_text("utf-8")) if "://" not in target)
        found = {(page.parent / target).resolve() for target in targets if target.endswith(".md")} - reached
        reached |= found
        queue += found
    assert [str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")) if page not in reached] == []


def test_the_readme_shows_the_configuration_of_the_tutorial():
    shown, tutorial = (YAML.findall((ROOT / page).read_text("utf-8")) for page in ("README.md", "docs/tutorial.md"))
    assert shown == tutorial
    assert len(shown) == 1
