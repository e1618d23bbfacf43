"""The guides name what there is: pages, options and dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from affuse.readers import corpora

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _links(page: Path) -> set[Path]:
    """The files that a page links to."""
    targets = (target.partition("#")[0] for target in LINK.findall(FENCE.sub("", page.read_text())))
    return {(page.parent / t).resolve() for t in targets if t and "://" not in t}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in _links(page) if not target.exists()] == []


def _sections(page: Path) -> set[str]:
    """What can follow a page's `#`: its headings as the common renderers of Markdown spell them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sections_that_are_linked_exist(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text()))
    named = [link.partition("#") for link in links if "#" in link and "://" not in link]
    missing = [
        f"{target}#{section}"
        for target, _, section in named
        if section not in _sections((page.parent / target).resolve() if target else page)
    ]
    assert missing == []


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    assert _links(index) >= set(DOCS) - {index}


@pytest.mark.parametrize("name", sorted(corpora()))
def test_the_data_page_lists_the_options_of_every_corpus(name: str) -> None:
    sections = (ROOT / "docs" / "data.md").read_text().split("\n## ")
    (section,) = (s for s in sections if s.startswith(f"`{name}`"))
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    options = corpora()[name].options()
    assert {key: yaml.safe_load(default) for key, default in rows} == options.model_dump(
        mode="json"
    )


def test_every_direct_dependency_is_accounted_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(r for group in groups for r in group)]
    names = {canonicalize_name(Requirement(text).name) for text in wanted} - {"affuse"}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = {canonicalize_name(row) for row in re.findall(r"^\| ([\w-]+)", page, re.MULTILINE)}
    assert names - rows == set()
