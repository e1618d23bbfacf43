"""What is written of a run's epochs for other programs: losses and validation, never the test part.

| name | where |
|---|---|
| `csv` | `metrics.csv`, one row an epoch |
| `tensorboard` | `tensorboard/`, for `tensorboard --logdir` |
| `wandb` | `wandb/` on this machine; `WANDB_MODE=online` sends it |
| `mlflow` | `mlruns/` on this machine; `MLFLOW_TRACKING_URI` names a server |
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from affuse.errors import InputError, unknown_name
from affuse.files import make_folder, write_atomic
from affuse.optional import require

History = Sequence[Mapping[str, float]]
FOLDER, METRICS = "logs", "metrics.csv"


class OnHistory(Protocol):
    """Told all epochs so far after each; a run that goes on tells the earlier ones again."""

    def __call__(self, history: History) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class RunLog:
    """Which logs are kept of a run.

    Attributes:
        kinds: names, as in this module's table.
        folder: where they lie.
        name: of the run, where a log has names.
        settings: of the run, likewise.
    """

    kinds: tuple[str, ...]
    folder: Path
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def below(self, name: str) -> RunLog:
        """That of one of several runs."""
        return replace(self, folder=self.folder / name, name=name)


def log_kinds(asked: str | Sequence[str]) -> tuple[str, ...]:
    """Names of logs, of a text with commas or a list.

    Raises:
        InputError: an unknown one, or one whose package is not installed.
    """
    listed = asked.split(",") if isinstance(asked, str) else asked
    kinds = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    for kind in kinds:
        if kind not in _LOGS:
            raise unknown_name("log", kind, _LOGS)
        if kind != "csv":
            _require_installed(kind)
    return kinds


def _require_installed(package: str) -> None:
    try:
        require(package)
    except InputError as error:
        remedy = f"pip install {package}, or --log csv"
        raise InputError(error.problem, remedy=remedy, source=f"--log {package}") from None


def open_logs(log: RunLog | None) -> list[OnHistory]:
    """The logs that are asked for, in a folder that is made."""
    if log is None or not log.kinds:
        return []
    make_folder(log.folder)
    return [_LOGS[kind](log) for kind in log.kinds]


class _Table:
    """A CSV file that is written anew with each epoch, whole or not at all."""

    def __init__(self, log: RunLog) -> None:
        self._file = log.folder / METRICS

    def __call__(self, history: History) -> None:
        columns = dict.fromkeys(key for record in history for key in record)
        content = io.StringIO()
        writer = csv.DictWriter(content, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_atomic(self._file, content.getvalue().encode())

    def close(self) -> None:
        """It is whole after each epoch."""


class _OfLightning:
    """One of Lightning's loggers. It is made with the first epoch, so that none is left empty."""

    def __init__(self, log: RunLog) -> None:
        self._log, self._told = log, 0
        self._logger: Any = None

    def __call__(self, history: History) -> None:
        if self._logger is None:
            self._logger = self._make()
            self._logger.log_hyperparams(dict(self._log.settings))
        for epoch, record in enumerate(history[self._told :], start=self._told):
            self._logger.log_metrics({k: v for k, v in record.items() if k != "epoch"}, step=epoch)
        self._told = len(history)
        self._logger.save()

    def close(self) -> None:
        if self._logger is not None:
            self._logger.finalize("success")

    def _make(self) -> Any:
        raise NotImplementedError


class _TensorBoard(_OfLightning):
    def _make(self) -> Any:
        from pytorch_lightning.loggers import TensorBoardLogger

        # What an interrupted run wrote is told again.
        shutil.rmtree(self._log.folder / "tensorboard", ignore_errors=True)
        return TensorBoardLogger(self._log.folder, name="tensorboard", version="")


class _WandB(_OfLightning):
    def _make(self) -> Any:
        from pytorch_lightning.loggers import WandbLogger

        offline = os.environ.get("WANDB_MODE") != "online"
        return WandbLogger(
            name=self._log.name or None,
            save_dir=self._log.folder,
            project=os.environ.get("WANDB_PROJECT", "affuse"),
            offline=offline,
        )


class _MLflow(_OfLightning):
    def _make(self) -> Any:
        from pytorch_lightning.loggers import MLFlowLogger

        here = (self._log.folder / "mlruns").absolute().as_uri()
        return MLFlowLogger(
            experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME", "affuse"),
            run_name=self._log.name or None,
            tracking_uri=os.environ.get("MLFLOW_TRACKING_URI", here),
        )


_LOGS: dict[str, Any] = {
    "csv": _Table,
    "tensorboard": _TensorBoard,
    "wandb": _WandB,
    "mlflow": _MLflow,
}
