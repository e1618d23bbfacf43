"""Where clips come from: folders, manifests of all kinds, URLs, and shares of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.extract.folder import find_clips
from affuse.scale.shards import Chosen, Shard
from affuse.scale.sources import Source, Sources


def _found(*given: object) -> list[Source]:
    return list(Sources([str(one) for one in given]))


def test_folders_files_and_globs_are_as_find_clips_finds_them(tmp_path: Path) -> None:
    for name in ("b/c.wav", "b.mp4", "b/d/a.MP4", "a.txt", ".h/x.mp4", "b/.e.mp4", "e.mp4/f.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    given = [str(tmp_path), str(tmp_path / "*.txt"), str(tmp_path / "none.mp4")]
    ours = [(Path(s.place), Path(s.name)) for s in _found(*given)]
    assert ours == [tuple(clip) for clip in find_clips(given)]
    assert [name.as_posix() for _, name in ours[:4]] == [
        *("b/c.wav", "b/d/a.MP4", "b.mp4", "e.mp4/f.mkv"),
    ]


TABLES = {
    "plain.csv": b"path,text\nin/a.mp4,hello there\n/abs/b.mp4,\n",
    "bom.csv": b"\xef\xbb\xbfpath,text\nin/a.mp4,hello there\n/abs/b.mp4,\n",
    "semicolons.csv": b"label;File_Name;text\n1;in/a.mp4;hello there\n2;/abs/b.mp4;\n",
    "excel.csv": "sep=;\r\npath;text\r\nin/a.mp4;hello there\r\n\r\n/abs/b.mp4\r\n".encode(
        "utf-16"
    ),
    "tabs.tsv": b"text\tpath\nhello there\tin/a.mp4\n\t/abs/b.mp4\n",
    "lines.jsonl": b'{"path": "in/a.mp4", "text": "hello there"}\n\n{"path": "/abs/b.mp4"}\n',
    "quoted.csv": b'path,text\n"in/a.mp4","hello there"\n"/abs/b.mp4",\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_manifests_are_read_however_they_are_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TABLES[name])
    first, second = _found(tmp_path / name)
    assert (first.place, first.name) == (str(tmp_path / "in/a.mp4"), "in/a.mp4")
    assert first.row is not None
    assert (first.row.text, first.row.transcript) == ("hello there", None)
    assert (second.place, second.name) == ("/abs/b.mp4", "abs/b.mp4")


def test_a_manifest_of_parquet_and_places_relative_to_it(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = {"file_name": ["../a.mp4", "b.mp4"], "transcript": ["t/a.srt", None], "n": [1, 2]}
    (tmp_path / "in").mkdir()
    parquet.write_table(arrow.table(rows), tmp_path / "in" / "list.parquet")
    first, second = _found(tmp_path / "in" / "list.parquet")
    assert Path(first.place).resolve() == tmp_path / "a.mp4"
    assert first.name == "a.mp4"
    assert first.row is not None
    assert first.row.transcript == str(tmp_path / "in" / "t" / "a.srt")
    assert second.row is not None
    assert second.row.transcript is None


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "a.csv: is empty; name a column path"),
        ("a.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("a.csv", b"clips,label\nx.mp4,1\n", "has no column path: it begins 'clips,label'"),
        ("a.csv", b"path,text\n,hello\n", "a.csv: row 2: names no clip; give its path"),
        ("a.csv", b'path\n"x.mp4\n' + b"y" * 200_000, "a.csv: cannot be read after row"),
        ("a.csv", b"path\n" + bytes(range(256)) * 4, "a.csv: is not text"),
        ("a.jsonl", b"{path: x}\n", "a.jsonl: row 1: is not JSON"),
        ("a.jsonl", b'["x.mp4"]\n', "a.jsonl: row 1: is no object"),
        ("a.jsonl", b'{"path": 3}\n', "a.jsonl: row 1: has a int where a path or words are meant"),
        ("a.csv", b"path,start,end\nx.mp4,,\ny.mp4,3,1.5\n", "row 3: ends at 1.5 s, but starts"),
        ("a.jsonl", b'{"path": "x.mp4", "end_time": -3.5}', "row 1: has the end '-3.5'; give"),
        ("a.jsonl", b'{"path": "x.mp4", "start": true}', "row 1: has the start 'True'; give"),
        ("a.jsonl", b'{"file": null}\n', "a.jsonl: row 1: names no clip"),
        ("a.parquet", b"PAR1 and so on", "a.parquet: cannot be read as Parquet"),
        ("none.csv", None, "none.csv: cannot be read"),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, name, content, problem) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as told:
        _found(tmp_path / name)
    assert problem in str(told.value)
    assert "\n" not in str(told.value)


def test_parts_of_a_recording_are_clips_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,start,end\na.mp4,,\na.mp4,1.5,3\na.mp4,00:01:02,\n")
    (tmp_path / "l.jsonl").write_text('{"path": "a.mp4", "start": 1.5, "end": 3.0}\n')
    found = _found(tmp_path / "l.csv", tmp_path / "l.jsonl")
    assert [one.name for one in found] == ["a.mp4", "a.mp4[1.5-3]", "a.mp4[62-]", "a.mp4[1.5-3]"]
    assert {one.place for one in found} == {str(tmp_path / "a.mp4")}
    chosen = Chosen(Sources([str(tmp_path / "l.csv"), str(tmp_path / "l.jsonl")]), distinct=True)
    assert (len(chosen), chosen.repeated) == (3, 1)


@pytest.mark.parametrize("text", ["0/0", "5/4", "0/4", "a/b", "3", "1/", "-1/2", "1/2/3", ""])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is no share; give i/n"):
        Shard.parse(text)


def test_shares_are_apart_and_whole_and_name_each_clip_once(tmp_path: Path) -> None:
    lines = [json.dumps({"path": f"{n % 7}.mp4"}) for n in range(10)]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    sources = Sources([str(tmp_path / "list.jsonl"), str(tmp_path / "x" / ".." / "3.mp4")])
    shares = [Chosen(sources, Shard.parse(f"{n}/3")) for n in (1, 2, 3)]
    assert [len(share) for share in shares] == [3, 2, 2]
    assert shares[0].repeated == 4
    numbers = [number for share in shares for number, _ in share]
    assert sorted(numbers) == list(range(7))


def test_sources_that_change_meanwhile_are_told(tmp_path: Path) -> None:
    for name in ("a.mp4", "c.mp4"):
        (tmp_path / name).touch()
    chosen = Chosen(Sources([str(tmp_path)]))
    (tmp_path / "b.mp4").touch()
    with pytest.raises(InputError, match="have changed meanwhile"):
        list(chosen)


def test_two_clips_of_one_name_are_told_where_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path\na/x.mp4\n../b/x.mp4\n/b/x.mp4\n")
    with pytest.raises(InputError, match=r"/b/x.mp4: would be written to the same file as"):
        Chosen(Sources([str(tmp_path / "l.csv")]), distinct=True)
