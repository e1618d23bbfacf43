"""Which modality leads: the gates of HCT-MG, and their granularity.

The contribution gate reads what each modality alone achieves on the task. The agreement gate
learns, for each sample, whom to believe by how sure each looks and by who agrees with whom. The
paper's gates (arXiv 2305.13583) learn by a loss of their own, as its first author's prototype has
it, since argmax passes no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from affuse.errors import unknown_name
from affuse.fusion.across import all_rows

Granularity = Literal["task", "batch", "sample"]
# Share of the old value at each update of the tracked loss.
_MOMENTUM = 0.5
# The same of a weight that each batch has its own of.
_DATA_MOMENTUM = 0.99


class Heard(NamedTuple):
    """What each of M modalities says alone, as a gate hears it.

    Attributes:
        unimodal: raw outputs `(B, M, C)`.
        expected_loss: what the model expects of them, `(B, M)`, where it estimates that.
        streams: encoded steps `(B, T, d)` and their mask `(B, T)`.
    """

    unimodal: Tensor
    expected_loss: Tensor | None
    streams: Sequence[tuple[Tensor, Tensor]]


class Gate(nn.Module):
    """Weights of the modalities, softmax over those that are present; here the same for all.

    Attributes:
        expects: whether it reads the expected losses after training too.
    """

    expects = False
    weights: Tensor

    def track(self, losses: Tensor) -> None:
        """Take in the mean validation loss `(M,)` of each head; NaN where there is none."""

    def loss(self, gate: Tensor, losses: Tensor) -> Tensor | None:
        """What teaches the gate: its weights and the losses of the heads, both `(B, M)`."""

    def forward(self, heard: Heard, present: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        """To weights `(B, M)`, and how far what is said together is amplified, `(B, 1)`, if so."""
        return masked_softmax(self.weights.expand(present.shape), present), None


class PaperScaleGate(Gate):
    """One trainable weight a modality, equal at first, that learns by the scaling of streams."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(modalities))


class PaperGate(PaperScaleGate):
    """The same weights p, with the gate loss: the sum over modalities of p_m L_m."""

    def loss(self, gate: Tensor, losses: Tensor) -> Tensor | None:
        return (gate * losses).sum(dim=1).mean()


class PaperDataGate(Gate):
    """A small network reads the last step of each stream; the mean over the batch is its weight.

    Its loss is the cube root of the sum over modalities of p_m L_m. At inference the mean over
    training takes the place of the batch's, in which a sample's neighbours would have a say.
    """

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 256), nn.LeakyReLU(), nn.Linear(256, 1), nn.Sigmoid())
            for _ in range(modalities)
        )
        self.register_buffer("weights", torch.full((modalities,), 0.5))

    def loss(self, gate: Tensor, losses: Tensor) -> Tensor | None:
        return (gate * losses).sum(dim=1).mean().clamp(min=1e-6) ** (1 / 3)

    def forward(self, heard: Heard, present: Tensor) -> tuple[Tensor, Tensor | None]:
        weights = self.weights
        if self.training:
            said = [
                network(last_step(steps, mask))[:, 0]
                for network, (steps, mask) in zip(self.networks, heard.streams, strict=True)
            ]
            each, there = all_rows(torch.stack(said, dim=1).float() * present, present)
            weights = each.sum(dim=0) / there.sum(dim=0).clamp(min=1)
            with torch.no_grad():
                known = there.any(dim=0)
                mixed = self.weights.lerp(weights, 1 - _DATA_MOMENTUM)
                self.weights.copy_(torch.where(known, mixed, self.weights))
        shares = weights.expand(present.shape) * present
        return shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-6), None


class FixedGate(Gate):
    """A chosen primary; the others share what is left."""

    def __init__(self, modalities: int, primary: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.eye(modalities)[primary], persistent=False)


class ContributionGate(Gate):
    """Weights from the loss of each modality's own head: the lower, the more it contributes.

    w = softmax(-loss / (temperature * mean loss)) over the modalities that are present, where the
    loss is tracked over validations (task), or expected by the model, averaged over the training
    batch (batch) or for the sample (sample). The batch average exists in training only; at
    inference it would let a sample's neighbours change its answer, so the tracked loss decides.

    Args:
        temperature: relative difference in loss that makes one modality e times another's weight.
    """

    tracked: Tensor
    updates: Tensor

    def __init__(self, modalities: int, granularity: Granularity, temperature: float) -> None:
        super().__init__()
        self.expects = granularity == "sample"
        self.granularity, self.temperature = granularity, temperature
        self.register_buffer("tracked", torch.ones(modalities))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def track(self, losses: Tensor) -> None:
        with torch.no_grad():
            losses = losses.to(self.tracked)
            momentum = _MOMENTUM if self.updates > 0 else 0.0
            mixed = momentum * self.tracked + (1 - momentum) * losses
            self.tracked.copy_(torch.where(torch.isfinite(losses), mixed, self.tracked))
            self.updates += 1

    def forward(self, heard: Heard, present: Tensor) -> tuple[Tensor, Tensor | None]:
        expected_loss = heard.expected_loss
        batch = self.granularity == "batch" and self.training
        if expected_loss is None or not (batch or self.granularity == "sample"):
            loss = self.tracked
        elif batch:
            expected, there = all_rows(expected_loss.detach() * present, present)
            loss = expected.sum(dim=0) / there.sum(dim=0).clamp(min=1)
        else:
            loss = expected_loss
        # Measured, not trained by the fused loss: no gradient.
        loss = loss.detach().expand(present.shape)
        count = present.sum(dim=1, keepdim=True).clamp(min=1)
        scale = (loss * present).sum(dim=1, keepdim=True) / count
        logits = -loss / (self.temperature * scale.clamp(min=1e-6))
        return masked_softmax(logits, present), None


