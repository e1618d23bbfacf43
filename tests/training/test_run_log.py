"""What is written of epochs for other programs."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from affuse.errors import InputError
from affuse.training import run_log
from affuse.training.run_log import METRICS, RunLog, log_kinds, open_logs

HISTORY = [{"epoch": 0.0, "train_loss": 1.5}, {"epoch": 1.0, "train_loss": 1.25}]


def test_a_table_has_a_row_an_epoch_whatever_was_there(tmp_path: Path) -> None:
    for epochs in (1, 2, 1):  # the last begins again
        (log,) = open_logs(RunLog(("csv",), tmp_path / "logs"))
        log(HISTORY[:epochs])
        log.close()
        rows = list(csv.DictReader((tmp_path / "logs" / METRICS).open()))
        assert [float(row["train_loss"]) for row in rows] == [1.5, 1.25][:epochs]


def test_names_are_checked_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert log_kinds("") == ()
    assert log_kinds("csv, csv") == ("csv",)
    with pytest.raises(InputError, match="did you mean 'tensorboard'"):
        log_kinds("csv,tensorbord")
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(run_log, "require", _absent)
    with pytest.raises(InputError) as told:
        log_kinds(["wandb"])
    assert str(told.value) == (
        "--log wandb: the package 'wandb' is not installed; pip install wandb, or --log csv"
    )


def _absent(package: str) -> None:
    raise InputError(f"the package '{package}' is not installed", remedy="install it")


class _Logger:
    """Remembers what Lightning's would write."""

    def __init__(self, *places: Any, **options: Any) -> None:
        self.places, self.options = places, options
        self.said: list[Any] = []

    def log_hyperparams(self, settings: dict[str, Any]) -> None:
        self.said.append(settings)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.said.append((step, metrics))

    def save(self) -> None: ...

    def finalize(self, status: str) -> None:
        self.said.append(status)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("tensorboard", "TensorBoardLogger"), ("wandb", "WandbLogger"), ("mlflow", "MLFlowLogger")],
)
def test_lightnings_loggers_are_told_each_epoch_once_and_nothing_leaves(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    loggers = SimpleNamespace(**{name: _Logger})
    monkeypatch.setitem(sys.modules, "pytorch_lightning.loggers", loggers)
    log: Any
    (log,) = open_logs(RunLog((kind,), tmp_path, "a run", {"seed": 3}))
    log(HISTORY[:1])
    log(HISTORY)
    log.close()
    made = log._logger
    assert made.said == [
        {"seed": 3},
        (0, {"train_loss": 1.5}),
        (1, {"train_loss": 1.25}),
        "success",
    ]
    if kind == "wandb":
        assert made.options["offline"] is True
    if kind == "mlflow":
        assert made.options["tracking_uri"].startswith("file:")
