"""A trained model on disk: safetensors weights and a JSON config, refused where they mismatch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt, ValidationError
from safetensors import SafetensorError

from affuse import __version__
from affuse.config import invalid
from affuse.errors import InputError, file_error, first_line
from affuse.files import digest, make_folder, null_to_nan, to_strict_json, write_atomic
from affuse.fusion import FusionModel, count_parameters, create_model, members_of
from affuse.samples import MADE_OF, Corpus, Sample, Split, add_to_digest, release_sample
from affuse.shown import Shown
from affuse.tasks import Task
from affuse.training.normalise import Normaliser, normalise_by_group
from affuse.training.older import renamed, widened

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SEEN = "seen"
FORMAT = 1
_AGAIN = "copy the checkpoint anew or train again"


@dataclass(frozen=True, repr=False)
class Checkpoint(Shown):
    """A model with all that is needed to use it again.

    Attributes:
        name: its registered name.
        model: the model, in evaluation mode.
        task: what it predicts.
        normaliser: applied to every sample first; None where features are used as they are.
        corpus: name, fingerprint, options, features and fold of what it was trained on.
        training: options, seed, selected epoch and history.
        seen: int64 digests of the samples that it was trained and chosen on (`seen_in`); None of
            a checkpoint that an older version wrote.
        folder: where it lies, if it does.
    """

    name: str
    model: FusionModel
    task: Task
    normaliser: Normaliser | None
    corpus: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seen: NDArray[np.int64] | None = None
    folder: Path | None = None

    def _summary(self) -> str:
        history = self.training.get("history", [])
        epochs = (
            f", epoch {self.training.get('best_epoch', 0)} of {len(history)}" if history else ""
        )
        return f"{self.name!r}, {self.size}, trained on {self.corpus.get('name', '?')}{epochs}"

    @property
    def size(self) -> str:
        """Its parameters, and in how many members they are, in words."""
        members = len(members_of(self.model))
        return f"{count_parameters(self.model):,} parameters" + (
            f" in {members} members" if members > 1 else ""
        )

    def save(self, folder: Path, *, half: bool = False) -> None:
        """Write both files; the config comes last, so that a folder with one is whole.

        Args:
            half: keep the model's weights in 16 bits: enough to begin with.
        """
        make_folder(folder)
        tensors = {f"model.{k}": v.contiguous() for k, v in self.model.state_dict().items()}
        if half:
            tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
        if self.normaliser is not None:
            arrays = self.normaliser.to_arrays()
            tensors |= {key: torch.from_numpy(value) for key, value in arrays.items()}
        if self.seen is not None:
            tensors[SEEN] = torch.from_numpy(self.seen)
        config = {
            "format": FORMAT,
            "affuse": __version__,
            "model": self.name,
            "options": self.model.options.model_dump(),
            "widths": self.model.widths,
            "task": self.task.to_config(),
            "normalised": self.normaliser is not None,
            "corpus": dict(self.corpus),
            "training": dict(self.training),
        }
        write_atomic(folder / WEIGHTS, safetensors.torch.save(tensors))
        write_atomic(folder / CONFIG, to_strict_json(config).encode())

    def prepare(self, samples: Sequence[Sample]) -> list[Sample]:
        """Samples as the model expects them.

        Raises:
            InputError: features of another width or values that are not finite.
        """
        if self.normaliser is None:
            return list(samples)
        speaker = self.training.get("options", {}).get("normalise") == "speaker"
        grouped = normalise_by_group(samples) if speaker else samples
        # In the samples' order: a file of tensors has none, and probes are fitted in turn.
        means = self.normaliser.means
        return self.normaliser.apply_all(
            [s.keep([m for m in s.modalities if m in means]) for s in grouped]
        )

    def fold_of(self, corpus: Corpus) -> Split:
        """The fold of a corpus that it was trained on."""
        # A reader that was asked for one fold returns that fold alone.
        return corpus.folds[min(int(self.corpus.get("fold", 0)), len(corpus.folds) - 1)]

    def trained_on(self, corpus: Corpus) -> bool:
        """Whether it was trained on this very data."""
        return self.corpus.get("fingerprint") == corpus.fingerprint()

    def require_unseen(self, corpus: Corpus, test: Sequence[Sample], source: Path | None) -> None:
        """Raise `InputError` where it was trained or chosen on samples of a test part.

        That of the fold it was trained on is no business of this: the corpus divides it. Of a
        checkpoint that does not know what it has seen, the name of its corpus decides, and so do
        the names of those that its corpus is made of.
        """
        if self.trained_on(corpus) and test is self.fold_of(corpus).test:
            return
        name = str(self.corpus.get("name", ""))
        reader = corpus.name.partition("[")[0]
        if reader in self.corpus.get("options", {}).get(MADE_OF, ()):
            raise InputError(
                f"it was trained on {name}, which is made of {reader} among others",
                remedy="begin with, or evaluate, what has not learnt from it",
                source=source,
            )
        if self.seen is not None:
            count = int(np.isin(seen_in(test), self.seen).sum())
        else:
            count = len(test) * (name.partition("[")[0] == reader)
        if count:
            raise InputError(
                f"it was trained on {name}, which {'may hold' if self.seen is None else 'holds'} "
                f"{count} of the {len(test)} test samples of {corpus.name}",
                remedy="use the split and the fold that it was trained on, or train it anew",
                source=source,
            )

    def check_corpus(self, corpus: Corpus, source: Path | None) -> None:
        """Raise `InputError` where a corpus has other features or another task."""

        def unfit(reads: str, remedy: str) -> InputError:
            return InputError(f"the checkpoint {reads}", remedy=remedy, source=source)

        name, widths = corpus.name, self.model.widths
        for modality, width in widths.items():
            found = corpus.widths.get(modality, width)
            if found != width:
                remedy = "read the corpus with the features that the checkpoint was trained on"
                raise unfit(f"reads {modality} of width {width}, {name} has {found}", remedy)
        if not set(widths) & set(corpus.widths):
            raise unfit(f"reads {', '.join(widths)}, {name} has none", "train on this corpus")
        if self.task != corpus.task:
            remedy = "use a corpus with the task that the checkpoint was trained for"
            raise unfit(f"predicts {self.task}, {name} holds {corpus.task}", remedy)


def seen_in(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """A digest of each sample, its name and all that is in it, sorted."""
    found = np.empty(len(samples), np.int64)
    for place, sample in enumerate(samples):
        digest = hashlib.sha256(sample.id.encode())
        add_to_digest(digest, sample)
        found[place] = int.from_bytes(digest.digest()[:8], "big", signed=True)
        release_sample(sample)
    return np.sort(found)


class _Corpus(BaseModel, extra="allow"):
    name: str = ""
    options: dict[str, Any] = {}
    features: dict[str, str] = {}
    fold: int = Field(0, ge=0)
    fingerprint: str = ""


class _Origin(BaseModel, extra="allow"):
    model: str
    corpus: _Corpus
    parameters: int
    init: _Origin | None = None


class _Training(BaseModel, extra="allow"):
    options: dict[str, Any] = {}
    init: _Origin | None = None
    history: list[dict[str, float | None]] = []


class _Config(BaseModel):
    """What `Checkpoint.save` writes beside the weights."""

    format: Literal[1]
    model: str
    options: dict[str, Any]
    widths: dict[str, PositiveInt]
    task: dict[str, Any]
    normalised: bool
    corpus: _Corpus
    training: _Training


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read what `Checkpoint.save` wrote.

    Raises:
        InputError: a missing, damaged or foreign file.
    """
    config = _read_config(folder / CONFIG)
    weights = folder / WEIGHTS
    try:
        tensors = safetensors.torch.load(weights.read_bytes())
    except (OSError, SafetensorError) as error:
        problem = f"weights cannot be read ({first_line(error)})"
        remedy = "train again or copy the checkpoint anew"
        raise InputError(problem, remedy=remedy, source=weights) from None
    try:
        task = Task.from_config(config.task)
        model = create_model(config.model, config.widths, task.outputs, config.options)
    except (InputError, TypeError, ValueError) as error:
        problem = error.problem if isinstance(error, InputError) else first_line(error)
        raise InputError(problem, remedy=_AGAIN, source=folder / CONFIG) from None
    named = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    own = renamed(config.model, config.options, named, weights)
    own = widened(own, model.state_dict())
    try:
        model.load_state_dict(own)
        seen = tensors.pop(SEEN, None)
        kept = {k: v.numpy() for k, v in tensors.items() if not k.startswith("model.")}
        normaliser = Normaliser.from_arrays(kept) if config.normalised else None
    except (InputError, RuntimeError, TypeError) as error:
        problem = f"weights do not fit the config ({first_line(error)})"
        remedy = "use the model.safetensors that belongs to this config.json"
        raise InputError(problem, remedy=remedy, source=weights) from None
    corpus = config.corpus.model_dump(exclude_unset=True)
    training = config.training.model_dump(exclude_unset=True)
    if "history" in training:
        training["history"] = null_to_nan(training["history"])
    known = None if seen is None else seen.numpy()
    return Checkpoint(config.model, model.eval(), task, normaliser, corpus, training, known, folder)


def features_read(folder: Path) -> Mapping[str, str]:
    """Modality to the name of the features that a checkpoint reads; its weights stay on disk.

    Raises:
        InputError: a missing, damaged or foreign file.
    """
    return _read_config(folder / CONFIG).corpus.features


def weights_digest(folder: Path) -> str:
    """Digest of a checkpoint's weights: equal for equal weights.

    Raises:
        InputError: there are none.
    """
    file = folder / WEIGHTS
    try:
        return digest(file.read_bytes())
    except FileNotFoundError:
        raise _no_checkpoint(folder) from None
    except OSError as error:
        raise file_error(error, "weights cannot be read", file) from None


def _no_checkpoint(folder: Path) -> InputError:
    remedy = "give a folder that affuse train wrote"
    return InputError("no checkpoint here", remedy=remedy, source=folder)


def _read_config(path: Path) -> _Config:
    try:
        return _Config.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise _no_checkpoint(path.parent) from None
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    except ValidationError as error:
        raise invalid(error, "a checkpoint's config", remedy=_AGAIN, source=path) from None
