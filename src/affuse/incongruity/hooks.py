"""What crossmodal blocks leave behind: the target's latents before and after each.

A model takes part by what it returns in `FusionOutput.latents` where `detail` asks for it: for a
block `X`, the target's stream as it enters, `X.before`, and as it leaves, `X.after`, `(B, T, d)`
each. A block named `target<-source` says itself whose stream it is; one whose name ends in a
number k is the k-th of a hierarchy, where the primary modality is the target and the source is
the k-th of the others by falling gate weight; its model leaves the stream of each modality under
that modality's name. Nothing is computed or kept otherwise.

Of a model with members, the first is looked at: their latents have nothing in common.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from affuse.batches import Batch, collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, FusionOutput, members_of
from affuse.samples import Sample
from affuse.training.devices import AUTO, on_device

BEFORE, AFTER = ".before", ".after"
# Samples whose latents are computed at once.
_BATCH = 64


@dataclass(frozen=True)
class Stream:
    """Latents `(N, T, d)` and their mask `(N, T)`, all False for a sample without them."""

    latents: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Block:
    """What one crossmodal block did to N samples, as the target's stream before and after.

    `target` and `source` `(N,)` are indices into the model's modalities; -1 where nothing entered.
    """

    name: str
    target: Tensor
    source: Tensor
    before: Stream
    after: Stream


@dataclass(frozen=True)
class Trace:
    """What a model left of N samples; `own` has each modality before any other entered it."""

    blocks: tuple[Block, ...]
    own: Mapping[str, Stream]


def crosses(model: FusionModel, samples: Sequence[Sample], device: str = AUTO) -> bool:
    """Whether a model leaves latents of crossmodal blocks, tried on the first sample."""
    model = members_of(model)[0].eval()
    with on_device(model, device) as place, torch.no_grad():
        batch = collate(samples[:1], model.modalities).to(place)
        latents = model(batch, detail=True).latents or {}
    return any(key.endswith(BEFORE) for key in latents)


def trace(model: FusionModel, samples: Sequence[Sample], device: str = AUTO) -> Trace:
    """Run a model on prepared samples and keep what its crossmodal blocks leave, on that device.

    Raises:
        InputError: a model that has no such blocks, or no such device.
    """
    model = members_of(model)[0].eval()
    parts = []
    # Inference mode would bar the latents from a probe's training.
    with on_device(model, device) as place, torch.no_grad():
        for start in range(0, len(samples), _BATCH):
            batch = collate(samples[start : start + _BATCH], model.modalities).to(place)
            parts.append(_trace_batch(model, batch, model(batch, detail=True)))
    blocks = tuple(_join_blocks(same) for same in zip(*(p.blocks for p in parts), strict=True))
    return Trace(blocks, {m: _join([p.own[m] for p in parts]) for m in parts[0].own})


def _trace_batch(model: FusionModel, batch: Batch, output: FusionOutput) -> Trace:
    latents = output.latents or {}
    names = [key.removesuffix(BEFORE) for key in latents if key.endswith(BEFORE)]
    if not names:
        raise InputError(
            f"{type(model).__name__} leaves no latents of crossmodal blocks",
            remedy="explain a model with crossmodal attention, such as hct_mg or mult",
        )
    masks = {m: model.take(batch, m)[1] for m in model.modalities}
    masks |= {m: compressed(masks[m], latents[m].shape[1]) for m in masks if m in latents}
    own = {m: Stream(latents[m], mask) for m, mask in masks.items() if m in latents}
    blocks = []
    for name in names:
        target, source = block_ends(name, model, output)
        before, after = latents[name + BEFORE], latents[name + AFTER]
        entered = (output.gate.gather(1, source.clamp(min=0)[:, None])[:, 0] > 0) & (source >= 0)
        # Each sample's mask of its own target.
        padded = [pad(mask, (0, before.shape[1] - mask.shape[1])) for mask in masks.values()]
        rows = torch.arange(len(target), device=target.device)
        mask = torch.stack(padded, dim=1)[rows, target]
        source = source.masked_fill(~entered | ~mask.any(dim=1), -1)
        blocks.append(Block(name, target, source, Stream(before, mask), Stream(after, mask)))
        if "<-" in name:
            own.setdefault(model.modalities[int(target[0])], blocks[-1].before)
        elif len(own) < len(model.modalities):
            raise InputError(
                f"{type(model).__name__} leaves no latents of single modalities",
                remedy="let it leave each modality's stream under the modality's name",
            )
    return Trace(tuple(blocks), own)


def block_ends(name: str, model: FusionModel, output: FusionOutput) -> tuple[Tensor, Tensor]:
    """Target and source `(B,)` of a block."""
    target, arrow, source = name.partition("<-")
    if arrow:
        ends = (model.modalities.index(end) for end in (target, source))
        first, second = (torch.full_like(output.primary, end) for end in ends)
        return first, second
    level = re.search(r"(\d+)$", name)
    if level is None:
        raise InputError(
            f"a block named '{name}' does not say what enters what",
            remedy="name it target<-source, or end its name in its level of the hierarchy",
        )
    order = output.gate.argsort(dim=1, descending=True, stable=True)
    return output.primary, order[:, int(level[1])]


def compressed(mask: Tensor, steps: int) -> Tensor:
    """The mask `(B, T)` of a sequence as that of its compressed stream, `(B, steps)`.

    Streams are compressed by halves (`affuse.fusion.layers.TemporalProjection`), or to one step.
    """
    while mask.shape[1] > steps:
        mask = pad(mask, (0, mask.shape[1] % 2)).view(len(mask), -1, 2).any(dim=2)
    return mask


def _join_blocks(same: Sequence[Block]) -> Block:
    return Block(
        same[0].name,
        torch.cat([b.target for b in same]),
        torch.cat([b.source for b in same]),
        _join([b.before for b in same]),
        _join([b.after for b in same]),
    )


def _join(streams: Sequence[Stream]) -> Stream:
    """Batches of a stream, padded to the longest."""
    steps = max(s.mask.shape[1] for s in streams)
    missing = [steps - s.mask.shape[1] for s in streams]
    return Stream(
        torch.cat([pad(s.latents, (0, 0, 0, n)) for s, n in zip(streams, missing, strict=True)]),
        torch.cat([pad(s.mask, (0, n)) for s, n in zip(streams, missing, strict=True)]),
    )
