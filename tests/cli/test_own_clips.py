"""The commands for one's own clips, as the guide has them, from a folder to an answer."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from media_files import tone, write_media

QUICK = ["--set", "epochs=2", "--set", "width=8", "--set", "heads=2", "--set", "audio=functionals"]
SAID = {"glad": "what a lovely happy day", "sad": "this is terrible and sad"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty clips of a folder, one of them a copy of another in another part."""
    folder = tmp_path_factory.mktemp("own") / "clips"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file_name", "text", "speaker", "mood_1", "mood_2"))
        for number in range(20):
            mood = ("glad", "sad")[number % 2]
            write_media(folder / f"{number}.wav", (), tone(0.7 + number // 2 / 50))
            other = "sad" if number == 6 else mood
            table.writerow((f"{number}.wav", SAID[mood], f"s{number // 2 % 5}", mood, other))
    (folder / "18.wav").write_bytes((folder / "0.wav").read_bytes())
    return folder


def test_from_a_folder_to_an_answer(
    affuse: Callable[..., Any], clips: Path, tmp_path: Path
) -> None:
    model, reader = str(tmp_path / "my-model"), str(tmp_path / "my-reader")
    report = tmp_path / "report.html"
    for words in (
        ("train", str(clips), "--out", model, *QUICK),
        ("explain", model, str(clips), "--out", str(report)),
        ("export", model, "--out", reader),
    ):
        done = affuse(*words)
        assert done.status == 0, done
    assert "terrible" in report.read_text()
    said = ("--text", "so lovely", "--json")
    answer = json.loads(affuse("predict", str(clips / "3.wav"), "--checkpoint", reader, *said).out)
    assert set(answer["emotion"]) == {"glad", "sad"}
    assert answer["checkpoint"] == ["my-reader"]


def test_inspect_tells_of_copies_and_annotators(affuse: Callable[..., Any], clips: Path) -> None:
    done = affuse("corpus", "inspect", str(clips), "--set", "audio=functionals", "--json")
    found = json.loads(done.out)
    about = found["recordings"]
    assert (about["clips"], about["having"]["text"], about["having"]["speech"]) == (19, 19, 0)
    assert about["seconds"]["shortest"] == pytest.approx(0.7, abs=0.05)
    assert ["0.wav", "18.wav"] in about["same"]
    (agreement,) = about["agreement"]
    assert (agreement["annotators"], agreement["tied"]) == (2, 1)
    assert agreement["alpha"] > 0.8
    codes = {finding["code"] for finding in found["findings"]}
    assert "copied-clip" in codes
