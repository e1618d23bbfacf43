"""`affuse corpus`, run as a user runs it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from affuse.cli.corpus import corpus_app
from affuse.errors import InputError
from affuse.readers.registry import corpora, load_corpus

SMALL = ("--set", "train=6", "--set", "valid=2", "--set", "test=4")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(corpus_app, list(arguments), env={"COLUMNS": "120"})


def _output(*arguments: str) -> str:
    result = _run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def _inspected(folder: Path, *arguments: str) -> Any:
    out = folder / "examination.json"
    _output("inspect", *arguments, "--json", str(out))
    found = json.loads(out.read_text())
    out.unlink()
    return found


def test_list_shows_every_corpus_and_its_options() -> None:
    text = _output("list")
    for name, entry in corpora().items():
        assert name in text
        for option in entry.options.model_fields:
            assert f"{option}=" in text


def test_list_as_json() -> None:
    listed = {entry["name"]: entry for entry in json.loads(_output("list", "--json"))}
    assert set(listed) == set(corpora())
    assert listed["controlled"]["needs_data"] is False
    assert listed["controlled"]["options"]["truth"] == "text"
    assert listed["mult"]["needs_data"] is True


def test_make_writes_a_file_that_inspect_reads(tmp_path: Path) -> None:
    out = tmp_path / "small.pkl"
    assert "truth=vision" in _output(
        "make", "controlled", "--out", str(out), "--set", "truth=vision", *SMALL
    )
    assert [p.name for p in tmp_path.iterdir()] == ["small.pkl"]
    made = load_corpus("controlled", options={"truth": "vision", "train": 6, "valid": 2, "test": 4})
    summary = _inspected(tmp_path, str(out))
    assert summary["samples"] == 12
    assert {m: v["width"] for m, v in summary["modalities"].items()} == dict(made.widths)
    assert summary["fingerprint"] == load_corpus(str(out)).fingerprint()


def test_convert_writes_a_folder_that_stands_for_the_corpus(tmp_path: Path) -> None:
    file, folder = tmp_path / "small.pkl", tmp_path / "small"
    _output("make", "controlled", "--out", str(file), *SMALL)
    said = _output("convert", str(file), str(folder))
    assert "mult[data=small] written to" in said.replace("\n", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small", "small.pkl"]
    inspected = [_inspected(tmp_path, str(path)) for path in (file, folder)]
    of_files = ("format", "arrays")
    assert [found.pop(key) for found in inspected for key in of_files][0::2] == ["mult", "stored"]
    assert inspected[0] == inspected[1]
    assert inspected[0]["fingerprint"] in said
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    again = _run("convert", str(file), str(folder))
    assert "exists and holds something else" in str(again.exception)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_convert_takes_the_options_of_a_corpus(tmp_path: Path) -> None:
    _output("convert", "controlled", str(tmp_path / "c"), "--set", "truth=audio", *SMALL)
    read = load_corpus(str(tmp_path / "c"))
    assert read.options["truth"] == "audio"
    assert read.folds[0].train[0].truth["primary"] == "audio"


def test_inspect_shows_tables_and_the_floor() -> None:
    text = _output("inspect", "controlled", *SMALL)
    corpus = load_corpus("controlled", options={"train": 6, "valid": 2, "test": 4})
    assert corpus.fingerprint() in text
    for word in ("train", "valid", "test", "text", "audio", "vision", "MAE", "controlled-12"):
        assert word in text
    assert "warning" not in text


def test_inspect_as_json_has_the_trivial_scores(tmp_path: Path) -> None:
    found = _inspected(tmp_path, "controlled", *SMALL)
    assert [p["samples"] for p in found["parts"]] == [6, 2, 4]
    test = load_corpus("controlled", options={"train": 6, "valid": 2, "test": 4}).folds[0]
    mean = np.mean([s.target for s in test.train])
    expected = np.mean([abs(s.target[0] - mean) for s in test.test if s.target is not None])
    assert found["trivial"]["mae"] == pytest.approx(expected, rel=1e-5)


def test_inspect_warns_of_groups_that_parts_share(tmp_path: Path) -> None:
    def part(video: str) -> dict[str, Any]:
        arrays = {m: np.ones((1, t, 2), np.float32) for m, t in (("text", 2), ("audio", 3))}
        vision = np.ones((1, 4, 2), np.float32)
        ids = [[video.encode(), b"0", b"1"]]
        return {**arrays, "vision": vision, "labels": np.zeros((1, 1, 1), np.float32), "id": ids}

    path = tmp_path / "leak.pkl"
    path.write_bytes(pickle.dumps({"train": part("a"), "valid": part("b"), "test": part("a")}))
    text = _output("inspect", "mult", "--data", str(path))
    assert "shared-group" in text
    assert "train/test" in text
    (shared,) = (
        finding
        for finding in _inspected(tmp_path, str(path))["findings"]
        if finding["code"] == "shared-group"
    )
    assert (shared["severity"], shared["where"], shared["count"]) == ("warning", "train/test", 1)


def test_inspect_examines_what_the_reader_refuses(tmp_path: Path) -> None:
    path = tmp_path / "small.pkl"
    _output("make", "controlled", "--out", str(path), *SMALL)
    data = pickle.loads(path.read_bytes())
    data["valid"]["labels"][1] = 9
    path.write_bytes(pickle.dumps(data))
    assert "cannot be used as it is" in _output("inspect", str(path))
    found = _inspected(tmp_path, str(path))
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert [(f["code"], f["where"], f["count"]) for f in errors] == [
        ("label-out-of-range", "valid labels", 1)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "controled"), "did you mean 'controlled'"),
        (("inspect", "mult"), "needs its data"),
        (("inspect", "absent.pkl"), "no such file"),
        (("convert", "absent.pkl", "out"), "no such file"),
        (("convert", "mult", "out"), "needs its data"),
        (("inspect", "controlled", "--set", "truth"), "not key=value"),
        (("inspect", "controlled", "--set", "trut=text"), "did you mean 'truth'"),
        (("make", "mult", "--out", "x.pkl"), "choose one of: controlled"),
        (("make", "some.pkl", "--out", "x.pkl"), "read from files"),
        (("make", "controlled", "--out", "no/such/x.pkl", *SMALL), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run(*arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []
