"""`affuse label`."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.annotation.desk import Labelling


def test_it_says_where_the_page_is_and_how_much_was_done(
    affuse, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").write_bytes(recording.read_bytes())

    def interrupt(_: Labelling) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Labelling, "wait", interrupt)
    monkeypatch.setenv("DISPLAY", ":0")
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    asked = ("label", str(tmp_path / "clips"), "--labels=yes,no")
    done = affuse(*asked)
    assert done.status == 0, done.err
    assert "0 of 1 clips are labelled" in done.out
    assert "the page is at http://127.0.0.1:" in done.out
    assert "0 clips were labelled in column label, 1 is left" in done.out
    assert "clips come in their order" in done.err
    assert len(opened) == 1
    values = affuse("label", asked[1], "--low=-1", "--high=1", "--no-open", "--in-order")
    assert (values.status, "1 is left" in values.out) == (0, True)
    assert len(opened) == 1


def test_bad_input_is_one_line(affuse, assert_one_line, tmp_path: Path) -> None:
    done = affuse("label", str(tmp_path / "none"), "--labels=a,b")
    assert_one_line(done.status, done.err, ("none", "is not there"))
