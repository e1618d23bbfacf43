"""Valence and arousal in answers: told where a checkpoint tells them, and absent elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.extract.clip import ClipExtractor
from affuse.fusion import create_model
from affuse.runtime.answers import Answer, ClipAnswer, Trust, WindowAnswer
from affuse.runtime.mean_answers import mean_answer, weighted_answer
from affuse.runtime.predictor import Predictor
from affuse.samples import Sample
from affuse.scale.table_rows import Columns
from affuse.tasks import Values
from affuse.training.checkpoint import Checkpoint
from affuse.training.export_onnx import export_checkpoint

TASK = Values(("valence", "arousal"))
TRUST = {"circumplex": Trust({"text": 1.0}, "text", None)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """An exported checkpoint of several values that reads clips."""
    folder = tmp_path_factory.mktemp("values") / "circumplex"
    extractor = ClipExtractor()
    torch.manual_seed(0)
    options = {"width": 8, "heads": 2, "strides": {"audio": 8}, "values": True}
    model = create_model("hct_mg", extractor.widths, TASK.outputs, options).eval()
    checkpoint = Checkpoint("hct_mg", model, TASK, None, {"features": extractor.versions})
    clip = extractor.settings.model_dump(mode="json")
    config = export_checkpoint(checkpoint, folder, clip=clip, terms="made for a test")
    assert config.conflict_by == "disagreement"
    return folder


@pytest.fixture
def sample() -> Sample:
    widths = ClipExtractor().widths
    rng = np.random.default_rng(0)
    return Sample("a", {m: rng.normal(size=(3, w)).astype(np.float32) for m, w in widths.items()})


def _answer(valence: float, arousal: float) -> Answer:
    values = {"valence": valence, "arousal": arousal}
    return Answer(None, None, TRUST, values=values)


def _clip(*answers: Answer) -> ClipAnswer:
    windows = tuple(WindowAnswer(float(n), n + 1.0, a, ()) for n, a in enumerate(answers))
    whole = mean_answer(windows)
    return ClipAnswer("a.mp4", float(len(windows)), whole, windows, ("circumplex",), {"text": "x"})


def test_a_checkpoint_of_several_values_tells_them(bundle: Path, sample: Sample) -> None:
    predictor = Predictor.from_pretrained(bundle)
    answer = predictor.predict_sample(sample)
    assert answer.values is not None
    assert list(answer.values) == ["valence", "arousal"]
    assert all(-1 <= value <= 1 for value in answer.values.values())
    assert answer.sentiment is answer.emotion is answer.interval is None
    assert "valence" in answer.in_short()
    assert Columns.of(predictor) == Columns((), predictor.sessions[0].modalities, TASK.names)


def test_it_stands_beside_sentiment_and_emotion(
    bundle: Path, bundles: Path, sample: Sample
) -> None:
    alone = Predictor.from_pretrained(bundle)
    others = [Predictor.from_pretrained(bundles / name) for name in ("sentiment", "emotion")]
    together = Predictor([s for one in (*others, alone) for s in one.sessions])
    answer = together.predict_sample(sample)
    assert answer.values == alone.predict_sample(sample).values
    assert answer.sentiment == others[0].predict_sample(sample).sentiment
    assert answer.emotion == others[1].predict_sample(sample).emotion
    assert list(answer.trust) == ["sentiment", "emotion", "circumplex"]
    assert Columns.of(together).values == TASK.names


def test_the_mean_goes_by_lengths_and_leaves_out_what_tells_nothing() -> None:
    spans = [(3.0, _answer(1.0, -1.0)), (1.0, _answer(-1.0, 0.0)), (9.0, Answer(None, None, {}))]
    found = weighted_answer(spans).values
    assert found == pytest.approx({"valence": 0.5, "arousal": -0.75})
    assert weighted_answer(spans[2:]).values is None


def test_json_keeps_them_and_answers_without_stay_as_they_were() -> None:
    clip = _clip(_answer(0.25, -0.5), _answer(0.75, 0.5))
    content = json.loads(clip.to_json())
    assert content["values"] == {"valence": 0.5, "arousal": 0.0}
    assert content["timeline"][1]["values"] == {"valence": 0.75, "arousal": 0.5}
    assert ClipAnswer.from_dict(content).to_dict() == content
    assert ClipAnswer.from_dict(content).answer.values == content["values"]
    without = json.loads(_clip(Answer(1.0, None, TRUST)).to_json())
    assert "values" not in without
    assert "values" not in without["timeline"][0]
    assert ClipAnswer.from_dict(without).answer.values is None


def test_records_have_a_column_for_each() -> None:
    first, second = _clip(_answer(0.25, -0.5), Answer(None, None, {})).to_records()
    assert (first["value_valence"], first["value_arousal"]) == (0.25, -0.5)
    assert "value_valence" not in second
