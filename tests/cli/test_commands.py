"""Every command does what it says, run through the entry point."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from affuse import __version__
from affuse.cli.benchmark import command_line
from affuse.fusion import count_parameters, create_model, models

COMMANDS = ("demo", "train", "evaluate", "benchmark", "models", "corpus")
SETTINGS = [
    f"--set={s}" for s in ("train=12", "valid=6", "test=6", "width=8", "heads=2", "members=1")
]
MODALITIES = ("text", "audio", "vision")


def test_version(affuse) -> None:
    assert affuse("--version").out == f"affuse {__version__}\n"


def test_help_lists_the_commands(affuse) -> None:
    done = affuse("--help")
    assert (done.status, done.err) == (0, "")
    for name in COMMANDS:
        assert name in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(affuse, name: str) -> None:
    done = affuse(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Usage: affuse {name}" in done.out


def test_models_as_json(affuse) -> None:
    widths = {"text": 12, "audio": 5, "eeg": 3}
    given = ",".join(f"{m}={width}" for m, width in widths.items())
    rows = json.loads(affuse("models", "--json", "--widths", given, "--outputs", "4").out)
    assert [row["name"] for row in rows] == list(models())
    for row in rows:
        assert row["parameters"] == count_parameters(create_model(row["name"], widths, 4))
        assert row["summary"] == models()[row["name"]].summary


def test_models_as_a_table_with_settings(affuse) -> None:
    done = affuse("models", "--set", "width=8", "--set", "heads=2")
    options = {"width": 8, "heads": 2}
    small = create_model("concat", {"text": 300, "audio": 5, "vision": 20}, 1, options)
    assert done.status == 0
    assert f"{count_parameters(small):,}" in done.out
    assert all(name in done.out for name in models())


def test_train_then_evaluate(affuse, tmp_path: Path) -> None:
    out, scores = tmp_path / "run", tmp_path / "scores.json"
    trained = affuse("train", "controlled", "--out", str(out), *SETTINGS, "--set", "epochs=2")
    assert (trained.status, trained.err) == (0, "")
    config = json.loads((out / "config.json").read_text())
    model = create_model("hct_mg", config["widths"], 1, config["options"])
    assert f"{count_parameters(model):,} parameters" in trained.out
    assert f"epoch {config['training']['best_epoch']} selected" in trained.out
    done = affuse("evaluate", str(out), "controlled", "--subsets", "--json", str(scores))
    assert (done.status, done.err) == (0, "")
    content = json.loads(scores.read_text())
    assert content["trained_on_this"] is True
    assert content["corpus"] == "controlled[truth=text,train=12,valid=6,test=6]"
    assert f"{content['metrics']['mae']:.3f}" in done.out
    assert f"{content['trivial']['mae']:.3f}" in done.out
    assert f"primary: {content['primary']}" in done.out
    assert sum(content["led"].values()) == 6
    assert sum(content["gate"].values()) == pytest.approx(1)
    assert len(content["subsets"]) == 7
    assert content["subsets"]["text+audio+vision"]["mae"] == pytest.approx(
        content["metrics"]["mae"]
    )


def test_evaluate_says_where_the_data_is_not_that_of_training(affuse, place: Path) -> None:
    same, other = place / "same.json", place / "other.json"
    assert "not the data" not in affuse("evaluate", "run", "controlled", "--json", str(same)).out
    arguments = ("evaluate", "run", "controlled", "--set", "test=9", "--json", str(other))
    assert "note: this is not the data that the checkpoint was trained on" in affuse(*arguments).out
    assert json.loads(same.read_text())["trained_on_this"] is True
    assert json.loads(other.read_text())["trained_on_this"] is False
    assert sum(json.loads(other.read_text())["led"].values()) == 9


def test_another_seed_and_model_can_be_trained(affuse, tmp_path: Path) -> None:
    arguments = ("train", "controlled", *SETTINGS, "--set", "epochs=1", "--model", "unimodal:audio")
    for seed in ("0", "1"):
        assert affuse(*arguments, "--seed", seed, "--out", str(tmp_path / seed)).status == 0
    first, second = ((tmp_path / s / "model.safetensors").read_bytes() for s in ("0", "1"))
    assert first != second
    assert json.loads((tmp_path / "1" / "config.json").read_text())["widths"].keys() == {"audio"}


def test_benchmark_writes_what_it_is_asked_for(affuse, tmp_path: Path) -> None:
    as_json, as_csv, out = tmp_path / "b.json", tmp_path / "b.csv", tmp_path / "out"
    arguments = ("benchmark", "controlled", *SETTINGS, "--set", "epochs=1", "--models", "concat")
    done = affuse(
        *(*arguments, "--seeds", "1", "--jobs", "1", "--out", str(out)),
        *("--json", str(as_json), "--csv", str(as_csv)),
    )
    assert (done.status, done.err) == (0, "")
    content = json.loads(as_json.read_text())
    assert content["command"].startswith("affuse benchmark controlled --set=train=12 ")
    assert tuple(content["models"]) == ("trivial", *MODALITIES, "concat", "best possible")
    assert as_json.read_bytes() == (out / "result.json").read_bytes()
    assert as_csv.read_bytes() == (out / "result.csv").read_bytes()
    lines = list(csv.DictReader(io.StringIO(as_csv.read_text())))
    assert {line["model"] for line in lines} == set(content["models"])
    assert "| concat |" in (out / "result.md").read_text()
    for name in content["models"]:
        assert name in done.out


@pytest.mark.slow
def test_demo_shows_the_gate_and_draws(affuse, tmp_path: Path) -> None:
    out = tmp_path / "results"
    quick = ("--seeds", "1", *SETTINGS, "--set", "epochs=2")
    done = affuse("demo", "--out", str(out), *quick)
    assert (done.status, done.err) == (0, "")
    content = json.loads((out / "result.json").read_text())
    assert tuple(content["models"]) == (
        "trivial",
        *MODALITIES,
        "concat",
        "lf_lstm",
        "hct_mg",
        "best possible",
    )
    assert (
        (out / "result.csv").read_text().startswith("corpus,model,members,parameters,metric,mean")
    )
    assert "hct_mg" in (out / "result.md").read_text()
    for name in ("training_curves.png", "gate_over_time.png", "intervals.png"):
        image = (out / name).read_bytes()
        assert image.startswith(b"\x89PNG\r\n")
        assert len(image) > 5000
        assert name in done.out
    assert "Gate weights of HCT-MG" in done.out
    assert "fusion closes" in done.out
    (leader,) = content["models"]["hct_mg"]["primary"]
    assert f"primary modality of hct_mg: {leader} in 1 of 1 runs" in done.out
    assert "affuse train controlled --out my-model" in done.out


def test_the_recorded_command_has_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = (
        "affuse benchmark controlled --out a/b --seeds 2 --json=r.json --jobs 3 --set truth=text"
    )
    monkeypatch.setattr("sys.argv", typed.split())
    assert command_line() == "affuse benchmark controlled --seeds 2 --set truth=text"
    # A `--json` by itself takes nothing with it.
    monkeypatch.setattr("sys.argv", ["affuse", "benchmark", "controlled", "--json", "--seeds", "2"])
    assert command_line() == "affuse benchmark controlled --seeds 2"
