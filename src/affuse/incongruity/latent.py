"""Latent incongruity: what crossmodal attention does to the affect that its target held.

A probe of each modality's unimodal latents tells the affective tendency and which steps are
salient. Held against it is the stream that a crossmodal block leaves, read in two ways:

- `kept`: by the same probe. Does the stream still say, in the same terms, what it said?
- `refitted`: by a probe of its own. Is the information still there for whoever learns to read it?

The definitions are in docs/incongruity.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.fusion import FusionModel
from affuse.incongruity.hooks import Block, Stream, Trace, trace
from affuse.incongruity.probes import Probe, Reading, fit_probe
from affuse.incongruity.readings import spread
from affuse.incongruity.tendency import Estimate, estimates, label_tendency, right, tendency
from affuse.samples import Split, targets_of
from affuse.tasks import Bools, Floats, Ints, Task
from affuse.training.devices import AUTO, resolve_device

# Probes of this size learn nothing from more.
MOST_SAMPLES = 1000
# Fewer samples that share target and source teach a probe nothing.
LEAST_SAMPLES = 50
WAYS = ("kept", "refitted")


@dataclass(frozen=True)
class ChangeSummary:
    """Means of a `Change` with 95% intervals over samples.

    Attributes:
        before, after: share whose tendency is the label's.
        flip_rate: share whose tendency changed, in [0, 1].
        displacement: mean Jensen-Shannon divergence, in [0, 1]; nan where it says nothing.
        damage: share right before and wrong after, less the reverse, in [-1, 1]. It equals
            `before` less `after`.
    """

    samples: int
    before: Estimate
    after: Estimate
    flip_rate: Estimate
    displacement: Estimate
    damage: Estimate


@dataclass(frozen=True)
class Change:
    """Before against after, one value a sample, `(N,)`; a mean over the task's questions.

    Attributes:
        before, after: whether the tendency is the label's, nan where the label has none.
        flipped: whether the tendency changed.
        displaced: Jensen-Shannon divergence of the saliences in bits, in [0, 1]; nan between two
            probes that were fitted apart, since these may listen to different steps that say the
            same.
    """

    before: Floats
    after: Floats
    flipped: Floats
    displaced: Floats

    def summary(self, chosen: Bools | None = None) -> ChangeSummary:
        """Means over the samples that `chosen` `(N,)` selects, or over all."""
        rows = np.ones(len(self.before), dtype=np.bool_) if chosen is None else chosen
        before, after = self.before[rows], self.after[rows]
        columns = (before, after, self.flipped[rows], self.displaced[rows], before - after)
        return ChangeSummary(len(before), *estimates(np.stack(columns, axis=1)))


def change(task: Task, before: Reading, after: Reading, label: Ints, *, one_probe: bool) -> Change:
    """Compare two readings of N samples with tendencies `(N, Q)` of their labels."""
    first, second = tendency(task, before.outputs), tendency(task, after.outputs)
    displaced = np.full(len(label), np.nan)
    if one_probe:
        displaced = divergence(before.salience(task, first), after.salience(task, second))
    flipped = (first != second).mean(axis=1)
    return Change(right(first, label), right(second, label), flipped, displaced)


def divergence(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon divergence `(N,)` in bits of distributions `(N, T)` (Lin 1991).

    0 where they are equal, 1 where they share no step.
    """
    middle, bits = (p + q) / 2, np.zeros(len(p))
    for x in (p, q):
        ratio = np.divide(x, middle, out=np.ones_like(x), where=x > 0)
        bits += (x * np.log2(ratio)).sum(axis=1) / 2
    return np.clip(bits, 0.0, 1.0)


@dataclass(frozen=True)
class BlockIncongruity:
    """One block for one target and source, and what happened to the samples `rows`, by probe."""

    name: str
    target: str
    source: str
    rows: Ints
    kept: Change
    refitted: Change


@dataclass(frozen=True)
class LatentIncongruity:
    """What a model's crossmodal blocks do to N samples.

    Attributes:
        blocks: one entry for each block, target and source that enough samples share.
        probes: modality to the share of the samples whose tendency its unimodal latents tell.
    """

    model: str
    ids: tuple[str, ...]
    blocks: tuple[BlockIncongruity, ...]
    probes: dict[str, float]

    def overall(
        self, way: str = "kept", chosen: Bools | None = None, target: str | None = None
    ) -> ChangeSummary:
        """Over all blocks: a sample counts by the mean of what its blocks did to it.

        Args:
            chosen: a slice of the samples, bool `(N,)`, such as the hard ones.
            target: only the blocks that enrich this modality.
        """
        names = ("before", "after", "flipped", "displaced")
        total, count = np.zeros((2, len(self.ids), len(names)))
        for block in (b for b in self.blocks if target in (None, b.target)):
            values = np.stack([getattr(getattr(block, way), name) for name in names], axis=1)
            total[block.rows] += np.nan_to_num(values)
            count[block.rows] += np.isfinite(values)
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        touched: Bools = np.asarray(count.any(axis=1))
        return Change(*mean.T).summary(touched if chosen is None else touched & chosen)

    def to_dict(self, chosen: Bools | None = None) -> dict[str, Any]:
        """Summaries overall and of each block, of all samples or of a slice `(N,)`."""
        rows = np.ones(len(self.ids), dtype=np.bool_) if chosen is None else chosen
        return {
            "model": self.model,
            "samples": int(rows.sum()),
            "probes": self.probes,
            "overall": {way: asdict(self.overall(way, rows)) for way in WAYS},
            "targets": {
                target: {way: asdict(self.overall(way, rows, target)) for way in WAYS}
                for target in dict.fromkeys(block.target for block in self.blocks)
            },
            "blocks": [
                {
                    "name": block.name,
                    "target": block.target,
                    "source": block.source,
                    **{w: asdict(getattr(block, w).summary(rows[block.rows])) for w in WAYS},
                }
                for block in self.blocks
            ],
        }


