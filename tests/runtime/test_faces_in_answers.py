"""What answers say of faces: whose, why, how much is seen, and each by itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.extract.account import Account
from affuse.extract.clip import Window
from affuse.extract.whose_face import Whose
from affuse.report.answer_files import account_lines, window_rows
from affuse.runtime.answers import Answer, ClipAnswer
from affuse.runtime.predictor import Predictor
from affuse.samples import Sample

SPEAKS = Whose(2, "speaks", 0.9, (0.2, 0.5, 0.3), 1.0, None)
BESIDE = Whose(1, "beside", 1.0, (0.8, 0.5, 0.3), 0.25, "too dark")


@pytest.fixture(scope="module")
def predictor(bundles: Path) -> Predictor:
    return affuse.load(bundles)


@pytest.fixture(scope="module")
def seen(predictor: Predictor) -> Sample:
    rng, widths = np.random.default_rng(0), predictor.extractor().widths
    steps = {m: rng.normal(size=(3, widths[m])).astype(np.float32) for m in ("audio", "vision")}
    times = {m: np.arange(3, dtype=np.float32) for m in steps}
    return Sample("a", steps, times=times)


def value(answer: Answer) -> float:
    assert answer.sentiment is not None
    return answer.sentiment


@pytest.mark.parametrize("quality", [1.0, 0.25])
def test_a_face_counts_as_much_as_is_seen_of_it(
    predictor: Predictor, seen: Sample, quality: float
) -> None:
    face = SPEAKS._replace(quality=quality)
    found = predictor.answer_of(Window(0.0, 3.0, seen, (), face=face), {})
    whole = predictor.predict_sample(seen)
    without = predictor.predict_sample(seen.keep(("audio",)))
    wanted = quality * value(whole) + (1 - quality) * value(without)
    assert value(found) == pytest.approx(wanted)
    assert found.leading is not None
    assert sum(found.leading.gate.values()) == pytest.approx(1)
    assert (found == whole) == (quality == 1)


def test_each_face_has_a_timeline_by_itself(predictor: Predictor, seen: Sample) -> None:
    alone = seen.keep(("vision",))
    windows = [
        Window(0.0, 3.0, seen, (), face=SPEAKS, each=((BESIDE, alone), (SPEAKS, alone))),
        Window(3.0, 5.0, seen, (), face=BESIDE._replace(why="only"), each=()),
    ]
    answers = [predictor.window_answer(window, {}) for window in windows]
    whole = predictor.whole(Path("a.mp4"), answers, Account(), None, "all")
    content = json.loads(whole.to_json())
    assert content["face"] == {"person": 2, "why": "speaks", "share": 0.54}
    first = content["timeline"][0]
    assert first["face"]["place"] == [0.2, 0.5, 0.3]
    assert first["face_quality"] == 1
    assert content["timeline"][1]["face_quality"] == 0.25
    assert [face["person"] for face in content["by_face"]] == [1, 2]
    (dark,) = content["by_face"][0]["timeline"]
    assert dark["gate"]["vision"] == 1
    assert (dark["face"]["why"], dark["face"]["lacks"]) == ("beside", "too dark")
    assert ClipAnswer.from_dict(content).to_dict() == whole.to_dict()
    rows = list(window_rows(content))
    assert [row["of"] for row in rows] == ["all", "all", "face 1", "face 2"]
    assert [row["face_quality"] for row in rows] == [1, 0.25, 0.25, 1]


def test_the_account_says_whose_face_is_read() -> None:
    picture = {"track": 1, "tracks": 1, "title": None, "language": None, "codec": "h264"}
    content = {
        "transcript": None,
        "streams": {"sound": None, "picture": picture},
        "faces": {"share": 1.0, "people": 2},
        "face": {"person": 2, "why": "speaks", "share": 0.9},
    }
    (line,) = account_lines(content)
    assert line.endswith("at most 2 at once; mostly that of person 2 is read, who speaks")
