"""A folder belongs to the work that claimed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.files import claim, holds

WORK = {"model": "hct_mg", "seed": 0, "train": {"epochs": 3, "noise": {"text": 0.5}}}


def test_a_new_or_empty_folder_is_free_until_claimed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert not holds(folder, "run.json", WORK)
    assert not folder.exists()
    assert not holds(tmp_path, "run.json", WORK)
    claim(folder, "run.json", WORK)
    assert holds(folder, "run.json", WORK)


def test_the_draft_of_a_killed_claim_is_nothing(tmp_path: Path) -> None:
    (tmp_path / ".run.json.1234").write_text("{")
    assert not holds(tmp_path, "run.json", WORK)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="exists and holds something else; give a new"):
        holds(tmp_path, "run.json", WORK)
    with pytest.raises(InputError, match=r"thesis\.tex: exists and holds something else"):
        holds(tmp_path / "thesis.tex", "run.json", WORK)


def test_other_work_is_refused_by_what_differs(tmp_path: Path) -> None:
    claim(tmp_path, "run.json", WORK)
    other = {**WORK, "seed": 1, "train": {"epochs": 3, "noise": {"text": 0.5, "audio": 1.0}}}
    with pytest.raises(InputError, match=r"made with another seed, train\.noise\.audio;"):
        holds(tmp_path, "run.json", other)
    with pytest.raises(InputError, match="made with another model;"):
        holds(tmp_path, "run.json", {k: v for k, v in WORK.items() if k != "model"})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_claim_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json: cannot be read; delete"):
        holds(tmp_path, "run.json", WORK)
