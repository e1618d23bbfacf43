"""A run that was killed at any moment goes on and ends, bit for bit, as if it never stopped."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import Forked, typed

from affuse.samples import Corpus
from affuse.training.checkpoint import CONFIG, WEIGHTS
from affuse.training.fit import STATE_FILE
from affuse.training.session import RUN, train_run

SIZES = {"train": 60, "valid": 30, "test": 30}
SETTINGS = {
    **SIZES,
    "epochs": 6,
    "width": 16,
    "heads": 2,
    "members": 1,
    "noise": 1.5,
    "hct_mg.shift": "{text: 1}",
}
TRAIN = ("train", "controlled", *(f"--set={key}={value}" for key, value in SETTINGS.items()))
LAST = Path("training") / STATE_FILE


def start(*arguments: object) -> Forked:
    return Forked(typed(*arguments), Path())


def finish(*arguments: object) -> None:
    ended = start(*arguments).wait()
    assert (ended.code, ended.err) == (0, "")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def scores(folder: Path) -> dict[str, Any]:
    out = folder.with_suffix(".json")
    finish("evaluate", folder, "controlled", "--json", out)
    content: dict[str, Any] = json.loads(out.read_text())
    return content


def ending(folder: Path) -> tuple[bytes, bytes, list[str]]:
    """Weights and config byte by byte (with history and selected epoch), and what else is there."""
    files = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    return (folder / WEIGHTS).read_bytes(), (folder / CONFIG).read_bytes(), files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(*TRAIN, "--out", folder)
    return folder


@pytest.mark.slow
def test_killed_after_its_first_epoch_and_resumed(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    started = start(*TRAIN, "--out", folder)
    wait_for((folder / LAST).exists)
    started.signal(signal.SIGKILL)
    assert started.wait().code == -signal.SIGKILL
    assert not (folder / CONFIG).exists()
    finish(*TRAIN, "--out", folder, "--resume")
    assert ending(folder) == ending(whole)
    resumed, expected = scores(folder), scores(whole)
    assert resumed == expected
    assert resumed["metrics"]["mae"] > 0


@pytest.mark.slow
def test_killed_in_its_first_epoch(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    started = start(*TRAIN, "--out", folder)
    wait_for((folder / RUN).exists)
    started.signal(signal.SIGKILL)
    started.wait()
    assert not (folder / LAST).exists()
    finish(*TRAIN, "--out", folder, "--resume")
    assert ending(folder) == ending(whole)


@pytest.mark.slow
def test_killed_again_and_again_at_random_moments(whole: Path, tmp_path: Path) -> None:
    folder, rng = tmp_path / "run", np.random.default_rng(0)
    for _ in range(5):
        started = start(*TRAIN, "--out", folder, "--resume")
        time.sleep(float(rng.uniform(0.05, 1)))
        started.signal(signal.SIGKILL)
        started.wait()
    finish(*TRAIN, "--out", folder, "--resume")
    assert ending(folder) == ending(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_stopped_by_a_signal_it_says_how_to_go_on(
    whole: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    folder = tmp_path / "run"
    started = start(*TRAIN, "--out", folder)
    wait_for((folder / LAST).exists)
    started.signal(number)
    ended = started.wait()
    assert ended.code == status
    assert ended.err == "affuse: stopped; repeat the command with --resume to go on\n"
    finish(*TRAIN, "--out", folder, "--resume")
    assert ending(folder) == ending(whole)


def test_a_finished_run_is_left_as_it_is(whole: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in whole.iterdir()}
    finish(*TRAIN, "--out", whole, "--resume")
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in whole.iterdir()} == before


class Snapshots:
    """Copies of a run's folder as a kill right after each epoch would leave it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[Path] = []

    def __call__(self, epoch: int, _: dict[str, float]) -> None:
        copy = self.folder.with_name(f"after{epoch}")
        shutil.copytree(self.folder, copy)
        self.taken.append(copy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("hct_mg", {"average": 0.9, "granularity": "sample", "noise": 1.0}),
        ("concat", {"average": 0, "epochs": 12, "patience": 2, "learning_rate": 0.3}),
    ],
    ids=["hct_mg", "stopped early"],
)
def test_whatever_epoch_was_the_last(
    corpus: Corpus, small_plan, tmp_path: Path, model: str, settings: dict[str, Any]
) -> None:
    torch.set_num_threads(1)
    planned = small_plan(model, **settings)
    snapshots = Snapshots(tmp_path / "run")
    made = train_run(corpus, planned, seed=3, folder=tmp_path / "run", on_epoch=snapshots)
    epochs = len(made.training["history"])
    assert len(snapshots.taken) == epochs
    if "patience" in settings:
        assert epochs < settings["epochs"]
    for done, folder in enumerate(snapshots.taken, start=1):
        repeated: list[int] = []
        train_run(
            corpus,
            planned,
            seed=3,
            folder=folder,
            resume=True,
            on_epoch=lambda epoch, _, seen=repeated: seen.append(epoch),
        )
        assert repeated == list(range(done, epochs))
        assert ending(folder) == ending(tmp_path / "run")


@pytest.mark.slow
def test_a_folder_may_be_moved_before_it_goes_on(
    corpus: Corpus, small_plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    planned, snapshots = small_plan(epochs=2), Snapshots(tmp_path / "run")
    train_run(corpus, planned, seed=3, folder=tmp_path / "run", on_epoch=snapshots)
    snapshots.taken[0].rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "run", tmp_path / "whole")
    shutil.rmtree(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    train_run(corpus, planned, seed=3, folder=Path("moved"), resume=True)
    assert ending(tmp_path / "moved") == ending(tmp_path / "whole")


def test_leftovers_of_a_kill_between_checkpoint_and_tidying_are_removed(
    corpus: Corpus, small_plan, tmp_path: Path
) -> None:
    planned, snapshots = small_plan("concat", epochs=1), Snapshots(tmp_path / "run")
    train_run(corpus, planned, seed=3, folder=tmp_path / "run", on_epoch=snapshots)
    before: Sequence[Any] = ending(tmp_path / "run")
    shutil.copytree(snapshots.taken[0] / "training", tmp_path / "run" / "training")
    train_run(corpus, planned, seed=3, folder=tmp_path / "run", resume=True)
    assert ending(tmp_path / "run") == before
