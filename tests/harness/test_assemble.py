"""A results folder is read again without its corpus and without training."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.harness.assemble import read_result
from affuse.harness.request import Request
from affuse.harness.run import run_benchmark
from affuse.report.tables import markdown
from affuse.training.presets import plan
from affuse.training.session import train_run

REQUEST = Request(
    "controlled",
    models=("concat", "hct_mg"),
    seeds=2,
    settings={
        "train": 24,
        "valid": 12,
        "test": 12,
        "epochs": 1,
        "width": 8,
        "heads": 2,
        "hct_mg.members": 2,
        "concat.distil": 3,
    },
    jobs=2,
    command="affuse benchmark controlled",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, and what its benchmark said as `result.json` and `result.md`."""
    folder = tmp_path_factory.mktemp("results")
    result, _ = run_benchmark(REQUEST, folder)
    result.write_json(folder / "result.json")
    (folder / "result.md").write_text(markdown(result))
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.mark.slow
def test_it_says_the_same_byte_for_byte(folder: Path) -> None:
    result = read_result(folder)
    assert result.to_json() == (folder / "result.json").read_text()
    assert markdown(result) == (folder / "result.md").read_text()


def test_models_that_differ_in_members_are_warned_of(folder: Path) -> None:
    result = read_result(folder)
    found = json.loads((folder / "result.json").read_text())["models"]
    assert {name: row["members"] for name, row in found.items()} == {
        **dict.fromkeys(("trivial", "text", "audio", "vision", "concat", "best possible"), 1),
        "hct_mg": 2,
    }
    assert {name: row["distilled"] for name, row in found.items() if row["distilled"]} == {
        "concat": 3
    }
    warning, taught = (line for line in result.warnings if "these models differ" in line)
    assert "concat 3, hct_mg 0" in taught
    assert "text 1, audio 1, vision 1, concat 1, hct_mg 2" in warning
    assert "--set members=2" in warning


def test_runs_that_are_missing_are_fewer_runs(copy: Path) -> None:
    for name in ("hct_mg-fold0-seed1", "concat-fold0-seed0", "concat-fold0-seed1"):
        (copy / "runs" / f"{name}.json").unlink()
    part = read_result(copy)
    assert part.models["concat"].metrics == {}
    assert len(part.models["hct_mg"].metrics["mae"].runs) == 1
    assert len(part.models["text"].metrics["mae"].runs) == 2
    assert set(part.paired["hct_mg"]) == {"trivial", "text", "audio", "vision", "best possible"}


def test_runs_of_another_time_do_not_count(copy: Path) -> None:
    file = copy / "runs" / "hct_mg-fold0-seed1.json"
    record = json.loads(file.read_text())
    record["run"]["train"]["learning_rate"] = 0.5
    file.write_text(json.dumps(record))
    assert len(read_result(copy).models["hct_mg"].metrics["mae"].runs) == 1


@pytest.mark.parametrize("entry", ["answers", "versions", "test_opened"])
def test_runs_of_a_version_that_kept_less_do_not_count(copy: Path, entry: str) -> None:
    file = copy / "runs" / "hct_mg-fold0-seed1.json"
    record = json.loads(file.read_text())
    del record[entry]
    file.write_text(json.dumps(record))
    assert len(read_result(copy).models["hct_mg"].metrics["mae"].runs) == 1


@pytest.mark.parametrize("damage", ["absent", "cut", "another"])
def test_runs_count_with_their_answers_alone(copy: Path, damage: str) -> None:
    file = copy / "runs" / "hct_mg-fold0-seed1.npz"
    if damage == "another":
        shutil.copy(copy / "runs" / "hct_mg-fold0-seed0.npz", file)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        file.unlink()
    assert len(read_result(copy).models["hct_mg"].metrics["mae"].runs) == 1


def test_folders_that_cannot_be_read_are_one_line(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for other in ("notes", "nowhere"):
        with pytest.raises(InputError, match="not the results folder of a benchmark; give"):
            read_result(tmp_path / other)
    about = copy / "table.json"
    for text, says in (
        ("{", "not what a benchmark writes"),
        ("{}", "entry 'corpus': field required"),
    ):
        about.write_text(text)
        with pytest.raises(InputError, match=says):
            read_result(copy)
    about.unlink()
    # A result may be kept without its runs; without either there is what an old version left.
    assert read_result(copy).to_json() == (copy / "result.json").read_text()
    (copy / "result.json").unlink()
    with pytest.raises(InputError, match=r"has no table.json; repeat the benchmark's command"):
        read_result(copy)


@pytest.mark.slow
def test_rows_that_began_elsewhere_are_named(tmp_path: Path) -> None:
    settings = REQUEST.settings
    planned = plan("controlled", "unimodal:text", settings)
    corpus = replace(REQUEST.read(), name="elsewhere")
    train_run(corpus, planned, seed=0, folder=tmp_path / "origin")
    begun = {**settings, "init": str(tmp_path / "origin")}
    asked = replace(REQUEST, models=("concat",), seeds=1, settings=begun)
    result, _ = run_benchmark(asked, tmp_path / "results")
    (warning,) = (line for line in result.warnings if "began" in line)
    # Audio and vision alone have nothing of it.
    assert warning.startswith("text, concat began with weights trained on elsewhere: ")
    assert warning in markdown(result)