class AgreementGate(Gate):
    """Weights of each sample by how sure each modality looks, and by who agrees with whom.

    A small network, the same for all modalities, compares what one says with what each other says:
    how far they are apart, also in terms of the errors that are expected of both, how strongly each
    speaks, and of values how far one is from the opposite of the other. The mean over the others
    decides by how much a weight differs from one over the square of the expected loss, which it is
    at first: of errors that are independent, that is the best. Two that agree can so outvote one
    that looks surer. It learns from the fused answer.

    Args:
        values: whether raw outputs are values rather than logits of classes.
    """

    expects = True

    def __init__(self, values: bool, hidden: int = 32) -> None:
        super().__init__()
        self.values = values
        compared = _COMPARED_VALUES if values else _COMPARED
        self.compare = nn.Sequential(
            nn.Linear(compared, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )
        self.decide = nn.Sequential(nn.Linear(hidden + 2, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.amplify = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))
        for parameter in (*self.decide[-1].parameters(), *self.amplify[-1].parameters()):
            nn.init.zeros_(parameter)

    def forward(self, heard: Heard, present: Tensor) -> tuple[Tensor, Tensor | None]:
        assert heard.expected_loss is not None
        error = heard.expected_loss.detach().clamp(min=_LEAST_LOSS)
        strength = _strength(heard.unimodal, self.values)
        apart = _apart(heard.unimodal, heard.unimodal, self.values)
        both = error[:, :, None] + error[:, None, :]
        pairs = [
            *(apart, (apart / both).clamp(max=_FAR)),
            *_each_with_other(error.log()),
            strength[:, :, None].expand_as(apart),
        ]
        if self.values:
            opposed = _apart(heard.unimodal, -heard.unimodal, self.values)
            pairs += [opposed, (opposed / both).clamp(max=_FAR)]
        compared = self.compare(torch.stack(pairs, dim=3))
        place = torch.arange(present.shape[1], device=present.device)
        others = present[:, None, :] & present[:, :, None] & (place[:, None] != place)
        count = others.sum(dim=2, keepdim=True).clamp(min=1)
        seen = (compared * others[..., None]).sum(dim=2) / count
        own = torch.stack([error.log(), strength], dim=2)
        logits = self.decide(torch.cat([seen, own], dim=2))[..., 0] - 2 * error.log()
        gate = masked_softmax(logits, present)
        return gate, self.amplify((seen * gate[..., None]).sum(dim=1)).exp()


# What the agreement gate compares of two modalities: distance, the same in expected errors, both
# errors, and how strongly the first speaks; of values also the distance from the opposite, twice.
_COMPARED, _COMPARED_VALUES = 5, 7
_FAR = 6.0
_LEAST_LOSS = 1e-2


def _each_with_other(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values `(B, M)` of the first and of the second of each pair, `(B, M, M)`."""
    shape = (*values.shape, values.shape[1])
    return values[:, :, None].expand(shape), values[:, None, :].expand(shape)


def _strength(unimodal: Tensor, values: bool) -> Tensor:
    """How strongly each modality speaks, `(B, M)`: the size of values, or the likeliest class."""
    if values:
        return unimodal.abs().mean(dim=2)
    return unimodal.softmax(dim=2).amax(dim=2)


def _apart(answers: Tensor, others: Tensor, values: bool) -> Tensor:
    """How far each answer is from each other, `(B, M, C)` both, `(B, M, M)`.

    The mean of values, or half the sum over classes.
    """
    if values:
        return (answers[:, :, None] - others[:, None]).abs().mean(dim=3)
    p, q = answers.softmax(dim=2), others.softmax(dim=2)
    return (p[:, :, None] - q[:, None]).abs().sum(dim=3) / 2


def last_step(steps: Tensor, mask: Tensor) -> Tensor:
    """The last real step `(B, d)` of a stream `(B, T, d)`; the first where none is real."""
    place = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(dim=1)
    index = (place - 1).clamp(min=0)[:, None, None].expand(-1, 1, steps.shape[2])
    return steps.gather(1, index)[:, 0]


GATES = ("contribution", "agreement", "paper", "paper-data", "paper-scale", "fixed:<modality>")


def make_gate(
    name: str,
    modalities: Sequence[str],
    granularity: Granularity,
    temperature: float,
    width: int,
    *,
    values: bool,
) -> Gate:
    """One of `GATES`, for streams of width d and answers that are values or logits."""
    kind, _, modality = name.partition(":")
    if kind == "contribution":
        return ContributionGate(len(modalities), granularity, temperature)
    if kind == "agreement":
        return AgreementGate(values)
    if kind in ("paper", "paper-scale"):
        return (PaperGate if kind == "paper" else PaperScaleGate)(len(modalities))
    if kind == "paper-data":
        return PaperDataGate(len(modalities), width)
    if kind == "fixed":
        if modality not in modalities:
            raise unknown_name("modality", modality, modalities, source="gate=fixed")
        return FixedGate(len(modalities), modalities.index(modality))
    raise unknown_name("gate", name, GATES)


def masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """Softmax over the last dimension among what is present; the rest is exactly zero."""
    logits = logits.float()  # where networks count in bfloat16
    return logits.masked_fill(~present, torch.finfo(logits.dtype).min).softmax(dim=-1) * present
