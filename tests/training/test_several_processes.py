"""Two processes train as one does with the whole batch, and go on as exactly."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import Forked, typed

from affuse.errors import InputError
from affuse.fusion import create_model, models
from affuse.readers import load_corpus
from affuse.samples import Corpus
from affuse.training.checkpoint import CONFIG, WEIGHTS
from affuse.training.compute import Compute
from affuse.training.fit import STATE_FILE, FitResult, fit
from affuse.training.normalise import normalise
from affuse.training.presets import Plan, TrainOptions, plan
from affuse.training.session import train_run

TWO = Compute(accelerator="cpu", devices=2)
# The last batch of an epoch has one sample: a process has nothing of it.
SIZES = {"train": 41, "valid": 21, "test": 20}
ONE_STEP = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "warmup": 0.5}


@pytest.fixture(scope="module")
def uneven() -> Corpus:
    return load_corpus("controlled", options=SIZES)


def _fit(
    corpus: Corpus, model: str, compute: Compute, folder: Path, own: dict[str, Any], **train: Any
) -> FitResult:
    """Without anything random: no dropout of any kind."""
    torch.set_num_threads(1)
    split, _ = normalise(corpus.folds[0], "train")
    names = models()[model].cls.Options.model_fields
    still = {name: 0.0 for name in names if name.endswith("dropout")}
    small = {name: value for name, value in {"width": 8, "heads": 2}.items() if name in names}
    build = partial(
        create_model, model, corpus.widths, corpus.task.outputs, {**still, **small, **own}
    )
    options = TrainOptions(**{**ONE_STEP, **train})
    return fit(
        *(build, corpus.task, split.train, split.valid, options),
        seed=1,
        folder=folder,
        compute=compute,
    )


def _same_to(ours: FitResult, theirs: FitResult, tolerance: float) -> None:
    assert ours.best_epoch == theirs.best_epoch
    for one, other in zip(ours.history, theirs.history, strict=True):
        assert one == pytest.approx(other, abs=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "own", "train"),
    [
        ("hct_mg", {"members": 2}, {}),
        ("hct_mg", {"gate": "agreement"}, {"average": 0}),
        ("hct_mg", {"granularity": "batch"}, {}),
        ("hct_mg", {"gate": "paper"}, {}),
        ("misa", {}, {}),
        ("mult", {"layers": 1}, {}),
    ],
    ids=lambda x: str(x),
)
def test_two_processes_come_to_the_metrics_of_one(
    uneven: Corpus, tmp_path: Path, model: str, own: dict[str, Any], train: dict[str, Any]
) -> None:
    alone = _fit(uneven, model, Compute(), tmp_path / "one", own, **train)
    two = _fit(uneven, model, TWO, tmp_path / "two", own, **train)
    _same_to(alone, two, 1e-4)
    # Adam makes as much of a gradient that is nothing but rounding: such weights differ, and
    # nothing depends on them.
    pairs = zip(alone.model.parameters(), two.model.parameters(), strict=True)
    apart = torch.cat([(one - other).detach().abs().flatten() for one, other in pairs])
    assert float(apart.mean()) < 1e-4


@pytest.mark.slow
def test_noise_on_gradients_is_the_same_in_all(uneven: Corpus, tmp_path: Path) -> None:
    """Else their weights would part, and what is kept would be one of several."""
    two = _fit(uneven, "concat", TWO, tmp_path, {"own_heads": True}, ogm_ge=0.5, average=0)
    assert np.isfinite(two.history[-1]["valid_mae"])
    split, _ = normalise(uneven.folds[0], "train")
    # The record is of all samples: had they parted, half of it would be of other weights.
    from affuse.evaluation.held_out import run_model

    said = run_model(two.model, split.valid).prediction[:, 0]
    target = np.array([s.target[0] for s in split.valid if s.target is not None])
    record = two.history[two.best_epoch]
    assert float(np.abs(said - target).mean()) == pytest.approx(record["valid_mae"], abs=1e-5)


def _plan(**settings: Any) -> Plan:
    small = {"width": 8, "heads": 2, "epochs": 3, "batch_size": 8, "noise": "{text: 1.0}"}
    return plan("controlled", "hct_mg", {**small, **settings})


def _ending(folder: Path) -> tuple[bytes, bytes]:
    return (folder / WEIGHTS).read_bytes(), (folder / CONFIG).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_a_run_goes_on_from_whatever_epoch_to_the_same_bits(
    uneven: Corpus, tmp_path: Path, processes: int
) -> None:
    torch.set_num_threads(1)
    run, compute = tmp_path / "run", Compute(accelerator="cpu", devices=processes)

    def keep(epoch: int, _: object) -> None:
        shutil.copytree(run, tmp_path / f"after{epoch}")

    train_run(uneven, _plan(), seed=3, folder=run, on_epoch=keep, compute=compute)
    for epoch in (0, 2):
        folder = tmp_path / f"after{epoch}"
        train_run(uneven, _plan(), seed=3, folder=folder, resume=True, compute=compute)
        assert _ending(folder) == _ending(run)


def _typed(out: Path, *more: object) -> Forked:
    sizes = (f"--set={key}={value}" for key, value in SIZES.items())
    small = ("--set=epochs=6", "--set=width=8", "--set=heads=2", "--set=batch_size=8")
    return Forked(
        typed(
            *("train", "controlled", "--accelerator=cpu", "--out", out, *sizes, *small, *more),
        ),
        Path(),
    )


def _wait_for(state: Path) -> None:
    deadline = time.monotonic() + 120
    while not state.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_parts_end_the_whole_which_goes_on(tmp_path: Path) -> None:
    """A process of the team, then whoever asked; and another number of processes is refused."""
    whole, folder = tmp_path / "whole", tmp_path / "run"
    ended = _typed(whole, "--devices=2").wait()
    assert ended.code == 0, ended.err
    state = folder / "training" / STATE_FILE
    started = _typed(folder, "--devices=2")
    _wait_for(state)
    os.kill(max(started.workers()), signal.SIGKILL)
    ended = started.wait()
    assert ended.code == 2
    assert "affuse: a training process was killed; with --resume it goes on" in ended.err
    assert not started.workers()
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        before = state.stat().st_mtime_ns
        started = _typed(folder, "--devices=2", "--resume")
        deadline = time.monotonic() + 120
        while state.exists() and state.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started.signal(number)
        assert started.wait().code in (code, 0)
        while started.workers():
            time.sleep(0.01)
        if not state.exists():
            break
    other = _typed(folder, "--devices=3", "--resume").wait()
    assert other.code == 2
    assert "holds a run by 2 processes at precision 32, and 3 processes" in other.err
    assert _typed(folder, "--devices=2", "--resume").wait().code == 0
    assert _ending(folder) == _ending(whole)


@pytest.mark.slow
def test_two_nodes_on_one_machine(uneven: Corpus, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def node(number: int) -> Forked:
        def action() -> None:
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            os.environ["NODE_RANK"] = str(number)
            shared = Compute(accelerator="cpu", nodes=2)
            made = train_run(
                uneven,
                _plan(pretrain="tuned", epochs=2, noise="{}"),
                seed=3,
                folder=tmp_path / "two",
                compute=shared,
            )
            (tmp_path / f"node{number}").write_text(str(made.training["best_epoch"]))

        return Forked(action, tmp_path)

    ended = [forked.wait() for forked in [node(1), node(0)]]
    assert [e.code for e in ended] == [0, 0], [e.err for e in ended]
    one = Compute(accelerator="cpu", devices=2)
    planned = _plan(pretrain="tuned", epochs=2, noise="{}")
    train_run(uneven, planned, seed=3, folder=tmp_path / "one", compute=one)
    assert _ending(tmp_path / "two") == _ending(tmp_path / "one")
    assert (tmp_path / "node0").read_text() == (tmp_path / "node1").read_text()


@pytest.mark.slow
def test_a_benchmark_whose_runs_have_two_processes_each(tmp_path: Path) -> None:
    from affuse.harness.records import read_about, read_runs

    words = ("benchmark", "controlled", "--models=concat", "--no-singles", "--seeds=2", "--jobs=2")
    sizes = [f"--set={key}={value}" for key, value in {**SIZES, "concat.dropout": 0}.items()]
    records = []
    for devices in (1, 2):
        out = tmp_path / str(devices)
        options = ("--epochs=2", "--set=concat.input_dropout=0", "--log=csv", "--accelerator=cpu")
        typed_out = ("--out", out, f"--devices={devices}", "--set=width=8", "--set=heads=2")
        ended = Forked(typed(*words, *sizes, *options, *typed_out), tmp_path).wait()
        assert ended.code == 0, ended.output
        assert (out / "logs" / "concat-fold0-seed1" / "metrics.csv").exists()
        records.append([run.record for run in read_runs(out, read_about(out))])
    for alone, both in zip(*records, strict=True):
        assert both["metrics"] == pytest.approx(alone["metrics"], abs=1e-4)
        assert both["run"]["compute"] == {"processes": 2}


def test_fewer_samples_than_processes_are_refused(uneven: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="22 processes, and a part of 21 sample"):
        _fit(uneven, "concat", Compute(accelerator="cpu", devices=22), tmp_path, {})


@pytest.mark.slow
def test_another_way_to_compute_is_another_run(uneven: Corpus, tmp_path: Path) -> None:
    planned = plan("controlled", "concat", {"epochs": 1, "width": 8, "heads": 2})
    train_run(uneven, planned, seed=0, folder=tmp_path / "run", compute=Compute("cpu"))
    for other, said in (
        (TWO, "holds a run by 1 process at precision 32, and 2 processes at precision 32"),
        (Compute("cpu", precision="bf16-mixed"), "and 1 process at precision bf16-mixed"),
    ):
        with pytest.raises(InputError, match=said):
            train_run(uneven, planned, seed=0, folder=tmp_path / "run", resume=True, compute=other)
