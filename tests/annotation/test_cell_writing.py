"""Labels in a table that otherwise stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.annotation.cell_writing import Key, write_labels
from affuse.errors import InputError

A, B = Key("a.wav"), Key("b.wav")


def _written(
    path: Path, content: bytes, labels: dict[Key, str], column: str = "label", numbers: bool = False
) -> bytes:
    path.write_bytes(content)
    write_labels(path, column, labels, numbers=numbers)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("file_name,label\na.wav,\nb.wav,sad\n", "file_name,label\na.wav,happy\nb.wav,sad\n"),
        # Excel: a mark, semicolons, its own line ends, a cell of two lines, no end of the last.
        (
            '\ufefffile_name;text;label;more\r\na.wav;"so; ""it""\r\nis";"";7,0\r\nb.wav;x;sad;8',
            '\ufefffile_name;text;label;more\r\na.wav;"so; ""it""\r\nis";happy;7,0\r\n'
            "b.wav;x;sad;8",
        ),
        ("sep=|\nfile_name|x\na.wav| 1 \n", "sep=|\nfile_name|x|label\na.wav| 1 |happy\n"),
        # A column that is new, blank lines, rows that are short, an empty heading at the end.
        (
            "\nfile_name,text,\n\na.wav\nb.wav,x,\n",
            "\nfile_name,text,label\n\na.wav,,happy\nb.wav,x,\n",
        ),
        ('file_name\n"a.wav"\nb,c.wav\n', 'file_name,label\na.wav,happy\n"b,c.wav",\n'),
        (
            "file_name\tlabel\na.wav\told\na.wav\told\n",
            "file_name\tlabel\na.wav\thappy\na.wav\thappy\n",
        ),
    ],
    ids=["plain", "excel", "told", "ragged", "one-column", "twice"],
)
def test_all_else_stays(tmp_path: Path, before: str, after: str) -> None:
    changed = _written(tmp_path / "metadata.csv", before.encode(), {A: "happy"})
    assert changed.decode() == after


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "cp1252"])
def test_its_encoding_stays(tmp_path: Path, encoding: str) -> None:
    text = "file_name,text,label\na.wav,Übel wäre das für die Größe,\nb.wav,schön wär es,sad\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    changed = _written(tmp_path / "metadata.csv", (mark + text).encode(encoding), {A: "fröh"})
    wanted = text.replace("Größe,", "Größe,fröh")
    assert changed == (mark + wanted).encode(encoding)


def test_a_label_that_the_encoding_lacks_is_refused(tmp_path: Path) -> None:
    text = "file_name,text\na.wav,Übel wäre das für die Größe\n".encode("cp1252")
    with pytest.raises(InputError, match="save it as UTF-8"):
        _written(tmp_path / "metadata.csv", text, {A: "快乐"})
    assert (tmp_path / "metadata.csv").read_bytes() == text


def test_segments_of_one_recording_are_told_apart(tmp_path: Path) -> None:
    before = b"file_name,start,end\na.wav,0,1.50\na.wav,1.5,3\n"
    changed = _written(tmp_path / "metadata.csv", before, {Key("a.wav", "1.5", "3"): "x"})
    assert changed == b"file_name,start,end,label\na.wav,0,1.50,\na.wav,1.5,3,x\n"


def test_json_lines(tmp_path: Path) -> None:
    before = '{"file_name": "a.wav", "n": 1.5}\r\n\n{"file_name":  "b.wav", "t": "ü"}'
    path = tmp_path / "metadata.jsonl"
    changed = _written(path, before.encode(), {A: "-2.5"}, "score", numbers=True).decode()
    first, rest = changed.split("\r\n")
    assert json.loads(first) == {"file_name": "a.wav", "n": 1.5, "score": -2.5}
    assert rest == '\n{"file_name":  "b.wav", "t": "ü"}'
    write_labels(path, "score", {A: ""}, numbers=True)
    assert path.read_bytes().decode() == before


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    with pytest.raises(InputError, match=r"no row of c\.wav any more"):
        _written(path, b"file_name\na.wav\n", {Key("c.wav"): "x"})
    with pytest.raises(InputError, match="letters that cannot be read"):
        _written(path, b"file_name,text\na.wav,caf\xc3\xa9 \xff" + b"\xc3\xa9" * 40, {A: "x"})
    assert not list(tmp_path.glob(".*"))
