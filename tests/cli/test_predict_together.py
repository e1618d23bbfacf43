"""Clips that are adapted together, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def folder(shared_data: Path, tmp_path: Path) -> Path:
    """Seven clips of one speaker, and one that is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for file in sorted((shared_data / "voices" / "savee").glob("JK_*.opus"))[:49:7]:
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "JK_broken.wav").write_bytes(b"no media")
    return folder


Predict = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def predict(affuse: Callable[..., Any]) -> Predict:
    def run(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
        done = affuse("predict", "--checkpoint", "emotion", *map(str, arguments), "--json")
        return done.status, [json.loads(line) for line in done.out.splitlines()], done.err

    return run


@pytest.mark.slow
def test_a_folder_and_its_speaker_are_adapted_to(
    folder: Path, tmp_path: Path, predict: Predict
) -> None:
    code, plain, _ = predict(folder)
    assert (code, len(plain)) == (2, 7)
    assert all(one["adapted"] is None for one in plain)
    out = tmp_path / "out"
    code, adapted, said = predict(folder, "--adapt", "folder", "--out", out)
    assert code == 2
    assert "JK_broken.wav" in said
    assert [one["adapted"] for one in adapted] == [{"to": "folder", "utterances": 7}] * 7
    assert [one["emotion"] for one in adapted] != [one["emotion"] for one in plain]
    kept = json.loads((out / f"{Path(adapted[0]['file']).name}.json").read_text())
    assert kept == adapted[0]
    _, by_name, _ = predict(folder, "--adapt", "speaker", "--speaker-from", "^([A-Z]+)_")
    table = tmp_path / "table.csv"
    rows = [f"{one['file']},JK" for one in adapted]
    table.write_text("\n".join(["path,speaker", *rows]))
    _, by_table, _ = predict(table, "--adapt", "speaker")
    for found in (by_name, by_table):
        assert [one["emotion"] for one in found] == [one["emotion"] for one in adapted]
        assert found[0]["adapted"] == {"to": "speaker", "utterances": 7}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--adapt", "speker"], "did you mean 'speaker'"),
        (["--speaker-from", "x"], "--speaker-from 'x' without --adapt speaker"),
        (["--adapt", "speaker", "--speaker-from", "("], "no regular expression"),
        (["--adapt", "folder", "--shard", "1/2"], "--shard of clips that are adapted together"),
        (["--adapt", "folder", "--jobs", "2"], "--jobs of clips that are adapted together"),
        (["--adapt", "folder", "--faces", "all"], "--faces all of clips that are adapted"),
        (["--faces", "all", "--parquet", "tables"], "--faces all into --parquet tables"),
        (["--faces", "both"], "unknown choice of faces 'both'"),
    ],
)
def test_what_does_not_fit_is_said(
    folder: Path, predict: Predict, options: list[str], problem: str
) -> None:
    code, found, said = predict(folder, *options)
    assert (code, found) == (2, [])
    assert problem in said
    assert said.count("\n") == 1
