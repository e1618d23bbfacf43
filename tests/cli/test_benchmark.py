"""The options of `affuse benchmark`, and what it prints and writes beside the numbers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from affuse.cli.benchmark import command_line
from affuse.harness.results import BenchmarkResult
from affuse.report.latex import latex

SMALL = [f"--set={s}" for s in ("train=16", "valid=6", "test=6", "width=8", "heads=2", "members=1")]
QUICK = (*SMALL, "--models", "concat,hct_mg", "--seeds", "1", "--jobs", "1")


@pytest.mark.slow
def test_plain_options_for_a_quick_look(affuse, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--epochs", "1", "--limit", "5", "--reference", "concat", "--out", str(out))
    done = affuse("benchmark", "controlled", *QUICK, *options)
    assert (done.status, done.err) == (0, "")
    content = json.loads((out / "result.json").read_text())
    assert content["corpus"].endswith("test=6], limit=5")
    assert content["settings"]["epochs"] == 1
    assert content["command"].endswith("--epochs 1 --limit 5 --reference concat")
    assert {row["train"]["epochs"] for row in content["configuration"].values()} == {1}
    assert list(content["paired"]) == ["concat"]
    assert "limit=5" in done.out
    assert "of one seed: nothing is known" in " ".join(done.out.split())


@pytest.mark.slow
def test_warnings_and_a_table_for_papers_are_written(affuse, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = affuse("benchmark", "controlled", *QUICK, "--epochs", "1", "--out", str(out))
    result = BenchmarkResult.read_json(out / "result.json")
    assert result.warnings
    printed = " ".join(done.out.split())
    for line in result.warnings:
        assert f"warning: {line}" in printed
        assert f"Warning: {line}." in (out / "result.md").read_text()
    assert (out / "result.tex").read_text() == latex(result)


@pytest.mark.slow
def test_settings_of_epochs_give_way_to_the_option(affuse, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--set", "epochs=7", "--epochs", "1", "--models", "concat", "--no-singles")
    done = affuse("benchmark", "controlled", *QUICK, *options, "--out", str(out))
    assert "no single modality stands beside these models" in " ".join(done.out.split())
    configuration = json.loads((out / "result.json").read_text())["configuration"]
    assert configuration["concat"]["train"]["epochs"] == 1


def test_a_file_that_hands_out_labels_is_one_line(
    affuse, place: Path, contents, assert_one_line
) -> None:
    parts = pickle.loads((place / "good.pkl").read_bytes())
    many = {k: np.concatenate([v] * 4) for k, v in parts["test"].items() if k != "id"}
    labels = np.linspace(-2, 2, len(many["labels"]), dtype=np.float32)
    rng = np.random.default_rng(0)
    many = {k: v + rng.normal(0, 0.1, v.shape).astype(np.float32) for k, v in many.items()}
    many["labels"] = labels[:, None, None]
    many["audio"][:, :, 1] = 100 + labels[:, None]
    for name, test in (("told", many), ("shared", parts["train"])):
        kept = {k: v for k, v in parts.items() if k != "test"} | {"test": test}
        Path(f"{name}.pkl").write_bytes(pickle.dumps(kept))
    before = contents()
    done = affuse("benchmark", "told.pkl", "--models", "concat", "--out", "new")
    assert_one_line(done.status, done.err, ("of audio, column 1, tells the test labels",))
    done = affuse("benchmark", "shared.pkl", "--models", "concat", "--out", "new")
    assert_one_line(done.status, done.err, ("12 samples of train are test samples too",))
    assert contents() == before


def test_an_unknown_reference_is_one_line(affuse, place: Path, assert_one_line) -> None:
    done = affuse("benchmark", "controlled", *QUICK, "--reference", "concta")
    assert_one_line(done.status, done.err, ("unknown reference 'concta'", "did you mean 'concat'"))
    assert not (place / "new").exists()


def test_options_that_change_numbers_stay_in_the_command(monkeypatch) -> None:
    typed = "affuse benchmark c --limit 5 --jobs 2 --epochs 3 --out x --reference concat"
    monkeypatch.setattr("sys.argv", typed.split())
    assert command_line() == "affuse benchmark c --limit 5 --epochs 3 --reference concat"
