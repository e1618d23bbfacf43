"""Composed clips: the modalities say the same, but for the conflicts that are planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.adaptation import Usual
from affuse.readers.composed import _of_part, compose
from affuse.readers.composed_sources import (
    EMOTIONS,
    Piece,
    Text,
    iemocap_texts,
    meld_texts,
    mosi_texts,
    polarity,
    rated_texts,
)
from affuse.readers.composed_voices import VOICES, _with_adapted, disturb_sound

LABELS = ("negative", "neutral", "positive")


def _texts(count: int) -> list[tuple[Text, np.ndarray]]:
    values = np.linspace(-3, 3, count)
    return [
        (
            Text(f"t{n}", "train", polarity(v), "words", float(v), f"g{n}"),
            np.ones((2, 3), np.float32),
        )
        for n, v in enumerate(values)
    ]


def _pieces(kind: str) -> list[Piece]:
    """Whose only feature is the label's number."""
    return [
        Piece(f"{kind}{n}", "train", LABELS[n % 3], np.full((1, 1), n % 3, np.float32))
        for n in range(9)
    ]


def _composed(conflicts: float = 0.0, reserved: float = 0.0) -> list:
    pieces = {"audio": _pieces("voice"), "vision": _pieces("face")}
    rng = np.random.default_rng(0)
    return compose(_texts(400), pieces, rng, conflicts=conflicts, reserved=reserved)


def test_without_conflicts_all_say_the_same() -> None:
    for sample in _composed():
        said = LABELS.index(polarity(float(sample.target[0])))
        assert sample.sequences["audio"][0, 0] == sample.sequences["vision"][0, 0] == said
        told = {"conflict": False, "conflicting": None, "told_alone": ["text"]}
        assert sample.truth == told


def test_in_a_conflict_one_contradicts_and_the_label_is_the_others() -> None:
    samples = _composed(conflicts=0.5)
    found = [sample for sample in samples if sample.truth["conflict"]]
    assert 0.4 < len(found) / len(samples) < 0.6
    assert {sample.truth["conflicting"] for sample in found} == {"text", "audio", "vision"}
    for sample, (text, _) in zip(samples, _texts(400), strict=True):
        label = polarity(float(sample.target[0]))
        heard, seen = (LABELS[int(sample.sequences[m][0, 0])] for m in ("audio", "vision"))
        says = {"text": text.label, "audio": heard, "vision": seen}
        odd = {m for m, said in says.items() if said != label}
        expected = {sample.truth["conflicting"]} if sample.truth["conflict"] else set()
        assert odd == expected


def test_the_reserved_are_neutral_and_the_label_is_what_the_rest_shows() -> None:
    neutral, silent = dict.fromkeys(("text", "audio", "vision"), 0), 0
    samples = _composed(conflicts=0.2, reserved=0.5)
    for sample, (text, _) in zip(samples, _texts(400), strict=True):
        if sample.truth["conflict"]:
            continue
        label = polarity(float(sample.target[0]))
        heard, seen = (LABELS[int(sample.sequences[m][0, 0])] for m in ("audio", "vision"))
        says = {"text": text.label, "audio": heard, "vision": seen}
        odd = [m for m, said in says.items() if said != label]
        assert len(odd) <= 1
        if odd:
            silent += 1
            assert says[odd[0]] == "neutral"
            neutral[odd[0]] += 1
    assert 0.3 < silent / len(samples) < 0.5
    assert min(neutral.values()) > 10


def test_each_modality_has_what_it_says_by_itself() -> None:
    for sample, (text, _) in zip(_composed(0.3, 0.5), _texts(400), strict=True):
        assert float(sample.unimodal["text"][0]) == pytest.approx(text.value)
        for m in ("audio", "vision"):
            said = LABELS[int(sample.sequences[m][0, 0])]
            assert polarity(float(sample.unimodal[m][0])) == said


def test_every_voice_and_face_comes_by_itself() -> None:
    pieces = {"audio": _pieces("voice"), "vision": _pieces("face")}
    rng = np.random.default_rng(0)
    samples = compose(_texts(40), pieces, rng, conflicts=0, reserved=0, singles=True)[40:]
    assert len({sample.id for sample in samples}) == len(samples) == 18
    for sample in samples:
        ((_, values),) = sample.sequences.items()
        assert LABELS[int(values[0, 0])] == polarity(float(sample.target[0]))


