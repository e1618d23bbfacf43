"""The one registry of models: a class with a decorator, tested by the suite for free.

`affuse.fusion.create` makes what is registered here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pydantic
import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Batch, Lengths
from affuse.config import Options
from affuse.errors import InputError
from affuse.plugins import load_plugins, registered_in, require_same
from affuse.tasks import Task


class FusionOutput(NamedTuple):
    """The answer for a batch of B samples over M modalities, in the order of `model.modalities`.

    Attributes:
        prediction: raw outputs `(B, C)`; `Task.decode` makes values or probabilities of them.
        gate: weights `(B, M)`, each row sums to one; a missing modality has weight zero.
        primary: index `(B,)` of the modality that leads.
        unimodal: each modality's own raw outputs `(B, M, C)`, where the model has such heads.
        expected_loss: the model's estimate `(B, M)` of the task loss of each row of `unimodal`,
            where it makes one: in training, and where the gate reads it.
        correction: what fusion adds `(B, C)` to the primary's own raw outputs, where the model is
            built that way; validation decides how much of it is trusted.
        regulariser: a model's own loss in training, one number that is added to the task's.
        members: what each of several networks says whose mean this is; each has the task's loss.
        attention: name of a crossmodal block to weights `(B, H, T_target, T_source)`; on request.
        latents: name of a stream to `(B, T, d)`; on request.
    """

    prediction: Tensor
    gate: Tensor
    primary: Tensor
    unimodal: Tensor | None = None
    expected_loss: Tensor | None = None
    correction: Tensor | None = None
    regulariser: Tensor | None = None
    members: tuple[FusionOutput, ...] = ()
    attention: dict[str, Tensor] | None = None
    latents: dict[str, Tensor] | None = None


class FusionModel(nn.Module, ABC):
    """Base of every registered model.

    Args:
        widths: modality to feature width D, in a fixed order.
        outputs: C, the raw outputs that the task needs.
        options: the model's own, and `members`.

    Attributes:
        gated: whether the gate says whom the model trusts.
    """

    Options: ClassVar[type[Options]]
    gated: bool = False

    def __init__(self, widths: Mapping[str, int], outputs: int, options: Any) -> None:
        super().__init__()
        self.widths = dict(widths)
        self.modalities = tuple(widths)
        self.outputs = outputs
        self.options = options

    @abstractmethod
    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        """The answer for a batch; with `detail`, attention and latents too."""

    @classmethod
    def options_for(cls, lengths: Mapping[str, int]) -> dict[str, Any]:  # noqa: ARG003
        """Options that follow from the typical length of each modality in the training split."""
        return {}

    @classmethod
    def options_for_task(cls, task: Task) -> dict[str, Any]:  # noqa: ARG003
        """Options that follow from what is asked: whether raw outputs are values or logits, say."""
        return {}

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        """What another model may begin with: a name to the modules that stand in that place.

        By default the whole, for others of its class. Models whose encoders are of one kind add
        `encoder.<modality>`, and their heads that answer by one modality `head.<modality>`.
        """
        return {type(self).__name__: [self]}

    def track(self, losses: Tensor) -> None:
        """Told after each validation: mean loss `(M,)` of the unimodal heads, NaN if absent."""

    def trust(self, share: float) -> None:
        """Told after each validation: the share of `FusionOutput.correction` that helps there."""

    def gate_loss(self, gate: Tensor, losses: Tensor) -> Tensor | None:
        """What teaches a gate beside the task: its weights and the heads' losses, both `(B, M)`."""

    def admit(self, batch: Batch) -> Batch:
        """The batch with this model's modalities only; `InputError` for a sample without any."""
        known = batch.keep(self.modalities)
        known.require_data()
        return known

    def take(self, batch: Batch, modality: str) -> tuple[Tensor, Tensor]:
        """Features `(B, T, D)` and mask `(B, T)`; one masked step where the batch has none."""
        if modality in batch.sequences:
            return batch.sequences[modality], batch.masks[modality]
        like = next(iter(batch.sequences.values()))
        x = like.new_zeros(batch.size, 1, self.widths[modality])
        return x, torch.zeros(batch.size, 1, dtype=torch.bool, device=like.device)

    def counted(self, batch: Batch, modality: str) -> tuple[Tensor, Tensor, Lengths | None]:
        """What `take` returns, and the real steps of each sample, where the host knows."""
        x, mask = self.take(batch, modality)
        if batch.lengths is None:
            return x, mask, None
        return x, mask, batch.lengths.get(modality, (0,) * batch.size)

    def presence(self, batch: Batch) -> Tensor:
        """Bool `(B, M)`: which modalities each sample has."""
        columns = {m: mask.any(dim=1) for m, mask in batch.masks.items()}
        absent = torch.zeros_like(next(iter(columns.values())))
        return torch.stack([columns.get(m, absent) for m in self.modalities], dim=1)

    def even_gate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Without a gate: equal weights `(B, M)` over what is present, and the first `(B,)` of it.

        That is named as primary because one must be; none leads.
        """
        present = self.presence(batch)
        return present / present.sum(dim=1, keepdim=True), present.int().argmax(dim=1)


class Members(Options):
    """What every registered model can be asked for beside its own options.

    Attributes:
        members: networks of this kind that are trained side by side and answer by their mean
            (`affuse.fusion.ensemble`); each costs as much as the first.
    """

    members: int = Field(1, ge=1)


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its public name, class and one-line summary."""

    name: str
    cls: type[FusionModel]
    summary: str


_ENTRIES: dict[str, ModelEntry] = {}


def register_model(name: str) -> Callable[[type[FusionModel]], type[FusionModel]]:
    """Register a `FusionModel` under `name`; the first line of its docstring lists it.

    Its options get `members`.

    Raises:
        InputError: another class has that name, or the model has an option `members` of its own.
    """

    def decorate(cls: type[FusionModel]) -> type[FusionModel]:
        if name in _ENTRIES:
            require_same("model", name, _ENTRIES[name].cls, cls)
        registered_in.add(cls.__module__)
        cls.Options = _with_members(cls)
        summary = (cls.__doc__ or "").strip().splitlines()[0]
        _ENTRIES[name] = ModelEntry(name, cls, summary)
        return cls

    return decorate


def _with_members(cls: type[FusionModel]) -> type[Options]:
    own = cls.Options
    if issubclass(own, Members):
        return own
    if "members" in own.model_fields:
        raise InputError(
            f"model {cls.__name__} has an option 'members' of its own",
            remedy="give it another name: affuse gives every model members",
        )
    made = pydantic.create_model(
        own.__name__, __base__=(Members, own), __module__=cls.__module__, __doc__=own.__doc__
    )
    # Where it is found again.
    made.__qualname__ = f"{cls.__qualname__}.Options"
    return made


def models() -> dict[str, ModelEntry]:
    """All registered models by name, those of other packages too (`affuse.plugins`)."""
    load_plugins("affuse.models")
    return dict(_ENTRIES)


def require_several(name: str, widths: Mapping[str, int]) -> None:
    """Raise `InputError` where there is nothing to fuse."""
    if len(widths) < 2:
        raise InputError(
            f"{name} on {', '.join(widths)} alone",
            remedy="give two modalities or more, or use the model unimodal",
        )


def count_parameters(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
