"""A target's latents before and after a block, sample by sample and on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.incongruity.probes import Reading
from affuse.incongruity.tendency import Estimate, estimates, right, tendency
from affuse.tasks import Bools, Floats, Ints, Task


@dataclass(frozen=True)
class ChangeSummary:
    """Means of a `Change` with 95% intervals over samples.

    Attributes:
        samples: how many.
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
    """Compare two readings of the same N samples.

    Args:
        label: tendencies of the labels, `(N, Q)`.
        one_probe: whether the same probe read both.
    """
    first, second = tendency(task, before.outputs), tendency(task, after.outputs)
    displaced = np.full(len(label), np.nan)
    if one_probe:
        saliences = before.salience(task, first), after.salience(task, second)
        displaced = divergence(*saliences)
    return Change(
        right(first, label), right(second, label), (first != second).mean(axis=1), displaced
    )


def divergence(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon divergence `(N,)` in bits of distributions `(N, T)` (Lin 1991).

    0 where they are equal, 1 where they share no step.
    """
    middle = (p + q) / 2
    shares = _relative(p, middle) / 2 + _relative(q, middle) / 2
    return np.clip(shares, 0.0, 1.0)


def _relative(p: Floats, q: Floats) -> Floats:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    bits: Floats = (p * np.log2(ratio)).sum(axis=1)
    return bits