def test_few_texts_that_validate_come_again_to_meet_others() -> None:
    texts = [(replace(t, part=("valid", "test")[n % 2]), x) for n, (t, x) in enumerate(_texts(300))]
    found = _of_part("valid", texts)
    assert 2000 <= len(found) < 2150
    assert len({text.id for text, _ in found}) == len(found)
    assert {text.group for text, _ in found} == {text.group for text, _ in texts[::2]}
    assert len(_of_part("test", texts)) == 150
    assert _of_part("valid", texts[1::2]) == []


def test_polarity_has_a_neutral_middle() -> None:
    assert [polarity(v) for v in (-3.0, -0.5, -0.4, 0.0, 0.4, 0.5, 3.0)] == [
        *("negative", "negative", "neutral", "neutral", "neutral", "positive", "positive")
    ]


def test_real_sources_are_divided_as_they_come(shared_data: Path) -> None:
    said = meld_texts(shared_data / "text" / "meld.csv")
    assert {text.label for text in said} == set(EMOTIONS)
    parts = {text.part: 0 for text in said}
    assert set(parts) == {"train", "valid", "test"}
    dialogues = {part: {t.group for t in said if t.part == part} for part in parts}
    assert not dialogues["train"] & dialogues["test"]
    judged = mosi_texts(shared_data / "mosi")
    assert sum(text.part == "test" for text in judged) == 686


def test_rated_texts_are_scaled_to_sentiment(tmp_path: Path) -> None:
    (tmp_path / "films_GroundTruth.txt").write_text("1\t-4.0\tDreadful.\n2\t0.4\tA film.\n")
    found = rated_texts(tmp_path)
    assert [(t.text, t.label, t.part) for t in found] == [
        ("Dreadful.", "negative", "train"),
        ("A film.", "neutral", "train"),
    ]
    assert [t.value for t in found] == pytest.approx([-3.0, 0.3])


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "meld.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="utterances"):
        meld_texts(file)


def test_scripted_lines_are_not_tested_on(shared_data: Path) -> None:
    said = iemocap_texts(shared_data / "iemocap")
    assert {text.part for text in said} == {"train", "valid", "test"}
    assert not any("script" in text.group for text in said if text.part != "train")
    assert {text.label for text in said} == {"happy", "sad", "neutral", "angry"}


@pytest.mark.parametrize("corpus", sorted(VOICES))
def test_no_speaker_is_in_two_parts(shared_data: Path, corpus: str) -> None:
    takes = list(VOICES[corpus](shared_data))
    assert all(take.file.is_file() for take in takes)
    parts = {
        part: {t.speaker for t in takes if t.part == part} for part in ("train", "valid", "test")
    }
    assert all(parts.values())
    assert sum(map(len, parts.values())) == len(set.union(*parts.values()))


def test_each_voice_comes_as_it_is_and_taken_to_its_speaker() -> None:
    rng = np.random.default_rng(0)
    pieces = [
        Piece(f"{who}{n}", "train", "happy", rng.normal(mean, 1, (1, 4)).astype(np.float32), who)
        for who, mean in (("low", -5), ("high", 5))
        for n in range(40)
    ]
    usual = Usual.of([piece.features for piece in pieces])
    found = list(_with_adapted(pieces, usual, rng))
    assert [piece.id for piece in found[::2]] == [piece.id for piece in pieces]
    plain, taken = (np.stack([p.features.mean() for p in found[k::2]]) for k in (0, 1))
    assert abs(plain[:40].mean() - plain[40:].mean()) > 9
    assert abs(taken[:40].mean() - taken[40:].mean()) < 6


def test_a_voice_elsewhere_is_still_that_voice_but_not_the_same() -> None:
    steps = np.arange(16_000) / 16_000
    signal = np.sin(2 * np.pi * 700 * steps).astype(np.float32)
    for seed in range(12):
        heard = disturb_sound(signal, np.random.default_rng(seed))
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        assert 0.9 < len(heard) / len(signal) < 1.1
        # The tone stands out of the noise, at up to 8% another speed.
        strength = np.abs(np.fft.rfft(heard))
        pitch = np.arange(len(strength)) * 16_000 / len(heard)
        near = (pitch > 700 / 1.09) & (pitch < 700 * 1.09)
        assert strength[near].max() > 5 * np.median(strength)
