"""The checkpoints that come with affuse: small, documented, and good on clips and on any subset."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.extract.clip import ClipExtractor, ClipSettings
from affuse.extract.text.transcript import Word
from affuse.runtime.checkpoints import SHIPPED, shipped, shipped_together
from affuse.runtime.predictor import Predictor
from affuse.samples import Sample

NAMES = sorted(path.parent.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("model.onnx"))
MANY = "multilingual"
MODALITIES = ("text", "audio", "vision")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return affuse.load()


def test_english_ones_come_with_affuse_and_those_of_many_languages() -> None:
    many = ("multilingual/emotion", "multilingual/sentiment")
    assert ["circumplex", "emotion", *many, "sentiment"] == NAMES
    # Those of many languages answer where they are asked for by name.
    english = ("sentiment", "emotion", "circumplex")
    assert (shipped(), shipped_together()) == (english, (MANY,))
    assert affuse.load().names == english
    assert affuse.load(MANY).names == ("multilingual-sentiment", "multilingual-emotion")


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_says_what_it_learned_from(name: str) -> None:
    folder = SHIPPED / name
    assert (folder / "model.onnx").stat().st_size < 4e6
    card = (folder / "README.md").read_text()
    for wanted in (
        "## Training data",
        "not for commercial use",
        "## Test",
        "| text+audio+vision |",
    ):
        assert wanted in card


@pytest.mark.parametrize("name", NAMES)
def test_each_reads_the_features_that_clips_give(name: str) -> None:
    config = affuse.load(SHIPPED / name).sessions[0].config
    extractor = ClipExtractor(ClipSettings(**config.clip))
    assert config.widths == extractor.widths
    assert config.features == extractor.versions


@pytest.mark.parametrize("kept", [k for n in (1, 2, 3) for k in combinations(MODALITIES, n)])
def test_any_subset_is_answered(predictor: Predictor, kept: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    widths = predictor.sessions[0].config.widths
    sequences = {m: rng.normal(size=(3, widths[m])).astype(np.float32) for m in kept}
    answer = predictor.predict_sample(Sample("a", sequences))
    assert -3 <= answer.sentiment <= 3
    assert sum(answer.emotion.values()) == pytest.approx(1, abs=1e-3)
    assert list(answer.values) == ["valence", "arousal"]
    assert all(-1 <= value <= 1 for value in answer.values.values())


def test_words_tell_how_pleasant_and_how_aroused(predictor: Predictor) -> None:
    text = predictor.extractor().features

    def said(words: str) -> tuple[float, float]:
        timed = tuple(Word(w, 0.0, 1.0) for w in words.split())
        sample = text.sample_of("a", 0.0, np.zeros(0, np.float32), [], timed)
        values = predictor.predict_sample(sample).values
        return values["valence"], values["arousal"]

    won, tired = said("Oh my god, we won, we won!"), said("I am so tired and bored")
    hate, plain = said("I hate you, get out of my sight!"), said("We meet at five in the office")
    assert won[0] > 0.3 > plain[0] > -0.3 > max(tired[0], hate[0])
    assert min(won[1], hate[1]) > 0.5 > 0.3 > max(plain[1], tired[1])


def test_what_is_said_decides_where_nothing_else_is_known(predictor: Predictor) -> None:
    text = predictor.extractor().features

    def said(words: str) -> float:
        timed = tuple(Word(w, 0.0, 1.0) for w in words.split())
        sample = text.sample_of("a", 0.0, np.zeros(0, np.float32), [], timed)
        return predictor.predict_sample(sample).sentiment

    assert said("this film is wonderful and I loved it") > 0.5
    assert said("this film is awful and I hated it") < -0.5


def test_people_who_read_out_commands_are_neutral(predictor: Predictor, shared_data: Path) -> None:
    for clip in sorted((shared_data / "clips").glob("*.mpg"))[:2]:
        answer = predictor.predict(clip).answer
        assert max(answer.emotion, key=answer.emotion.get) == "neutral"
        assert abs(answer.sentiment) < 1
        assert answer.conflict < 0.1
