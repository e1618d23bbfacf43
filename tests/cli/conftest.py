"""`affuse` run through its entry point in this process, and what a user may have lying around."""

from __future__ import annotations

import math
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from affuse.cli.main import run
from affuse.readers import load_corpus
from affuse.readers.pickles.mult_format import to_mult_pickle
from affuse.training.presets import plan
from affuse.training.session import train_run

# What the tables of bad inputs set too, so that their runs are these.
SMALL = {"train": 12, "valid": 6, "test": 6, "width": 8, "heads": 2, "members": 1, "epochs": 2}


class Done(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True, scope="module")
def _what_probes_find_is_not_tested(quick_probes: None) -> None:
    """In every test of this folder."""


@pytest.fixture
def affuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """`affuse(*arguments) -> Done`."""
    monkeypatch.setenv("COLUMNS", "120")
    # On a slow machine lines of progress would come among what is compared.
    monkeypatch.setattr("affuse.progress.QUIET_SECONDS", math.inf)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["affuse", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        status = ended.value.code
        return Done(status if isinstance(status, int) else 0, *capsys.readouterr())

    return call


def _mult_part(rows: int = 2, **changes: Any) -> dict[str, Any]:
    part = {m: np.ones((rows, 3, 2), np.float32) for m in ("text", "audio", "vision")}
    return {**part, "labels": np.zeros((rows, 1, 1), np.float32), **changes}


def _write_assets(folder: Path) -> None:
    options = {k: v for k, v in SMALL.items() if k in ("train", "valid", "test")}
    corpus = load_corpus("controlled", options=options)
    good = to_mult_pickle(corpus)
    (folder / "good.pkl").write_bytes(good)
    emotions = pickle.loads(good)
    for part in emotions.values():
        part["labels"] = np.tile(np.float32([1, 0]), (len(part["labels"]), 4, 1))
    (folder / "emotions.pkl").write_bytes(pickle.dumps(emotions))
    narrow = {name: _mult_part() for name in ("train", "valid", "test")}
    (folder / "narrow.pkl").write_bytes(pickle.dumps(narrow))
    _write_runs(folder, corpus)
    (folder / "notes").mkdir()
    (folder / "notes" / "thesis.tex").write_text("Chapter 1")
    for name in ("mosi", "ravdess", "ravdess-mute/audio"):
        (folder / name).mkdir(parents=True)
    np.savez(folder / "mosi" / "utterances.npz", ids=["a"])
    (folder / "ravdess-mute" / "audio" / "03-01-01-01-01-01-01.flac").write_bytes(b"fLaC")


def _write_runs(folder: Path, corpus: Any) -> None:
    """A finished run, one that stopped after its first epoch, and damaged copies."""

    def stop(epoch: int, _: dict[str, float]) -> None:
        if epoch == 0:
            shutil.copytree(folder / "run", folder / "stopped")

    planned = plan("controlled", "hct_mg", SMALL)
    train_run(corpus, planned, seed=0, folder=folder / "run", on_epoch=stop)
    for name in ("damaged-config", "damaged-weights", "foreign-config", "damaged-state"):
        shutil.copytree(folder / ("stopped" if name == "damaged-state" else "run"), folder / name)
    (folder / "damaged-config" / "config.json").write_text('{"format": 1, "model": ')
    (folder / "foreign-config" / "config.json").write_text('{"hidden_size": 768}')
    weights = folder / "damaged-weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    state = folder / "damaged-state" / "training" / "last.ckpt"
    state.write_bytes(state.read_bytes()[:1000])


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    _write_assets(folder)
    return folder


@pytest.fixture
def place(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: corpora, runs and other things to get wrong."""
    folder = tmp_path / "place"
    shutil.copytree(assets, folder)
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def contents(place: Path) -> Callable[[], dict[str, bytes | None]]:
    """`contents()`: every path below the current folder, with the bytes of files."""

    def look() -> dict[str, bytes | None]:
        paths = sorted(place.rglob("*"))
        return {str(p): p.read_bytes() if p.is_file() else None for p in paths}

    return look


@pytest.fixture(scope="session")
def assert_one_line() -> Callable[[int, str, tuple[str, ...]], None]:
    """`assert_one_line(status, err, says)`: exit 2 with one line of a problem and a remedy."""

    def check(status: int, err: str, says: tuple[str, ...]) -> None:
        assert status == 2, err
        assert err.startswith("affuse: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        problem, _, remedy = err.rpartition("; ")
        assert problem
        assert remedy.strip()
        for words in says:
            assert words in err

    return check
