"""Training that begins with the weights of another checkpoint: transfer and fine-tuning.

The option `init` names it: a folder that `affuse train` or `affuse export --weights` wrote, a
checkpoint that comes with affuse, or `shipped`, the one of those that fits.

What is taken over are parts that both models have (`FusionModel.parts`) and that are alike in every
shape: all of a model of the same class, else the encoders of shared modalities.
What a model learnt of its own validation part, the losses behind its gate and the trust in fusion,
is not taken over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from affuse.errors import InputError
from affuse.fusion import FusionModel
from affuse.samples import Corpus
from affuse.tasks import Classification, Values
from affuse.training.checkpoint import (
    Checkpoint,
    features_read,
    load_checkpoint,
    weights_digest,
)

CHOSEN = "shipped"
"""What `init` says for the checkpoint that comes with affuse and learnt a task of the same kind."""
WEIGHTS_FOLDER = "weights"
"""Where an exported model keeps what training can begin with."""


@dataclass(frozen=True)
class Origin:
    """What training begins with.

    Attributes:
        checkpoint: whose weights they are.
        weights: their digest.
        parameters: how many of the new model's it gives.
    """

    checkpoint: Checkpoint
    weights: str
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """For the checkpoint of the new model: where it comes from, and what that came from."""
        nothing, learnt = {"name": "", "fingerprint": "", "fold": 0}, self.checkpoint.corpus
        before = self.checkpoint.training.get("init")
        return {
            "model": self.checkpoint.name,
            "corpus": {key: learnt.get(key, value) for key, value in nothing.items()},
            "weights": self.weights,
            "parameters": self.parameters,
            **({"init": before} if before else {}),
        }


def origin_folder(init: str, corpus: Corpus) -> Path | None:
    """Where the checkpoint lies that `init` names; None where it leaves the choice and none fits.

    Raises:
        InputError: no such checkpoint, or one that comes with affuse is damaged.
    """
    if not init:
        return None
    if init != CHOSEN:
        return _weights_of(init)
    alike = {Classification: "emotion", Values: "circumplex"}
    folder = _weights_of(alike.get(type(corpus.task), "sentiment"))
    learnt = features_read(folder)
    # One modality that is read otherwise, and the user has chosen other features.
    agree = {learnt.get(m) == name for m, name in corpus.features.items() if m in learnt}
    return folder if agree == {True} else None


def _weights_of(name: str) -> Path:
    from affuse.runtime.checkpoints import named_folder, shipped

    folder = named_folder(name)
    if not folder.is_dir():
        named = ", ".join((*shipped(), CHOSEN))
        remedy = f"give a folder that affuse train wrote, or one of: {named}"
        raise InputError("no checkpoint here", remedy=remedy, source=name)
    return folder / WEIGHTS_FOLDER if (folder / WEIGHTS_FOLDER).is_dir() else folder


def read_origin(
    folder: Path, model: FusionModel, corpus: Corpus, fold: int, *, needed: bool = True
) -> Origin:
    """The checkpoint in `folder`, for `model` to begin with on that fold of `corpus`.

    Of modalities that it does not read, it gives nothing: those begin as ever. So does all of the
    model where nothing fits and that is not `needed`.

    Raises:
        InputError: no checkpoint; one that may have seen the fold's test part, that reads other
            features, or of which nothing fits `model`.
    """
    checkpoint = load_checkpoint(folder)
    _require_unseen(checkpoint, corpus, fold, folder)
    _require_features(checkpoint, corpus, folder)
    taken = begin_with(model, checkpoint.model)
    if needed and not taken and set(model.modalities) & set(checkpoint.model.modalities):
        raise InputError(
            f"nothing of its {checkpoint.name} fits the model that is to be trained",
            remedy="begin with a model of the same kind and width, or set init for those it fits: "
            "--set hct_mg.init=DIR",
            source=folder,
        )
    return Origin(checkpoint, weights_digest(folder), taken)


def begin_with(model: FusionModel, donor: FusionModel) -> int:
    """Copy what fits of `donor` into `model`; returns how many of its parameters that are.

    Where `model` has several modules in a place, as members, those of `donor` are dealt out in
    turn.
    """
    given, taken = donor.parts(), dict[int, int]()
    with torch.no_grad():
        for name, places in model.parts().items():
            for place, source in zip(places, cycle(given.get(name, ()))):
                for own, other in _alike(place, source):
                    values = dict(other.named_parameters())
                    for key, parameter in own.named_parameters():
                        parameter.copy_(values[key])
                        taken[id(parameter)] = parameter.numel()
    return sum(taken.values())


def _alike(place: nn.Module, source: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Both, if all their parameters are alike in name and shape; else their children that are."""
    if _shapes(place) == _shapes(source):
        yield place, source
        return
    others = dict(source.named_children())
    for name, child in place.named_children():
        if name in others and _shapes(child) == _shapes(others[name]):
            yield child, others[name]


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in module.named_parameters()}


def _require_unseen(origin: Checkpoint, corpus: Corpus, fold: int, source: Path) -> None:
    name = str(origin.corpus.get("name", ""))
    same = origin.trained_on(corpus) and origin.corpus.get("fold", 0) == fold
    # A reader that was asked for one fold returns that fold alone.
    split = corpus.folds[min(fold, len(corpus.folds) - 1)]
    origin.require_unseen(corpus, split.test, source)
    if name.partition("[")[0] == corpus.name.partition("[")[0] and not same:
        raise InputError(
            f"it was trained on {name}, which may hold test samples of {corpus.name}",
            remedy="begin with a model of another corpus, or of this one as it is, and this fold",
            source=source,
        )


def _require_features(origin: Checkpoint, corpus: Corpus, source: Path) -> None:
    names = origin.corpus.get("features", {})
    for modality, width in origin.model.widths.items():
        wanted = corpus.widths.get(modality, width)
        name, other = names.get(modality), corpus.features.get(modality)
        if width != wanted or (name and other and name != other):
            raise InputError(
                f"it reads {modality} as {name or 'features'} of width {width}, {corpus.name} has "
                f"{other or 'features'} of width {wanted}",
                remedy="read both corpora with the same features",
                source=source,
            )
