"""`fit`: one model on one split, in batches of similar length, resumable at any moment."""

from __future__ import annotations

import io
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import CheckpointIO
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader, Dataset, Sampler

from affuse.batches import collate
from affuse.errors import InputError
from affuse.files import make_folder, write_atomic
from affuse.fusion import FusionModel
from affuse.samples import Sample
from affuse.tasks import Task
from affuse.training.devices import AUTO, resolve_device
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions

STATE_FILE = "last.ckpt"
OnEpoch = Callable[[int, dict[str, float]], None]
# Batches that are sorted by length together. More pad less, fewer mix better: all at once would
# put the same samples side by side in every epoch.
_POOL = 16


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
    device: str = AUTO,
    teacher: FusionModel | None = None,
) -> FitResult:
    """Train until validation stops improving; the test split is not among the arguments.

    State is written to `folder` after every epoch, whole or not at all. Called again with the
    same arguments and folder, training goes on after the last whole epoch and ends as if it had
    never stopped.

    Args:
        build: makes the model, after the seed is set.
        on_epoch: told the epoch and its history record.
        device: on which it trains (`resolve_device`); the model comes back to the processor.
        teacher: what else than the labels it learns from (`affuse.training.distil`).

    Raises:
        InputError: state in `folder` that cannot be read, or no such device.
    """
    place = resolve_device(device)
    torch.manual_seed(seed)
    steps = -(-len(train) // options.batch_size)
    module = FusionModule(build(), task, options, steps, seed, teacher)
    loaders = (
        data_loader(train, batch_size=options.batch_size, shuffle=True, seed=seed),
        data_loader(valid, batch_size=2 * options.batch_size, shuffle=False, seed=seed),
    )
    make_folder(folder)
    state = folder / STATE_FILE
    with _quiet():
        trainer = pl.Trainer(
            accelerator=place.type,
            devices=1 if place.index is None else [place.index],
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=[_EpochEnd(state, on_epoch)],
            plugins=[_StateFile()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(module, *loaders, ckpt_path=state if state.exists() else None)
        except SIGTERMException:
            # Lightning's own exception would end the process with 0, as if all were done.
            sys.exit(128 + signal.SIGTERM)
    assert module.best is not None
    model = module.kept.cpu().eval().requires_grad_(True)
    model.load_state_dict(module.best.weights)
    return FitResult(model, module.history, module.best.epoch)


class _EpochEnd(Callback):
    """After each epoch: writes the state, reports, and stops where validation has decided."""

    def __init__(self, state: Path, on_epoch: OnEpoch) -> None:
        self.state, self.on_epoch = state, on_epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # One that was killed after its last epoch has nothing left to do.
        trainer.should_stop = bool(pl_module.finished)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, FusionModule)
        trainer.save_checkpoint(self.state)
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


class BucketBatchSampler(Sampler[list[int]]):
    """Index lists of at most `batch_size`, each index exactly once an epoch.

    With `shuffle`, samples are drawn into pools of 16 batches, sorted by length within each pool,
    and the batches shuffled; what comes follows from `seed` and the epoch alone. Without it the
    samples keep their order, so that predictions line up with the samples they belong to.

    Args:
        lengths: steps of each sample, over all its modalities.
        batch_size: samples a batch; the last may have fewer.
        seed: 0 or more.
        shuffle: True for training.

    Raises:
        InputError: a batch size below 1.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, *, seed: int, shuffle: bool
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size = {batch_size}", remedy="give 1 or more")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size, self.seed, self.shuffle, self.epoch = batch_size, seed, shuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this by itself."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(len(self.lengths))
        if not self.shuffle:
            yield from self._cut(order)
            return
        rng = np.random.default_rng([self.seed, self.epoch])
        rng.shuffle(order)
        size = self.batch_size * _POOL
        pools = (order[start : start + size] for start in range(0, len(order), size))
        by_length = (pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools)
        batches = [batch for pool in by_length for batch in self._cut(pool)]
        for index in rng.permutation(len(batches)):
            yield batches[index]

    def _cut(self, order: NDArray[np.int64]) -> list[list[int]]:
        starts = range(0, len(order), self.batch_size)
        return [order[start : start + self.batch_size].tolist() for start in starts]


class _SampleLists(Dataset[list[Sample]]):
    """The samples of a list of indices at once."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, indices: list[int]) -> list[Sample]:
        return [self.samples[index] for index in indices]


def data_loader(
    samples: Sequence[Sample],
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
    modalities: Iterable[str] | None = None,
) -> DataLoader[list[Sample]]:
    """A loader that yields an `affuse.batches.Batch` at a time.

    Args:
        batch_size: samples a batch.
        shuffle: length-bucketed random order (training), or the order given (evaluation).
        seed: of the shuffling; global random state is neither read nor changed.
        modalities: which to load and in which order; by default all that occur.
    """
    wanted = None if modalities is None else tuple(modalities)
    lengths = [
        sum(len(x) for m, x in s.sequences.items() if wanted is None or m in wanted)
        for s in samples
    ]
    # As `sampler` without a batch size, because Lightning sets the epoch of a loader's sampler
    # but not of its batch sampler.
    return DataLoader(
        _SampleLists(samples),
        sampler=BucketBatchSampler(lengths, batch_size, seed=seed, shuffle=shuffle),
        batch_size=None,
        collate_fn=partial(collate, modalities=wanted),
        generator=torch.Generator(),
    )
