"""A benchmark end to end: its table, what it reuses, what it refuses, and a kill in the middle."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.benchmark import Request, run_benchmark
from affuse.corpora import load_corpus
from affuse.errors import InputError
from affuse.evaluate.tables import BenchmarkResult
from affuse.evaluate.trivial import trivial_scores
from affuse.models import count_parameters, create_model

PROGRAM = Path(sys.executable).with_name("affuse")
SIZES = {"train": 24, "valid": 12, "test": 12}
SETTINGS = {**SIZES, "epochs": 2, "width": 8, "heads": 2, "members": 1}
REQUEST = Request(
    "controlled",
    models=("concat", "hct_mg"),
    seeds=2,
    settings=SETTINGS,
    jobs=2,
    command="affuse benchmark controlled",
)
MODALITIES = ("text", "audio", "vision")
ROWS = ("trivial", *MODALITIES, "concat", "hct_mg")
JOBS = [f"{m}-fold0-seed{s}" for m in ("unimodal-text", "concat", "hct_mg") for s in (0, 1)]


class Finished:
    """A benchmark and the folder that it left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.result, self.records = run_benchmark(REQUEST, folder)
        self.content: dict[str, Any] = json.loads(self.result.to_json())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Path:
    """A folder with the finished runs."""
    return shutil.copytree(finished.folder, tmp_path / "copy")


def written(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.json")}


def test_the_json_keeps_its_contract(finished: Finished) -> None:
    content = finished.content
    assert content.keys() >= {"corpus", "command", "versions", "models"}
    assert content["corpus"] == "controlled[truth=text,train=24,valid=12,test=12]"
    assert content["command"] == REQUEST.command
    assert content["versions"].keys() >= {"affuse", "torch", "numpy", "python"}
    assert tuple(content["models"]) == ROWS
    for name, row in content["models"].items():
        assert row.keys() == {"parameters", "metrics", "primary"}
        assert isinstance(row["parameters"], int)
        assert row["metrics"].keys() >= {"mae", "corr", "acc2_nonzero", "f1_nonzero", "acc7"}
        for score in row["metrics"].values():
            assert score.keys() == {"mean", "std", "ci95", "runs"}
            assert len(score["ci95"]) == 2
            assert len(score["runs"]) == (1 if name == "trivial" else 2)
        assert sum(row["primary"].values()) == (2 if name == "hct_mg" else 0)
        assert set(row["primary"]) <= set(MODALITIES)
    assert BenchmarkResult.from_json(finished.result.to_json()) == finished.result


def test_its_numbers_are_those_of_the_runs(finished: Finished) -> None:
    models = finished.content["models"]
    for name in ("concat", "hct_mg"):
        files = [finished.folder / "runs" / f"{name}-fold0-seed{seed}.json" for seed in (0, 1)]
        runs = [json.loads(file.read_text())["metrics"]["mae"] for file in files]
        score = models[name]["metrics"]["mae"]
        assert score["runs"] == runs
        assert runs[0] != runs[1]
        assert score["mean"] == pytest.approx(np.mean(runs))
        assert score["std"] == pytest.approx(np.std(runs, ddof=1))
    corpus = load_corpus("controlled", options=SIZES)
    floor = {m: s["mean"] for m, s in models["trivial"]["metrics"].items()}
    assert floor == pytest.approx(trivial_scores(corpus))
    assert models["trivial"]["parameters"] == 0
    for name in ("hct_mg", "text"):
        full = f"unimodal:{name}" if name in MODALITIES else name
        model = create_model(full, corpus.widths, 1, {"width": 8, "heads": 2})
        assert models[name]["parameters"] == count_parameters(model)
    assert set(finished.content["paired"]["hct_mg"]) == {"trivial", *MODALITIES, "concat"}
    assert "primary_accuracy" in models["hct_mg"]["metrics"]


def test_only_records_are_left(finished: Finished) -> None:
    names = {p.name for p in (finished.folder / "runs").iterdir()}
    assert names >= {f"{job}.{kind}" for job in JOBS for kind in ("json", "npz")}
    assert len(names) == 20


def test_repeated_it_trains_nothing_and_says_the_same(finished: Finished) -> None:
    before, told = written(finished.folder / "runs"), []
    again, records = run_benchmark(REQUEST, finished.folder, lambda *event: told.append(event))
    assert told == []
    assert written(finished.folder / "runs") == before
    assert again.to_json() == finished.result.to_json()
    assert again.markdown() == finished.result.markdown()
    assert [r["metrics"] for r in records] == [r["metrics"] for r in finished.records]


def test_fewer_models_or_seeds_take_what_is_there(finished: Finished) -> None:
    fewer = replace(REQUEST, models=("hct_mg",), seeds=1)
    before = written(finished.folder / "runs")
    result, _ = run_benchmark(fewer, finished.folder)
    assert written(finished.folder / "runs") == before
    assert result.models["hct_mg"].metrics["mae"].runs == (
        finished.result.models["hct_mg"].metrics["mae"].runs[0],
    )
    assert tuple(result.models) == ("trivial", *MODALITIES, "hct_mg")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"settings": {**SETTINGS, "epochs": 3}}, r"another settings\.epochs;"),
        ({"settings": {**SETTINGS, "seed": 1}}, "another corpus, fingerprint"),
        ({"subsets": True}, "another subsets"),
    ],
)
def test_another_benchmark_does_not_mix_in(finished: Finished, change: Any, match: str) -> None:
    before = written(finished.folder)
    with pytest.raises(InputError, match=match):
        run_benchmark(replace(REQUEST, **change), finished.folder)
    assert written(finished.folder) == before


