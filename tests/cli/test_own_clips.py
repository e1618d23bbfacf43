"""The commands for one's own clips, as the guide has them, from a folder to an answer."""

from __future__ import annotations

import csv
import json
import re
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
    taught = affuse("train", str(clips), "--out", model, *QUICK)
    assert taught.status == 0, taught
    assert "text alone: there is nothing to fuse" in taught.err
    assert affuse("export", model, "--out", reader).status == 0
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


@pytest.mark.slow
def test_real_voices_faces_and_words_are_fused(
    affuse: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    """As the guide has it, on segments of films, voices in two codecs, and words."""
    folder = tmp_path / "clips"
    folder.mkdir()
    rows = ["file_name;start;end;text;split;label"]
    parts = ("train", "train", "valid", "test")
    for number, film in enumerate(sorted((shared_data / "clips").glob("*.mpg"))[:2]):
        (folder / film.name).write_bytes(film.read_bytes())
        rows += [
            f"{film.name};{n / 2};{n / 2 + 1.2};so it is;{parts[n]};{('sad', 'glad')[number]}"
            for n in range(4)
        ]
    for number, name in enumerate(("EB0_anger_1", "EB0_anger_10", "JUS_happiness_1")):
        voice = shared_data / "voices" / "nemo" / f"{name}.opus"
        if voice.exists():
            (folder / voice.name).write_bytes(voice.read_bytes())
            rows.append(f"{voice.name};;;;{parts[number]};sad")
    (folder / "metadata.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    model, reader = str(tmp_path / "my-model"), str(tmp_path / "my-reader")
    done = affuse("train", str(folder), "--out", model, *QUICK, "--set", "strict=true")
    assert done.status == 0, done
    report = tmp_path / "report.html"
    asked = ("explain", model, str(folder), "--out", str(report), "--with-media")
    assert affuse(*asked).status == 0
    page = report.read_text()
    assert "so it is" in page
    sources = re.findall(r'<video [^>]*src="(report-media/[^"]+)"', page)
    assert sources
    assert all((tmp_path / source).is_file() for source in sources)
    assert '<div class="track">' in page
    assert affuse("export", model, "--out", reader).status == 0
    answer = affuse("predict", str(folder / film.name), "--checkpoint", reader, "--json")
    gate = json.loads(answer.out)["gate"]
    assert set(gate) == {"text", "audio", "vision"}
    assert gate["text"] == 0 < gate["vision"]
