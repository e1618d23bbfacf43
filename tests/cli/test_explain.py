"""`affuse explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PARTS = [f"--set={part}" for part in ("train=12", "valid=6", "test=6")]


def test_writes_a_page_and_its_figures(affuse, place: Path) -> None:
    done = affuse("explain", "run", "controlled", "--out=a.html", "--json=a.json", *PARTS)
    assert done.status == 0, done.err
    assert "hct_mg trusts" in done.out
    assert "report in a.html" in done.out
    assert (place / "a.html").read_text().startswith("<!doctype html>")
    content = json.loads((place / "a.json").read_text())
    assert content["samples"] == 6
    assert "conflict_auroc" in content


def test_a_chosen_sample_and_another_model(affuse, place: Path) -> None:
    sample, other = "--sample=test/2", "--against=run"
    done = affuse("explain", "run", "controlled", "--out=a.html", sample, other, *PARTS)
    assert done.status == 0, done.err
    text = (place / "a.html").read_text()
    assert "hct_mg beside hct_mg" in text
    assert "test/2 <span class=soft>(asked for)" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "controlled", "--sample=test/99", "--out=a.html", *PARTS], ("test/99",)),
        (["notes", "controlled", "--out=a.html"], ("notes", "no checkpoint here")),
        (["run", "controlled", "--out=no/a.html"], ("no/a.html", "cannot be written")),
        (
            ["run", "controlled", "--with-media", "--out=a.html", *PARTS],
            ("controlled", "recordings lie"),
        ),
        (["run", "narrow.pkl", "--out=a.html"], ("run", "the checkpoint reads")),
        (["run", "controlled", "--against=notes", "--out=a.html"], ("notes",)),
    ],
)
def test_bad_input_is_one_line(
    affuse, place: Path, assert_one_line, arguments: list[str], says: tuple[str, ...]
) -> None:
    done = affuse("explain", *arguments)
    assert_one_line(done.status, done.err, says)
    assert not (place / "a.html").exists()
