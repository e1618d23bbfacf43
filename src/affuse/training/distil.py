"""Distillation: one network learns what several answer together.

The teacher is asked about every training batch as the student sees it, noise and shifts included,
but before a modality is hidden or spoilt. What it says stands beside the label: `(1 - distil_share)
* loss of the label + distil_share * loss of the teacher's answer`. Values are told apart by their
absolute difference; classes by the divergence of probabilities softened by `distil_temperature`,
whose gradients it scales back (Hinton, Vinyals and Dean 2015, arXiv 1503.02531). The answers of
single modalities are taught in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import kl_div

from affuse.errors import InputError
from affuse.fusion import FusionModel, count_parameters, members_of
from affuse.samples import Corpus
from affuse.tasks import Continuous, Task
from affuse.training.checkpoint import Checkpoint, load_checkpoint, weights_digest
from affuse.training.presets import Plan


@dataclass(frozen=True)
class Teacher:
    """A trained model that another learns from, and the digest of its weights."""

    checkpoint: Checkpoint
    weights: str

    @classmethod
    def at(cls, folder: Path) -> Teacher:
        return cls(load_checkpoint(folder), weights_digest(folder))

    @property
    def model(self) -> FusionModel:
        return self.checkpoint.model

    def to_dict(self) -> dict[str, Any]:
        """For the checkpoint of the student."""
        return {
            "model": self.checkpoint.name,
            "members": len(members_of(self.model)),
            "parameters": count_parameters(self.model),
            "weights": self.weights,
        }


def teacher_plan(plan: Plan) -> Plan:
    """How the teacher is trained that `distil` asks for: the same model, with so many members."""
    train = plan.train.model_copy(update={"distil": 0})
    return replace(plan, train=train, options={**plan.options, "members": plan.train.distil})


def read_teacher(folder: Path, corpus: Corpus, plan: Plan, fold: int) -> Teacher:
    """The checkpoint in `folder`, for a model to learn from on that fold of `corpus`.

    Raises:
        InputError: no checkpoint, or one of another corpus, fold or normalisation: it may have
            seen test samples, and would read the student's features as what they are not.
    """
    teacher = Teacher.at(folder)
    known = teacher.checkpoint
    known.check_corpus(corpus, folder)
    mode = known.training.get("options", {}).get("normalise", "train")
    ours = (corpus.fingerprint(), fold, plan.train.normalise)
    theirs = (known.corpus.get("fingerprint"), known.corpus.get("fold", 0), mode)
    if ours != theirs:
        name = known.corpus.get("name", "?")
        raise InputError(
            f"it was trained on fold {theirs[1]} of {name}, normalised by '{mode}', and is to "
            f"teach on fold {fold} of {corpus.name}, normalised by '{plan.train.normalise}'",
            remedy="train the teacher on the same corpus and fold, or let --set distil=5 do it",
            source=folder,
        )
    return teacher


def agreement(task: Task, prediction: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far raw outputs `(N, C)` are from the teacher's, of each sample, `(N,)`."""
    if isinstance(task, Continuous):
        return (prediction - taught).abs().mean(dim=-1)
    # Of several labels, each has two outputs of its own.
    questions = (len(prediction), task.target_width, -1)
    ours, theirs = ((x / temperature).view(questions).log_softmax(-1) for x in (prediction, taught))
    apart = kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=-1).mean(dim=-1)
    return apart * temperature**2