def test_runs_of_other_options_are_made_anew(finished: Finished, copy: Path) -> None:
    # As left by a version whose preset differed: one finished record and one stopped run.
    record = copy / "runs" / "concat-fold0-seed0.json"
    content = json.loads(record.read_text())
    content["run"]["train"]["learning_rate"] = 0.5
    content["metrics"]["mae"] = -1.0
    record.write_text(json.dumps(content))
    (copy / "runs" / "hct_mg-fold0-seed1.json").unlink()
    stopped = copy / "runs" / "hct_mg-fold0-seed1"
    stopped.mkdir()
    (stopped / "run.json").write_text(json.dumps(content["run"]))
    before = written(copy / "runs")
    result, _ = run_benchmark(REQUEST, copy)
    assert result.to_json() == finished.result.to_json()
    after = written(copy / "runs")
    made = {name for name in after if after[name] != before.get(name)}
    assert made == {"concat-fold0-seed0.json", "hct_mg-fold0-seed1.json"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": {}}'])
def test_damaged_records_are_made_anew(finished: Finished, copy: Path, content: str) -> None:
    (copy / "runs" / "concat-fold0-seed1.json").write_text(content)
    assert run_benchmark(REQUEST, copy)[0].to_json() == finished.result.to_json()


def test_subsets_are_asked_of_every_fusion_model(tmp_path: Path, finished: Finished) -> None:
    request = replace(REQUEST, models=("hct_mg",), seeds=1, subsets=True)
    result, _ = run_benchmark(request, tmp_path)
    subsets = result.extra["subsets"]
    assert tuple(subsets) == ("hct_mg",)
    assert set(subsets["hct_mg"]) == {
        *MODALITIES,
        *("text+audio", "text+vision", "audio+vision", "text+audio+vision"),
    }
    whole = subsets["hct_mg"]["text+audio+vision"]["mae"]
    assert whole["mean"] == pytest.approx(finished.result.models["hct_mg"].metrics["mae"].runs[0])
    # Fusion that shows no gain is not trusted: then the primary alone says what all together say.
    alone = {subsets["hct_mg"][modality]["mae"]["mean"] for modality in MODALITIES}
    assert len(alone) == len(MODALITIES)
    assert json.loads(result.to_json())["subsets"] == subsets


def test_normalisation_other_than_by_the_training_part_is_named(tmp_path: Path) -> None:
    settings = {**SETTINGS, "normalise": "none", "epochs": 1}
    request = replace(REQUEST, models=("concat",), seeds=1, settings=settings, singles=False)
    result, _ = run_benchmark(request, tmp_path)
    assert result.corpus.endswith(", normalise=none")
    assert "normalise=none" in result.markdown()


def test_what_goes_wrong_in_a_run_is_one_error(tmp_path: Path) -> None:
    request = replace(REQUEST, seeds=1, settings={**SETTINGS, "learning_rate": 1e30, "warmup": 0})
    with pytest.raises(InputError, match="diverged: lower the learning rate"):
        run_benchmark(request, tmp_path)
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_is_one_error_and_work_goes_on(
    finished: Finished, copy: Path
) -> None:
    (copy / "runs" / "hct_mg-fold0-seed0.json").unlink()

    def kill_workers(*_: Any) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(InputError, match=r"worker process was killed.*; repeat with fewer --jobs"):
        run_benchmark(REQUEST, copy, kill_workers)
    assert run_benchmark(REQUEST, copy)[0].to_json() == finished.result.to_json()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seeds": 0}, "seeds, jobs and limit; give 1 or more"),
        ({"jobs": 0}, "seeds, jobs and limit"),
        ({"limit": 0}, "seeds, jobs and limit"),
        ({"models": ()}, "no models to compare"),
        ({"models": ("raven",)}, "unknown model 'raven'"),
        ({"models": ("unimodal:smell",)}, "unknown modality 'smell'"),
        ({"settings": {"epoch": 1}}, "did you mean 'epochs'"),
        ({"corpus": "controled"}, "did you mean 'controlled'"),
    ],
)
def test_a_bad_request_leaves_no_trace(tmp_path: Path, change: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        run_benchmark(replace(REQUEST, **change), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_in_the_middle_it_goes_on_to_the_same_end(
    finished: Finished, tmp_path: Path
) -> None:
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    command = [PROGRAM, *REQUEST.command.split()[1:], *settings, "--models", "concat,hct_mg"]
    out = tmp_path / "out"
    with subprocess.Popen(
        [*command, "--seeds", "2", "--jobs", "2", "--out", out],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: len(list((out / "runs").glob("*.json"))) >= 1)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    # Its workers must not write into the runs of the next one.
    wait_for(lambda: not alive(process.pid))
    assert not (out / "result.json").exists()
    kept = written(out / "runs")
    assert 1 <= len([name for name in kept if "/" not in name]) < 10
    result, _ = run_benchmark(REQUEST, out)
    assert result.to_json() == finished.result.to_json()
    after = written(out / "runs")
    assert {name: after[name] for name in kept if "/" not in name}.items() <= kept.items()
