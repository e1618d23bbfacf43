"""IEMOCAP: its labels, sessions and features, and what is said of files that cannot be used."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.evaluation.scorecard import trivial_scores
from affuse.readers import load_corpus
from affuse.readers.iemocap import ACOUSTIC
from affuse.samples import Corpus, Sample
from affuse.tasks import Classification, Regression

SAID = ("I am so happy.", "[LAUGHTER] Go away. [BREATHING]", "[BREATHING]", "Well.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dialogues a session of four utterances, each with another label."""
    with (tmp_path / "iemocap.csv").open("w", newline="") as file:
        columns = ("wav_file", "transcript", "session", "speaker", "dialogue", "val")
        table = csv.DictWriter(file, [*columns, "merbench_4way", "merbench_6way", *ACOUSTIC])
        table.writeheader()
        for session in "12345":
            for dialogue in (f"Ses0{session}F_impro01", f"Ses0{session}M_script02_1"):
                for row, said in enumerate(SAID):
                    who = "FM"[row % 2]
                    facts = (f"{dialogue}_{who}{row}", said, session, f"Ses0{session}{who}")
                    labels = {"merbench_4way": f"{row}.0", "merbench_6way": "", "val": row + 1}
                    sound = dict.fromkeys(ACOUSTIC, "" if row == 3 else -0.02)
                    values = dict(zip(columns, (*facts, dialogue), strict=False))
                    table.writerow({**values, **labels, **sound})
    return tmp_path


def read(path: Path, **options: Any) -> Corpus:
    return load_corpus("iemocap", path, {"text": "glove", **options})


def samples_of(corpus: Corpus) -> dict[str, Sample]:
    return {s.id: s for part in corpus.folds[0].parts().values() for s in part}


def test_each_session_is_tested_once_by_the_others(folder: Path) -> None:
    corpus = read(folder)
    assert corpus.task == Classification(("happy", "sad", "neutral", "angry"))
    assert corpus.name == "iemocap[label=four,text=glove]"
    for number, fold in enumerate(corpus.folds, start=1):
        tested = {s.group for s in fold.test}
        assert tested == {f"Ses0{number}F", f"Ses0{number}M"}
        assert not tested & {s.group for part in (fold.train, fold.valid) for s in part}
        dialogues = [{s.id.rpartition("_")[0] for s in part} for part in (fold.train, fold.valid)]
        assert not dialogues[0] & dialogues[1]
        assert len(dialogues[1]) == 1
    (last,) = read(folder, session=5).folds
    assert [s.id for s in last.test] == [s.id for s in corpus.folds[4].test]


def test_marks_are_not_words_and_what_is_not_said_is_absent(folder: Path) -> None:
    plain, marked = samples_of(read(folder)), samples_of(read(folder, marks=True))
    name = "Ses01F_impro01_"
    assert plain[f"{name}M1"].text == "Go away"
    assert marked[f"{name}M1"].text == "[LAUGHTER] Go away. [BREATHING]"
    assert set(plain[f"{name}F2"].sequences) == {"audio"}
    assert plain[f"{name}F2"].text is None
    # Numbers that are not known are no audio.
    assert set(plain[f"{name}M3"].sequences) == {"text"}


def test_numbers_with_long_tails_are_logarithms_with_their_sign(folder: Path) -> None:
    (audio,) = samples_of(read(folder))["Ses01F_impro01_F0"].sequences["audio"]
    assert audio[:-1] == pytest.approx(-np.log(40), rel=0.001)
    assert audio[-1] == pytest.approx(-0.02)


def test_styles_are_apart_and_valence_is_a_rating(folder: Path) -> None:
    ids = {
        style: set(samples_of(read(folder, style=style))) for style in ("improvised", "scripted")
    }
    assert all("impro" in name for name in ids["improvised"])
    assert ids["improvised"] | ids["scripted"] == set(samples_of(read(folder)))
    valence = read(folder, label="valence")
    assert valence.task == Regression(1.0, 5.0)
    assert valence.task.metrics == ("mae", "ccc", "corr")
    assert samples_of(valence)["Ses01F_impro01_M1"].target == pytest.approx([2])


def test_what_cannot_be_used_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="labelled utterances of 0 sessions"):
        read(folder, label="six")
    table = folder / "iemocap.csv"
    table.write_text(table.read_text().replace("dialogue", "talk", 1))
    with pytest.raises(InputError, match="has no column 'dialogue'"):
        read(folder)
    table.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(InputError, match="cannot be read"):
        read(folder)
    table.unlink()
    with pytest.raises(InputError, match="no such file"):
        read(folder)


@pytest.mark.parametrize(
    ("whole", "spoilt", "says"),
    [
        (",1.0,,", ",happy,,", "row 2 has the label 'happy' in column 'merbench_4way'"),
        (",1.0,,", ",", "row 2 has another number of columns than the heading"),
    ],
)
def test_a_damaged_row_is_named(folder: Path, whole: str, spoilt: str, says: str) -> None:
    table = folder / "iemocap.csv"
    table.write_text(table.read_text().replace(whole, spoilt, 1))
    with pytest.raises(InputError, match=says):
        read(folder)


@pytest.mark.slow
def test_the_real_file(shared_data: Path) -> None:
    corpus = read(shared_data / "iemocap")
    counts = [len(fold.test) for fold in corpus.folds]
    assert sum(counts) == 5531
    targets = np.concatenate(
        [s.target for f in corpus.folds for s in f.test if s.target is not None]
    )
    assert np.bincount(targets.astype(int)).tolist() == [1636, 1084, 1708, 1103]
    assert trivial_scores(corpus)["uar"] == pytest.approx(0.25)
    valence = read(shared_data / "iemocap", label="valence", session=1)
    assert valence.notices == ("4 valences lie beyond the scale of 1 to 5 and are read as its end",)
    assert all(0.08 < len(f.valid) / len(f.train) < 0.25 for f in corpus.folds)
    audio = np.concatenate(
        [s.sequences["audio"] for s in corpus.folds[0].train if "audio" in s.sequences]
    )
    assert np.abs(audio).max() < 15
