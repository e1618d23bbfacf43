"""Probes: small transparent readers of a sequence, fitted on frozen features or latents.

A probe listens to each step by a sigmoid gate and averages what the steps say:

    outputs = sum_t w_t V z_t + b,   w_t = g_t / sum_s g_s,   g_t = sigmoid(u z_t + a)

where z is the sequence `(T, D)` standardised over the training steps. It is linear in what it
hears, so that the contribution of each step to an answer, `w_t V z_t`, is exact. The gate makes it
more than a mean: affect sits in a few steps, and an average over time would miss it (a gated form
of attention pooling: Ilse et al. 2018, "Attention-based Deep Multiple Instance Learning").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from affuse.incongruity.tendency import margin
from affuse.tasks import Continuous, Floats, Ints, Task

# Standard deviation of noise on every value in training, the better one by validation: what a
# penalty on weights is for a linear probe, in units that need no tuning to width or task.
NOISES = (0.3, 1.0)
_STEPS, _BATCH, _WARM = 400, 150, 0.3
# Of Adam; over the width for weights, so that a step moves what is heard alike at any width.
_RATE, _RATE_OF_ALL = 0.1, 1.2
# Share of the steps hidden at each training step: without it a probe leans on the few loudest.
_HIDDEN = 0.5
# A probe that hears next to nothing says b, instead of making much of it.
_SILENCE = 1e-3


@dataclass(frozen=True)
class Reading:
    """What a probe makes of N sequences, float32.

    Attributes:
        outputs: raw outputs `(N, C)` in the units of a model's.
        weights: how much it listens to each step, `(N, T)`; zero where padded; they sum
            to one, or less where every gate is nearly shut.
        contributions: of each step to the outputs, `(N, T, C)`.
    """

    outputs: Floats
    weights: Floats
    contributions: Floats

    def salience(self, task: Task, said: Ints) -> Floats:
        """How much each step moves the tendencies `said` `(N, Q)`, as a distribution `(N, T)`.

        The size of a step's contribution to the margin of the tendency (of values, to each), over
        the sum of all; even where nothing contributes.
        """
        pulls = np.abs(self.contributions @ margin(task, said).transpose(0, 2, 1)).sum(axis=2)
        pulls = np.where(self.weights > 0, pulls + 1e-12, 0.0)
        return np.asarray(pulls / np.maximum(pulls.sum(axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True)
class Probe:
    """A fitted probe of sequences of width D to C outputs.

    u `(D,)` and a are its `gate`, V `(D, C)` and b `(C,)` its `value`. It `overfits` where it does
    worse on validation than where it learned, by more than chance.
    """

    gate: Tensor
    gate_bias: Tensor
    value: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor
    overfits: bool

    @torch.no_grad()
    def read(self, x: Tensor, mask: Tensor) -> Reading:
        """Read sequences `(N, T, D)` with mask `(N, T)`; one without a real step reads as b."""
        z = (x - self.mean) / self.scale
        weights = _listen(z @ self.gate + self.gate_bias, mask)
        contributions = weights[..., None] * (z @ self.value)
        outputs = contributions.sum(dim=1) + self.bias
        arrays = (t.cpu().numpy() for t in (outputs, weights, contributions))
        return Reading(*arrays)

    def at(self, x: Tensor, mask: Tensor) -> Probe:
        """The same probe for latents of another place, standardised over theirs.

        A block may scale and shift every feature, as a layer norm does, without harm to what is
        said; the directions stay those that were learned.
        """
        mean, scale = _moments(x, mask)
        return replace(self, mean=mean, scale=scale)


def fit_probe(
    task: Task,
    x: Tensor,
    mask: Tensor,
    targets: Tensor,
    valid: tuple[Tensor, Tensor, Tensor],
    seed: int = 0,
) -> Probe:
    """A probe of sequences that tells the label.

    A value is fitted by a mixture: what is read is the label, give or take, or its opposite
    (`_Contrary`). Samples that say the opposite of their label would otherwise bend the probe.

    Args:
        x, mask, targets: `(N, T, D)`, `(N, T)`, True where real, and `(N, K)`.
        valid: the same three of the validation part, which chooses the noise.
        seed: of the random numbers, which the processor draws, so that they are the same wherever
            `x` and the rest lie; the global ones are left alone.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, scale = _moments(x, mask)
    net = _Training(x.shape[2], task, generator).to(x.device)
    centre, unit = _units(task)
    z, y = (x - mean) / scale, (targets - centre) / unit
    _train(net, z, mask, y, generator)
    with torch.no_grad():
        learned = net.losses(z, mask, y)
        x, mask, targets = valid
        known = net.losses((x - mean) / scale, mask, (targets - centre) / unit)
    best = int(known.mean(dim=1).argmin())
    weight, ours, theirs = net.weight[best].detach(), known[best], learned[best]
    error = (ours.var() / len(ours) + theirs.var() / len(theirs)).sqrt()
    return Probe(
        weight[:, 0].clone(),
        net.gate_bias[best].detach().clone(),
        weight[:, 1:] * unit,
        net.bias[best].detach() * unit + centre,
        mean,
        scale,
        overfits=bool(ours.mean() - theirs.mean() > 2 * error),
    )