def latent_incongruity(
    name: str, model: FusionModel, task: Task, split: Split, seed: int = 0, *, device: str = AUTO
) -> LatentIncongruity:
    """Measure a model on the test part of a split.

    Args:
        model: with crossmodal blocks that leave their latents; see `affuse.incongruity.hooks`.
        split: prepared samples with targets: train fits the probes, valid chooses among them.
        seed: of the probes' training.
        device: on which model and probes work, by name.

    Raises:
        InputError: a model without such blocks, a sample without a target, or no such device.
    """
    parts = [spread(split.train, MOST_SAMPLES), spread(split.valid, MOST_SAMPLES), split.test]
    remedy, where = "leave it out: tendencies are held against labels", resolve_device(device)
    targets = [torch.from_numpy(targets_of(samples, remedy)).to(where) for samples in parts]
    traces = [trace(model, samples, device) for samples in parts]
    probes, told = _own_probes(task, traces, targets, seed)
    blocks = []
    for place in range(len(traces[0].blocks)):
        same = [t.blocks[place] for t in traces]
        for target, source in _ways(same):
            names = model.modalities[target], model.modalities[source]
            rows = [(b.target == target) & (b.source == source) for b in same]
            kept, refitted = _examine(task, same, rows, targets, probes[names[0]], seed)
            examined = np.flatnonzero(rows[2].cpu().numpy())
            blocks.append(BlockIncongruity(same[0].name, *names, examined, kept, refitted))
    return LatentIncongruity(name, tuple(s.id for s in split.test), tuple(blocks), told)


def _own_probes(
    task: Task, traces: Sequence[Trace], targets: Sequence[Tensor], seed: int
) -> tuple[dict[str, Probe], dict[str, float]]:
    """A probe of each modality's unimodal latents, and how often it is right on test."""
    probes, told = {}, {}
    for modality in traces[0].own:
        train, valid, (latents, mask, y) = (
            _rows(t.own[modality], y, t.own[modality].mask.any(dim=1))
            for t, y in zip(traces, targets, strict=True)
        )
        probes[modality] = fit_probe(task, *train, valid, seed)
        said = tendency(task, probes[modality].read(latents, mask).outputs)
        hits = right(said, label_tendency(task, y.cpu().numpy()))
        told[modality] = float(hits[np.isfinite(hits)].mean())
    return probes, told


def _ways(same: Sequence[Block]) -> list[tuple[int, int]]:
    """Pairs of target and source that every part knows, and enough samples of train."""
    train, *others = (
        Counter(zip(block.target.cpu().tolist(), block.source.cpu().tolist(), strict=True))
        for block in same
    )
    return [
        (target, source)
        for (target, source), count in sorted(train.items())
        if source >= 0 and count >= LEAST_SAMPLES and all(other[target, source] for other in others)
    ]


def _examine(
    task: Task,
    same: Sequence[Block],
    rows: Sequence[Tensor],
    targets: Sequence[Tensor],
    own: Probe,
    seed: int,
) -> tuple[Change, Change]:
    """What a block changed by the kept and by a refitted probe.

    Of train, valid and test in turn: the block, targets `(N, K)` and rows `(N,)`. The target's
    `own` probe is standardised anew at either place.
    """
    before = list(map(_rows, [b.before for b in same], targets, rows))
    after = list(map(_rows, [b.after for b in same], targets, rows))
    fresh = fit_probe(task, *after[0], after[1], seed)
    *test, y = after[2]
    held = own.at(*before[0][:2]).read(*before[2][:2])
    left, again = own.at(*after[0][:2]).read(*test), fresh.read(*test)
    label = label_tendency(task, y.cpu().numpy())
    return (
        change(task, held, left, label, one_probe=True),
        change(task, held, again, label, one_probe=False),
    )


def _rows(stream: Stream, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, mask and targets of some samples."""
    return stream.latents[rows], stream.mask[rows], targets[rows]
