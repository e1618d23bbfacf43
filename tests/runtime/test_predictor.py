"""Predictors: what they join, keep, copy and refuse, and that they need no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import affuse
from affuse.errors import InputError, RecordingWarning
from affuse.extract.media.live import Follower
from affuse.extract.text.transcript import Transcript, Word
from affuse.runtime import checkpoints
from affuse.runtime.answers import Answer, Trust, WindowAnswer
from affuse.runtime.mean_answers import mean_answer
from affuse.samples import Sample

SPOKEN = Sample("clip", {"text": np.ones((3, 100), np.float32)})


pytestmark = pytest.mark.filterwarnings("ignore::affuse.errors.RecordingWarning")


def test_what_is_lost_is_a_notice_a_warning_and_an_error_if_that_is_asked(
    bundles, recording
) -> None:
    predictor = affuse.load(bundles)
    with pytest.warns(RecordingWarning, match=r"tone\.wav: nobody is heard to speak in it"):
        answer = predictor.predict(recording)
    assert answer.notices == ("nobody is heard to speak in it",)
    assert repr(answer).endswith(", 1 notice)")
    with pytest.raises(InputError, match=r"tone\.wav: nobody is heard .*do without strict"):
        predictor.predict(recording, strict=True)
    content = answer.to_dict()
    assert content["transcript"] == {
        "file": str(recording.with_suffix(".srt")),
        "format": "srt",
        "language": None,
        "cues": 2,
        "skipped": 0,
        "words": 5,
        "inside": 5,
        "known": 1.0,
    }
    assert content["streams"]["picture"] is None
    sound = content["streams"]["sound"]
    assert (sound["track"], sound["rate"], sound["channels"]) == (1, 16_000, 1)
    assert (content["faces"], content["speech"]) == (None, 0.0)


def test_two_checkpoints_answer_together(bundles) -> None:
    predictor = affuse.load(bundles)
    assert predictor.names == ("sentiment", "emotion")
    answer = predictor.predict_sample(SPOKEN)
    assert -3 <= answer.sentiment <= 3
    assert sum(answer.emotion.values()) == pytest.approx(1)
    assert list(answer.emotion) == ["calm", "angry", "sad"]
    assert list(answer.trust) == ["sentiment", "emotion"]
    assert answer.leading.primary == "text"
    assert answer.leading.gate == {"text": 1.0, "audio": 0.0, "vision": 0.0}
    assert answer.leading.conflict == 0
    alone = affuse.load(bundles / "emotion").predict_sample(SPOKEN)
    assert alone.sentiment is None
    assert alone.emotion == pytest.approx(answer.emotion)


@pytest.mark.parametrize(("sentiment", "emotion", "told"), [(0.9, 0.8, 0), (0.8, 0.9, 1)])
def test_the_checkpoint_that_tells_conflicts_best_is_heard(
    bundles, tmp_path, sentiment, emotion, told
) -> None:
    # By voice and face; by all modalities it is the other way round.
    maps = {
        "sentiment": {"audio+vision": (sentiment, -3.0), "any": (emotion, 3.0)},
        "emotion": {"audio+vision": (emotion, -1.0), "any": (sentiment, 3.0)},
    }
    for name, fitted in maps.items():
        shutil.copytree(bundles / name, tmp_path / name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        config["conflict"] = {
            there: {"slope": 0.0, "offset": offset, "auroc": auroc}
            for there, (auroc, offset) in fitted.items()
        }
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    predictor = affuse.load(tmp_path)
    rng = np.random.default_rng(0)
    widths = predictor.sessions[0].config.widths
    seen = {m: rng.normal(size=(2, widths[m])).astype(np.float32) for m in ("audio", "vision")}
    answer = predictor.predict_sample(Sample("a", seen))
    each = [trust.conflict for trust in answer.trust.values()]
    assert each == pytest.approx([1 / (1 + np.exp(3)), 1 / (1 + np.exp(1))])
    assert answer.conflict == each[told]


def test_a_clip_has_a_timeline_with_its_words(bundles, recording) -> None:
    answer = affuse.load(bundles).predict(recording)
    content = answer.to_dict()
    assert json.loads(answer.to_json()) == content
    assert content["duration"] == pytest.approx(2, abs=0.05)
    assert [word["word"] for word in content["words"]] == ["what", "a", "lovely", "day", "terrible"]
    assert [window["start"] for window in content["timeline"]] == [0]
    assert content["primary"] == "text"
    assert content["extractors"].keys() == {"text", "audio", "vision"}
    assert content["checkpoint"] == ["sentiment", "emotion"]
    said = affuse.load(bundles).predict(recording, "what a terrible day").to_dict()
    assert [word["word"] for word in said["words"]] == ["what", "a", "terrible", "day"]
    assert said["sentiment"] != content["sentiment"]


def test_where_nothing_is_said_or_shown_nothing_is_answered(bundles, recording) -> None:
    content = affuse.load(bundles).predict(recording, Transcript(())).to_dict()
    assert content["sentiment"] is None
    assert content["emotion"] is None
    assert (content["gate"], content["primary"], content["conflict"]) == ({}, None, None)


def test_a_stream_answers_every_second(bundles, recording) -> None:
    words = Transcript((Word("lovely", 0.1, 0.5), Word("terrible", 1.2, 1.6)))
    with Follower(recording, idle=0.01) as follower:
        answers = list(affuse.load(bundles).stream(follower, words))
    assert [a.window.end for a in answers] == pytest.approx([1, 2], abs=0.05)
    assert [len(a.window.words) for a in answers] == [1, 2]
    # To read a voice takes some time, and seconds would be too many.
    assert all(0 < a.latency < 60 for a in answers)


def test_what_is_saved_answers_alike(bundles, tmp_path) -> None:
    predictor = affuse.load(bundles)
    predictor.save_pretrained(tmp_path / "both")
    wanted = predictor.predict_sample(SPOKEN)
    assert affuse.Predictor.from_pretrained(tmp_path / "both").predict_sample(SPOKEN) == wanted
    affuse.load(bundles / "emotion").save_pretrained(tmp_path / "one")
    assert {p.name for p in (tmp_path / "one").iterdir()} == {
        "config.json",
        "model.onnx",
        "README.md",
    }
    assert affuse.load(tmp_path / "one").predict_sample(SPOKEN).emotion == wanted.emotion


def _changed(bundles, folder, **changes) -> None:
    shutil.copytree(bundles / "sentiment", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_other_features_are_refused_with_what_differs(bundles, recording, tmp_path) -> None:
    config = json.loads((bundles / "sentiment" / "config.json").read_text())
    features = {**config["features"], "text": "glove 100d words, v0"}
    _changed(bundles, tmp_path / "old", features=features)
    predictor = affuse.load(tmp_path / "old")
    with pytest.raises(InputError, match=r"text as 'glove 100d words, v0'.*extracts 'glove 100d"):
        predictor.predict(recording)
    assert predictor.predict_sample(SPOKEN).sentiment is not None


def test_checkpoints_that_read_clips_differently_are_not_joined(bundles, tmp_path) -> None:
    config = json.loads((bundles / "sentiment" / "config.json").read_text())
    _changed(bundles, tmp_path / "a", clip={**config["clip"], "fps": 4.0})
    shutil.copytree(bundles / "emotion", tmp_path / "b")
    with pytest.raises(InputError, match="read clips differently"):
        affuse.load(tmp_path)


def test_unknown_names_are_refused(bundles, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED", bundles)
    assert checkpoints.shipped() == ("sentiment", "emotion")
    assert affuse.load("emotion").names == ("emotion",)
    assert affuse.load().names == ("sentiment", "emotion")
    with pytest.raises(InputError, match="unknown checkpoint 'emotions'; did you mean 'emotion'"):
        affuse.load("emotions")
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)
    with pytest.raises(InputError, match="has no checkpoints"):
        affuse.load()


def test_the_mean_of_windows_counts_them_by_their_length() -> None:
    def window(start: float, end: float, value: float | None) -> WindowAnswer:
        trust = (
            {}
            if value is None
            else {"s": Trust({"text": value, "audio": 1 - value}, "text", value)}
        )
        emotion = None if value is None else {"calm": value, "sad": 1 - value}
        return WindowAnswer(start, end, Answer(value, emotion, trust, conflict=value), ())

    answer = mean_answer([window(0, 3, 0.0), window(3, 4, 1.0), window(4, 9, None)])
    assert answer.sentiment == pytest.approx(0.25)
    assert answer.emotion == pytest.approx({"calm": 0.25, "sad": 0.75})
    assert answer.trust["s"].gate == pytest.approx({"text": 0.25, "audio": 0.75})
    assert answer.trust["s"].primary == "audio"
    assert answer.trust["s"].conflict == answer.conflict == pytest.approx(0.25)


def test_predicting_imports_no_torch(bundles, recording) -> None:
    program = (
        "import sys, affuse\n"
        "assert 'numpy' not in sys.modules\n"
        "affuse.load(sys.argv[1]).predict(sys.argv[2])\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(bundles), str(recording)], check=True)
