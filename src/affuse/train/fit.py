"""`fit`: one model on one split, resumable at any moment."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from affuse.corpora.loading import data_loader
from affuse.errors import InputError
from affuse.models import FusionModel
from affuse.samples import Sample
from affuse.tasks import Task
from affuse.train.module import SCORE, FusionModule
from affuse.train.options import TrainOptions

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class FitResult:
    """A trained model, in evaluation mode with the weights of its best epoch.

    Attributes:
        model: the model.
        history: one dict an epoch: losses, validation metrics, gate weights.
        best_epoch: the epoch that validation selected.
    """

    model: FusionModel
    history: list[dict[str, float]]
    best_epoch: int


def fit(
    build: Callable[[], FusionModel],
    task: Task,
    train: Sequence[Sample],
    valid: Sequence[Sample],
    options: TrainOptions,
    *,
    seed: int,
    folder: Path,
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Train until validation stops improving; the test split is not among the arguments.

    State is written to `folder` after every epoch, whole or not at all. Called again with the
    same arguments and folder, training goes on after the last whole epoch and ends as if it had
    never stopped.

    Args:
        build: makes the model, after the seed is set.
        on_epoch: told the epoch and its history record.

    Raises:
        InputError: state in `folder` that cannot be read.
    """
    torch.manual_seed(seed)
    module = _module(build(), task, train, options, seed)
    loaders = (
        data_loader(train, batch_size=options.batch_size, shuffle=True, seed=seed),
        data_loader(valid, batch_size=2 * options.batch_size, shuffle=False, seed=seed),
    )
    keep = ModelCheckpoint(folder, "best", monitor=SCORE, mode="min", save_last=True)
    stop = EarlyStopping(SCORE, patience=options.patience, mode="min", check_finite=True)
    callbacks: list[Callback] = [stop, keep]
    if on_epoch is not None:
        callbacks.append(_Report(on_epoch))
    last = folder / "last.ckpt"
    with _quiet():
        trainer = pl.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(module, *loaders, ckpt_path=last if last.exists() else None)
        except (RuntimeError, EOFError, KeyError) as error:
            if not last.exists() or trainer.global_step:
                raise
            raise InputError(
                f"training state cannot be used ({type(error).__name__})",
                remedy="delete it to begin again",
                source=last,
            ) from None
        state = torch.load(keep.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(state["state_dict"])
    return FitResult(module.kept.cpu().eval(), module.history, int(state["epoch"]))


def _module(
    model: FusionModel, task: Task, train: Sequence[Sample], options: TrainOptions, seed: int
) -> FusionModule:
    steps = -(-len(train) // options.batch_size)
    return FusionModule(model, task, options, steps, seed)


class _Report(Callback):
    """Tells a progress display of each finished epoch."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, FusionModule)
        self.on_epoch(trainer.current_epoch, pl_module.history[-1])


class _quiet(warnings.catch_warnings):  # noqa: N801 - used as a statement, like its base
    """Lightning's banners and advice are not for the users of a finished command."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        self.logger = logging.getLogger("pytorch_lightning")
        self.level = self.logger.level
        self.logger.setLevel(logging.ERROR)

    def __exit__(self, *exception: Any) -> None:
        self.logger.setLevel(self.level)
        super().__exit__(*exception)
