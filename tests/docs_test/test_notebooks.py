"""The notebooks in examples/ run from top to bottom, and what they show can be shown."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from forked import run_forked

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def _cells(notebook: Path) -> list[str]:
    content = json.loads(notebook.read_text())
    assert content["nbformat"] == 4
    # Outputs would be of another machine and another day.
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in code)
    return ["".join(cell["source"]) for cell in code]


def _run(cells: list[str]) -> None:
    """Run cells as a notebook does, and show what each ends with."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # type: ignore[attr-defined]
            assert len(repr(shown)) < 4000, cell
            if hasattr(shown, "_repr_html_"):
                print(type(shown).__name__, len(shown._repr_html_()))


def test_there_are_three() -> None:
    assert [n.stem for n in NOTEBOOKS] == [
        "clip_to_timeline",
        "train_and_explain",
        "your_own_corpus",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("quick_probes")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_notebook_runs(notebook: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "clip.mpg" in notebook.read_text():
        data: Path = request.getfixturevalue("shared_data")
        shutil.copy(data / "clips" / "grid_lrwp9a.mpg", tmp_path / "clip.mpg")
    ended = run_forked(lambda: _run(_cells(notebook)), tmp_path)
    assert ended.code == 0, ended.output
    assert ended.out, "nothing was shown"
