"""The rooms of the house: what may import what, as docs/architecture.md says."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "affuse"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS: list[str] = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
GROUND, DOOR = "ground floor", "api"
ORDER = [GROUND, *ROOMS]


def _room_of(module: str) -> str:
    """`affuse.report.tables` to `report`; a module beside `__init__` is of the ground floor."""
    first = module.split(".")[1] if "." in module else DOOR
    return {"__main__": "cli", "": DOOR}.get(first, first if first in ROOMS else GROUND)


def _imports() -> Iterator[tuple[str, str, str]]:
    """File, its room, and each module of affuse that it imports, wherever in it."""
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE.parent).with_suffix("").parts
        module = ".".join(p for p in parts if p != "__init__")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
                if named == ["affuse"]:
                    named = [f"affuse.{a.name}" for a in node.names if a.name != "__version__"]
            else:
                named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in named:
                if name.split(".")[0] == "affuse":
                    yield str(file.relative_to(SOURCE)), _room_of(module), name


def test_imports_run_one_way() -> None:
    upward = [
        (file, name)
        for file, room, name in _imports()
        if ORDER.index(_room_of(name)) > ORDER.index(room)
    ]
    assert upward == []


def test_every_room_is_on_the_page() -> None:
    folders = {p.name for p in SOURCE.iterdir() if (p / "__init__.py").exists()}
    assert folders | {DOOR} == set(ROOMS)


def test_the_page_answers_where_things_are() -> None:
    named = re.findall(r"`(src/affuse/[\w/.]+)`", PAGE)
    assert len(named) >= 10
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_no_two_files_share_a_name() -> None:
    counts = Counter(p.name for p in SOURCE.rglob("*.py") if p.name != "__init__.py")
    assert [name for name, count in counts.items() if count > 1] == []


def test_files_stay_small() -> None:
    lengths = [len(file.read_text().splitlines()) for file in SOURCE.rglob("*.py")]
    assert max(lengths) <= 600
    assert sum(length <= 300 for length in lengths) >= 0.95 * len(lengths)
