"""Unimodal pretraining: what each modality's own model learns, a fusion model begins with.

Encoders and heads of one modality overfit sooner than what joins them, and a loss that they share
with fusion lets one modality spoil what another says alone. Trained first, each by itself, with its
own selection on validation, they say exactly what the rows of single modalities say; frozen, they
go on saying it, and whatever a table then shows is fusion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import nn

from affuse.errors import InputError
from affuse.fusion import FusionModel, models
from affuse.samples import Split
from affuse.training.answerable import lacking_part
from affuse.training.presets import Plan
from affuse.training.transfer import begin_with

ALONE = "unimodal"

Build = Callable[[], FusionModel]


def pretraining_plans(plan: Plan, build: Build, split: Split) -> dict[str, Plan]:
    """Modality to how it is trained alone before the model of that plan; empty where none is.

    None is for models of other encoders, nor for one that reads a single modality, nor of what a
    part of `split` that is needed to learn lacks. Where the model is distilled, so is what it
    begins with.
    """
    if plan.train.pretrain == "none":
        return {}
    model = build()
    several = len(model.modalities) > 1
    own = [m for m in model.modalities if several and f"encoder.{m}" in model.parts()]
    train = plan.train.model_copy(update={"pretrain": "none", "teacher": "", "alone": True})
    known = models()[ALONE].cls.Options.model_fields
    options = {key: value for key, value in plan.options.items() if key in known}
    return {
        m: replace(plan, model=f"{ALONE}:{m}", train=train, options=options)
        for m in own
        if lacking_part(split, (m,)) is None
    }


def told_alone(split: Split, modalities: Sequence[str]) -> Split:
    """Training and validation samples with what the one modality should say as their target.

    Raises:
        InputError: there are several.
    """
    if len(modalities) > 1:
        problem = f"alone is for models of one modality, not {len(modalities)}"
        raise InputError(problem, remedy="leave alone out, or train unimodal")
    (modality,) = modalities
    train, valid = (
        [replace(s, target=s.unimodal.get(modality, s.target)) for s in part]
        for part in (split.train, split.valid)
    )
    return Split(train, valid, split.test)


def begin_pretrained(build: Build, alone: Sequence[FusionModel], plan: Plan) -> FusionModel:
    """What `build` makes, with what unimodal models learnt in its places, to stay if frozen."""
    model = build()
    for donor in alone:
        begin_with(model, donor)
        for name in donor.parts() if plan.train.pretrain == "frozen" else ():
            for place in model.parts().get(name, ()):
                place.requires_grad_(False)
    return model


def frozen_parts(model: nn.Module) -> Iterator[nn.Module]:
    """Modules of which nothing learns: they do not drop anything out either."""
    for module in model.modules():
        weights = list(module.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            yield module
