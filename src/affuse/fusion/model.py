"""The one registry of models: a class with a decorator, tested by the suite for free."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from affuse.batches import Batch, Lengths
from affuse.config import Options, parse_options
from affuse.errors import InputError, unknown_name
from affuse.plugins import load_plugins, registered_in, require_same


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
        options: the model's own.
    """

    Options: ClassVar[type[Options]]
    gated: ClassVar[bool] = False

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


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its public name, class and one-line summary."""

    name: str
    cls: type[FusionModel]
    summary: str


_ENTRIES: dict[str, ModelEntry] = {}


def register_model(name: str) -> Callable[[type[FusionModel]], type[FusionModel]]:
    """Register a `FusionModel` under `name`; the first line of its docstring lists it.

    Raises:
        InputError: another class has that name.
    """

    def decorate(cls: type[FusionModel]) -> type[FusionModel]:
        if name in _ENTRIES:
            require_same("model", name, _ENTRIES[name].cls, cls)
        registered_in.add(cls.__module__)
        summary = (cls.__doc__ or "").strip().splitlines()[0]
        _ENTRIES[name] = ModelEntry(name, cls, summary)
        return cls

    return decorate


def models() -> dict[str, ModelEntry]:
    """All registered models by name, those of other packages too (`affuse.plugins`)."""
    load_plugins("affuse.models")
    return dict(_ENTRIES)


def create_model(
    name: str, widths: Mapping[str, int], outputs: int, options: Mapping[str, Any] | None = None
) -> FusionModel:
    """Build a registered model; `unimodal:<modality>` is `unimodal` with that modality.

    Raises:
        InputError: an unknown name or option, or fewer modalities than the model needs.
    """
    base, _, modality = name.partition(":")
    if base not in models():
        raise unknown_name("model", base, _ENTRIES)
    if not widths or min(widths.values()) < 1:
        raise InputError(f"widths {dict(widths)}", remedy="give each modality a width of 1 or more")
    for stream in widths:
        # They become names of submodules, for which torch has rules of its own.
        if "." in stream or hasattr(nn.ModuleDict, stream):
            raise InputError(f"a modality named '{stream}'", remedy="rename it")
    values = {**(options or {}), **({"modality": modality} if modality else {})}
    cls = _ENTRIES[base].cls
    return cls(widths, outputs, parse_options(cls.Options, values))


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
