"""The digest of the source that a score was made by."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from affuse.fusion import concat
from affuse.training import code
from affuse.training.code import code_of


def forget() -> None:
    code._model_digest.cache_clear()
    code._training_digest.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """affuse's own source elsewhere, where it may be edited."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(code._AFFUSE, folder, ignore=shutil.ignore_patterns("data", "checkpoints"))
    monkeypatch.setattr(code, "_AFFUSE", folder)
    return folder


def edited(file: Path, model: str) -> set[str]:
    """What of the code differs once a line is added to a file."""
    before = code_of(model)
    with file.open("a") as text:
        text.write("\n# edited\n")
    forget()
    after = code_of(model)
    return {part for part in after if after[part] != before[part]}


@pytest.mark.usefixtures("copied")
def test_it_does_not_depend_on_where_the_code_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    there = code_of("concat")
    monkeypatch.undo()
    forget()
    assert code_of("concat") == there == code_of("unimodal:text")
    assert all(len(digest) == 16 for digest in there.values())


@pytest.mark.parametrize(
    ("file", "parts"),
    [
        ("fusion/layers.py", {"model"}),
        ("training/fit.py", {"training"}),
        ("training/normalise.py", {"training"}),
        ("readers/mosi.py", set()),
        ("training/presets/default.yaml", set()),
    ],
)
def test_it_follows_what_a_score_depends_on(copied: Path, file: str, parts: set[str]) -> None:
    assert edited(copied / file, "concat") == parts


def test_a_model_of_another_package_is_all_that_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs"
    package.mkdir()
    for name in ("__init__", "model", "helpers"):
        (package / f"{name}.py").write_text("")
    monkeypatch.setattr(concat.Concat, "__module__", "theirs.model")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("theirs.model")
    assert edited(package / "helpers.py", "concat") == {"model"}
    # A file by itself has strangers beside it.
    monkeypatch.setattr(concat.Concat, "__module__", "alone")
    (tmp_path / "alone.py").write_text("")
    (tmp_path / "stranger.py").write_text("")
    __import__("alone")
    assert edited(tmp_path / "stranger.py", "concat") == set()
    assert edited(tmp_path / "alone.py", "concat") == {"model"}
    for name in ("theirs", "theirs.model", "alone"):
        del sys.modules[name]
