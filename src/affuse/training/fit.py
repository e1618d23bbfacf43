"""`fit`: one model on one split, in batches of similar length, resumable at any moment."""

from __future__ import annotations

import io
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import CheckpointIO
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from affuse.errors import InputError
from affuse.files import make_folder, write_atomic
from affuse.fusion import FusionModel
from affuse.fusion.across import processes, rank
from affuse.samples import Sample, labelled, targets_of
from affuse.tasks import Task
from affuse.training.compute import Compute
from affuse.training.limits import memory_told, operators_told
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions
from affuse.training.run_log import OnHistory, RunLog, open_logs
from affuse.training.sampling import data_loader
from affuse.training.team import Tell, run_team

STATE_FILE = "last.ckpt"
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class FitResult:
    """A trained model, in evaluation mode with the weights of its best epoch.

    Attributes:
        history: one dict an epoch: losses, validation metrics, gate weights.
        best_epoch: the epoch that validation selected.
    """

    model: FusionModel
    history: list[dict[str, float]]
    best_epoch: int


@dataclass(frozen=True)
class _Fit:
    """What is asked of `fit`, but for who is told."""

    build: Callable[[], FusionModel]
    task: Task
    train: Sequence[Sample]
    valid: Sequence[Sample]
    options: TrainOptions
    seed: int
    folder: Path
    compute: Compute
    teacher: FusionModel | None
    log: RunLog | None


def fit(
    build: Callable[[], FusionModel],
    task: Task,
    train: Sequence[Sample],
    valid: Sequence[Sample],
    options: TrainOptions,
    *,
    seed: int,
    folder: Path,
    on_epoch: OnEpoch = lambda *_: None,
    compute: Compute | None = None,
    teacher: FusionModel | None = None,
    log: RunLog | None = None,
) -> FitResult:
    """Train until validation stops improving; the test split is not among the arguments.

    State is written to `folder` after every epoch, whole or not at all. Called again with the
    same arguments and folder, training goes on after the last whole epoch and ends as if it had
    never stopped.

    Args:
        build: makes the model, after the seed is set. Of several processes, each does.
        on_epoch: told the epoch and its history record.
        compute: on what it trains; the model comes back to the processor.
        teacher: what else than the labels it learns from (`affuse.training.distil`).
        log: what else is written of its epochs, and where.

    Raises:
        InputError: state in `folder` that cannot be read, no such device, or not enough memory.
    """
    compute = (compute or Compute()).require()
    if compute.leads:
        # By another node, it would stand there before the first has asked whether it is empty.
        make_folder(folder)
    asked = _Fit(build, task, train, valid, options, seed, folder, compute, teacher, log)
    if compute.processes == 1:
        return _fit(asked, on_epoch)
    fewest = min(len(train), len(valid))
    if fewest < compute.processes:
        problem = f"{compute.processes} processes, and a part of {fewest} sample(s)"
        raise InputError(problem, remedy="give fewer --devices or --nodes")
    result = run_team(_fit, asked, compute, on_epoch)
    assert isinstance(result, FitResult)
    return result


def _fit(asked: _Fit, on_epoch: Tell) -> FitResult:
    """Train here: alone, or as one of several processes that do the same."""
    options, compute, seed = asked.options, asked.compute, asked.seed
    torch.manual_seed(seed)
    steps = -(-len(asked.train) // options.batch_size)
    targets = targets_of(labelled(asked.train)) if options.balance else None
    module = FusionModule(asked.build(), asked.task, options, steps, seed, asked.teacher, targets)
    state = asked.folder / STATE_FILE
    with _quiet(), memory_told(options.batch_size), operators_told():
        dealt: dict[str, Any] = {"seed": seed, "rank": rank(), "processes": processes()}
        loaders = (
            data_loader(asked.train, batch_size=options.batch_size, shuffle=True, **dealt),
            data_loader(asked.valid, batch_size=2 * options.batch_size, shuffle=False, **dealt),
        )
        logs = open_logs(asked.log) if rank() == 0 else []
        trainer = pl.Trainer(
            **_placed(compute),
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=[_EpochEnd(state, on_epoch, logs)],
            plugins=[_StateFile()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            deterministic=compute.deterministic or None,
        )
        try:
            trainer.fit(module, *loaders, ckpt_path=state if state.exists() else None)
        except SIGTERMException:
            # Lightning's own exception would end the process with 0, as if all were done.
            sys.exit(128 + signal.SIGTERM)
        for log in logs:
            log.close()
    assert module.best is not None
    model = module.kept.cpu().eval().requires_grad_(True)
    model.load_state_dict(module.best.weights)
    return FitResult(model, module.history, module.best.epoch)


def _placed(compute: Compute) -> dict[str, Any]:
    """Where Lightning is to train, in its own words."""
    places = compute.places()
    numbers = [place.index for place in places if place.index is not None]
    where = {
        "accelerator": places[0].type,
        "devices": numbers or len(places),
        "precision": compute.precision,
    }
    if compute.processes == 1:
        return where
    strategy = DDPStrategy(
        cluster_environment=LightningEnvironment(),
        # What a batch has nothing of, such as a modality, has no gradients.
        find_unused_parameters=True,
        # What a model keeps beside its weights, all compute from the same rows.
        broadcast_buffers=False,
    )
    return {**where, "num_nodes": compute.nodes, "strategy": strategy}


class _EpochEnd(Callback):
    """After each epoch: writes the state, reports, and stops where validation has decided."""

    def __init__(self, state: Path, on_epoch: OnEpoch, logs: Sequence[OnHistory]) -> None:
        self.state, self.on_epoch, self.logs = state, on_epoch, logs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # One that was killed after its last epoch has nothing left to do.
        trainer.should_stop = bool(pl_module.finished)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, FusionModule)
        trainer.save_checkpoint(self.state)
        for log in self.logs:
            log(pl_module.history)
        if trainer.is_global_zero:
            self.on_epoch(trainer.current_epoch, pl_module.history[-1])
        trainer.should_stop = pl_module.finished


class _StateFile(CheckpointIO):
    """Training state in one file: written whole or not at all, and read without running it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, *_: Any, **__: Any) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_atomic(Path(path), content.getvalue())

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            assert {"state_dict", "history", "best"} <= state.keys()
        except Exception as error:  # a damaged or foreign file may raise anything
            problem = f"training state cannot be read ({type(error).__name__})"
            raise InputError(problem, remedy="delete it to begin again", source=path) from None
        return state

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's banners and advice are not for the users of a finished command."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
