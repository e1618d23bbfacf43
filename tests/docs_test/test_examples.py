"""The Python in docs/ is run: all blocks of a page, in order, are one program."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from forked import run_forked

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if BLOCK.search(page.read_text())]


def _blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / "docs" / page).read_text())


def _run(*command: str, folder: Path, plugin: str = "") -> str:
    """Run Python in `folder` and return its output, which a failure shows."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"AFFUSE_PLUGINS": plugin},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_guide_has_an_example() -> None:
    named = {page.stem for page in PAGES}
    assert {"adding-a-corpus", "adding-a-model", "adding-an-extractor"} <= named


# These train models.
LONG = ("benchmark", "export", "incongruity", "python")


@pytest.mark.usefixtures("quick_probes")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem in LONG))
        for page in PAGES
    ],
)
def test_example_runs(page: Path, tmp_path: Path) -> None:
    program, example = "\n\n".join(_blocks(page.name)), tmp_path / "example.py"
    example.write_text(program)
    ended = run_forked(lambda: runpy.run_path(str(example), run_name="__main__"), tmp_path)
    assert ended.code == 0, ended.output


@pytest.mark.slow
def test_a_model_of_ones_own_is_tested_by_the_suite(tmp_path: Path) -> None:
    (tmp_path / "mean_pool.py").write_text(_blocks("adding-a-model.md")[0])
    suite = str(ROOT / "tests" / "fusion" / "test_model.py")
    output = _run(
        *("-m", "pytest", suite, "-k", "mean_pool", "-p", "no:cacheprovider"),
        *("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")),
        folder=tmp_path,
        plugin=str(tmp_path / "mean_pool.py"),
    )
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) > 30


@pytest.mark.slow
def test_a_corpus_of_ones_own_is_read_by_the_commands(tmp_path: Path) -> None:
    reader, use = _blocks("adding-a-corpus.md")
    (tmp_path / "diary.py").write_text(reader)
    (tmp_path / "use.py").write_text(f"from diary import *\n{use}")
    _run("use.py", folder=tmp_path)
    program = 'import sys; from affuse.cli.main import run; sys.argv[0] = "affuse"; run()'
    command = ("-c", program, "corpus", "inspect", "diary", "--data", "diary.jsonl")
    output = _run(*command, folder=tmp_path, plugin="diary.py")
    assert "diary: classification, 24 samples" in " ".join(output.split())