def _units(task: Task) -> tuple[float, float]:
    """Centre and unit of the targets in training: the range of values becomes [-3, 3]."""
    return (task.middle, (task.high - task.low) / 6) if isinstance(task, Continuous) else (0, 1)


class _Training(nn.Module):
    """S probes side by side, each under its strength of noise.

    Names in einsum are those of shapes; `n` counts the steps that are heard.
    """

    noise: Tensor

    def __init__(self, width: int, task: Task, generator: torch.Generator) -> None:
        super().__init__()
        self.task = task
        self.register_buffer("noise", torch.tensor(NOISES)[:, None, None, None])
        shape = len(NOISES), width, 1 + task.outputs
        # u and V side by side: what is heard is one product.
        self.weight = nn.Parameter(0.3 / width**0.5 * torch.randn(shape, generator=generator))
        self.gate_bias = nn.Parameter(torch.zeros(len(NOISES)))
        self.bias = nn.Parameter(torch.zeros(len(NOISES), task.outputs))
        of_values = task.outputs if isinstance(task, Continuous) else 0
        self.contrary = nn.ModuleList(_Contrary(len(NOISES)) for _ in range(of_values))

    def outputs(
        self,
        z: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """`(B, T, D)` to `(S, B, C)`; with a generator, noise on what is heard."""
        # Of heard steps alone: padding may be most of what there is.
        real = mask.nonzero(as_tuple=True)
        place = real if rows is None else (rows[real[0]], real[1])
        said = torch.einsum("nd,sdc->nsc", z[place], self.weight)
        heard = said.new_zeros(*mask.shape, *said.shape[1:]).index_put(real, said)
        heard = heard.permute(2, 0, 1, 3)
        if generator is not None:
            # Noise on D values seen through a weight vector is noise of that vector's length.
            length = self.weight.norm(dim=1)[:, None, None]
            drawn = torch.randn(heard.shape, generator=generator).to(heard.device)
            heard = heard + self.noise * length * drawn
        weights = _listen(heard[..., 0] + self.gate_bias[:, None, None], mask)
        return (weights[..., None] * heard[..., 1:]).sum(dim=2) + self.bias[:, None]

    def losses(
        self,
        z: Tensor,
        mask: Tensor,
        targets: Tensor,
        generator: torch.Generator | None = None,
        robust: bool = True,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Loss of each sample `(S, B)`; `rows` `(B,)` says which of `z` `(N, T, D)` they are."""
        outputs = self.outputs(z, mask, generator, rows)
        if self.contrary and robust:
            told, known = targets.isfinite(), targets.nan_to_num()
            each = [f(outputs[..., k], known[:, k]) for k, f in enumerate(self.contrary)]
            losses = torch.stack(each, dim=2) * told
            return losses.sum(dim=2) / told.sum(dim=1).clamp(min=1)
        return torch.stack([self.task.losses(each, targets) for each in outputs])


class _Contrary(nn.Module):
    """-log p(label | reading): the label lies about the reading, or about its opposite.

    (1 - q) N(y; r, s) + q N(y; -k r, s'), both about the neutral value, which is 0 here.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.full((count, 1), -2.0))
        self.spread = nn.Parameter(torch.zeros(2, count, 1))
        self.stretch = nn.Parameter(torch.zeros(count, 1))

    def forward(self, reading: Tensor, target: Tensor) -> Tensor:
        """Readings `(S, B)` and targets `(B,)` to losses `(S, B)`."""
        agrees = _log_normal(target, reading, self.spread[0])
        opposes = _log_normal(target, -self.stretch.exp() * reading, self.spread[1])
        share = nn.functional.logsigmoid(self.share)
        rest = nn.functional.logsigmoid(-self.share)
        return -torch.logaddexp(rest + agrees, share + opposes)


def _train(
    net: _Training, z: Tensor, mask: Tensor, targets: Tensor, generator: torch.Generator
) -> None:
    others = [p for p in net.parameters() if p is not net.weight]
    rates = [_RATE_OF_ALL / z.shape[2], _RATE]
    optimizer = torch.optim.Adam([{"params": [net.weight]}, {"params": others}])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=_STEPS)
    for step in range(_STEPS):
        rows = torch.randint(len(mask), (min(_BATCH, len(mask)),), generator=generator)
        rows = rows.to(mask.device)
        heard = mask[rows]
        if heard.shape[1] > 1:
            spared = torch.rand(heard.shape, generator=generator) >= _HIDDEN
            heard = heard & spared.to(heard.device)
        # First by the plain loss: a mixture that begins anywhere may end anywhere.
        robust = step >= _WARM * _STEPS
        loss = net.losses(z, heard, targets[rows], generator, robust, rows).mean(dim=1).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _listen(gate: Tensor, mask: Tensor) -> Tensor:
    """Gate logits `(..., T)` to weights, which sum to one unless every gate is shut."""
    gates = gate.sigmoid() * mask
    return gates / (gates.sum(dim=-1, keepdim=True) + _SILENCE)


def _log_normal(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    return -log_scale - 0.5 * ((x - mean) / log_scale.exp()) ** 2


def _moments(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale `(D,)` over real steps; a constant feature has scale 1."""
    steps = x[mask]
    deviation = steps.std(dim=0, correction=0)
    return steps.mean(dim=0), torch.where(deviation > 1e-6, deviation, 1.0)
