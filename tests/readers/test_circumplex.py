"""Valence and arousal: texts of several scales, and the emotions that stand near them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.face import EXPRESSIONS
from affuse.readers.circumplex import (
    NORMS,
    SPREAD,
    emobank_texts,
    evenly_spread,
    iemocap_rated,
    mustard_texts,
    with_classes,
)
from affuse.readers.composed import compose
from affuse.readers.composed_sources import Piece, Text

EMOBANK = "id,split,V,A,D,text\nd_0_5,train,1.0,3.0,3,Dreadful.\nd_5_9,dev,5.0,4.0,3,Lovely!\n"
MUSTARD = (
    "SCENE,KEY,SENTENCE,END_TIME,SPEAKER,SHOW,Sarcasm,Valence,Arousal\n"
    "1_1,1_1_c_00,Who?,0:01,A,BBT,,,\n"
    '1_1,1_1_u,"Oh\nsure.",0:02,B,BBT,1,1,9\n'
    "2_1,2_1_u,Fine.,0:02,C,FRIENDS,0,5,5\n"
    "3_1,3_1_u,Well.,0:02,D,SV,0,9,1\n"
)


def _write(folder: Path, content: str) -> Path:
    file = folder / "table.csv"
    file.write_text(content)
    return file


def _text(valence: float, arousal: float, part: str = "train", name: str = "t") -> Text:
    return Text(name, part, "", "words", (valence, arousal), name)


def test_every_emotion_of_voices_and_faces_has_a_norm() -> None:
    assert NORMS.keys() == set(EXPRESSIONS)
    assert NORMS["neutral"] == (0.0, 0.0)
    assert NORMS["happy"] > (0.5, 0.5) > (0.0, 0.0) > NORMS["sad"]
    assert np.abs(list(NORMS.values())).max() < 1


def test_ratings_are_read_from_minus_one_to_one(tmp_path: Path) -> None:
    first, second = emobank_texts(_write(tmp_path, EMOBANK))
    assert (first.value, first.part, first.text) == ((-1.0, 0.0), "train", "Dreadful.")
    assert (second.value, second.part) == ((1.0, 0.5), "valid")
    said = mustard_texts(_write(tmp_path, MUSTARD))
    assert [(t.text, t.part, t.value) for t in said] == [
        ("Oh sure.", "train", (-1.0, 1.0)),
        ("Fine.", "test", (0.0, 0.0)),
        ("Well.", "valid", (1.0, -1.0)),
    ]


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (emobank_texts, "id,text\nx,y\n", "no column 'split'"),
        (emobank_texts, "", "no column 'id'"),
        (emobank_texts, EMOBANK.replace("1.0", "low"), "no number in 'V' or 'A'"),
        (mustard_texts, MUSTARD.replace("1,1,9", "1,,9"), "no number in 'Valence' or 'Arousal'"),
    ],
)
def test_a_table_of_something_else_is_refused(
    tmp_path: Path, read: Callable[[Path], object], content: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read(_write(tmp_path, content))
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nowhere.csv")


def test_each_corpus_is_spread_alike_by_its_training_part() -> None:
    rng = np.random.default_rng(0)
    texts = [_text(v, a) for v, a in rng.normal((0.2, -0.3), (0.05, 0.1), (500, 2))]
    found = np.array([t.value for t in evenly_spread([*texts, _text(0.2, 9.0, "test")])])
    np.testing.assert_allclose(found[:-1].mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(found[:-1].std(axis=0), SPREAD, atol=0.01)
    # What is tested moves nothing, and nothing leaves the range.
    assert found[-1].tolist() == pytest.approx([0.0, 1.0], abs=0.05)


def test_an_emotion_is_drawn_by_how_near_it_is() -> None:
    texts = [_text(*NORMS["happy"]), _text(*NORMS["sad"]), _text(0.0, 0.0)] * 400
    drawn = [t.label for t in with_classes(texts, 0.2, np.random.default_rng(0))]
    for start, label in enumerate(("happy", "sad", "neutral")):
        assert drawn[start::3].count(label) > 360
    far = [t.label for t in with_classes(texts, 9.0, np.random.default_rng(0))]
    assert set(far) == set(NORMS)
    assert far.count("happy") < 300


def test_a_clip_is_the_mean_of_what_its_parts_show() -> None:
    texts = with_classes([_text(0.5, 0.5, name=f"t{n}") for n in range(300)], 0.5, _rng())
    labels = list(NORMS)
    pieces = {
        m: [
            Piece(f"{m}{x}", "train", x, np.full((1, 1), k, np.float32))
            for k, x in enumerate(NORMS)
        ]
        for m in ("audio", "vision")
    }
    encoded = [(text, np.ones((2, 3), np.float32)) for text in texts]
    options = {"conflicts": 0.3, "reserved": 0.3, "singles": True}
    samples = compose(encoded, pieces, _rng(), norms=NORMS, **options)
    quiet = [0, 0, 0, 0]
    for sample, text in zip(samples[:300], texts, strict=True):
        seen = {m: labels[int(sample.sequences[m][0, 0])] for m in ("audio", "vision")}
        shown = {m: NORMS[label] for m, label in seen.items()} | {"text": (0.5, 0.5)}
        for m, values in shown.items():
            assert sample.unimodal[m].tolist() == pytest.approx(values)
        if sample.truth["conflict"]:
            shown.pop(sample.truth["conflicting"])
        else:
            # One is neutral where the others are not: it says nothing.
            named = {**seen, "text": text.label}
            neutral = [m for m, label in named.items() if label == "neutral"]
            quiet[len(neutral)] += 1
            for m in neutral if len(neutral) < 3 else ():
                shown.pop(m)
        expected = np.mean(list(shown.values()), axis=0)
        np.testing.assert_allclose(sample.target, expected, atol=1e-6)
    assert min(quiet) > 20
    for sample in samples[300:]:
        ((_, steps),) = sample.sequences.items()
        assert sample.target.tolist() == pytest.approx(NORMS[labels[int(steps[0, 0])]])


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_real_texts_are_divided_as_they_come(shared_data: Path) -> None:
    said = emobank_texts(shared_data / "text" / "emobank.csv")
    assert [sum(t.part == p for t in said) for p in ("train", "valid", "test")] == [
        8062,
        1000,
        1000,
    ]
    rated = iemocap_rated(shared_data / "iemocap")
    assert not any("script" in text.group for text in rated if text.part != "train")
    dialogues = {part: {t.group for t in rated if t.part == part} for part in ("train", "test")}
    assert not dialogues["train"] & dialogues["test"]
    mustard = mustard_texts(shared_data / "text" / "mustard_plus_plus.csv")
    assert len(mustard) == 1201
    every = np.array([t.value for t in (*said, *rated, *mustard)])
    assert np.abs(every).max() <= 1
