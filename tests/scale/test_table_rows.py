"""What tells that a clip, or what is said in it, is another than before."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow
import pytest
from answer_contents import answer_content, valued

from affuse.scale.manifests import Row
from affuse.scale.table_rows import Columns, Rows, arrow_schema, said_state, state_of


def test_what_is_said_tells_by_its_files(tmp_path: Path, monkeypatch) -> None:
    clip = str(tmp_path / "a.mp4")
    seen = [said_state(clip, None)]
    for name, content in (("a.srt", "1"), ("a.en.vtt", "1"), ("a.srt", "12"), ("ab.srt", "1")):
        (tmp_path / name).write_text(content)
        seen.append(said_state(clip, None))
    assert len(set(seen)) == 4
    assert seen[-1] == seen[-2]
    row = Row("a.mp4", transcript=str(tmp_path / "said.srt"))
    absent = said_state(clip, row)
    (tmp_path / "said.srt").write_text("1")
    there = said_state(clip, row)
    os.utime(tmp_path / "said.srt", ns=(5, 5))
    assert len({absent, there, said_state(clip, row)}) == 3
    # From wherever the table is named.
    monkeypatch.chdir(tmp_path)
    near = Row("a.mp4", transcript="said.srt")
    assert state_of(1, 2, near, said_state("a.mp4", near)) == state_of(
        1, 2, row, said_state(clip, row)
    )


def test_words_in_a_table_and_behind_urls_tell_by_themselves() -> None:
    texts = [Row("a.mp4", text=text) for text in ("one", "two")]
    assert {said_state("a.mp4", row) for row in texts} == {""}
    assert state_of(None, None, texts[0]) != state_of(None, None, texts[1])
    assert said_state("s3://b/a.mp4", None) == ""
    signed = Row("a.mp4", transcript="https://me:secret@h/a.srt?token=secret")
    assert said_state("a.mp4", signed) == "https://h/a.srt"


@pytest.mark.parametrize("kind", ["windows", "clips"])
def test_valence_and_arousal_are_columns_where_a_checkpoint_tells_them(kind: str) -> None:
    columns = Columns(("calm", "sad"), ("text", "vision"))
    told = columns._replace(values=("valence", "arousal"))
    rows = Rows()
    rows.answer(1, valued(answer_content()), None, {})
    schema = arrow_schema(pyarrow, kind, told)
    table = pyarrow.Table.from_pylist(list(rows.of(kind)), schema=schema)
    assert table["value_valence"][0].as_py() == pytest.approx(-0.3125)
    assert table["value_arousal"][0].as_py() == -0.25
    assert not any(name.startswith("value_") for name in arrow_schema(pyarrow, kind, columns).names)
