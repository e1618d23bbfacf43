"""The losses of a batch: of what is fused, of each modality's own answer, of what is expected."""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.fusion import FusionModel, FusionOutput
from affuse.samples import FloatArray
from affuse.tasks import Classification, Task
from affuse.training.distil import agreement
from affuse.training.own_answers import each_modality
from affuse.training.presets import TrainOptions
from affuse.training.whole_batch import Known


class Losses:
    """The loss of one network, from what it said of a batch in which some modalities are spoilt.

    Args:
        own_heads: whether the model has an encoder and a head for each modality.
        targets: of the training part, `(N, K)`, by which rare classes are known.
    """

    def __init__(
        self, task: Task, options: TrainOptions, own_heads: bool, targets: FloatArray | None
    ) -> None:
        self.task, self.options, self.own_heads = task, options, own_heads
        self.shares = _log_shares(task, options.balance, targets)

    def __call__(self, network: FusionModel, output: FusionOutput, known: Known) -> Tensor:
        targets, alone, present, spoilt, taught = known
        loss = self._of_labels(output.prediction, targets).mean()
        if taught is not None:
            loss = self._mixed(loss, self._agreement(output.prediction, taught.prediction).mean())
        if output.regulariser is not None:
            loss = loss + output.regulariser
        if output.unimodal is None or not (self.own_heads or output.expected_loss is not None):
            return loss
        # How far each is from what all together should say; it learns what it should say itself.
        own = each_modality(self._of_labels, output.unimodal, targets)
        learnt = each_modality(self._of_labels, output.unimodal, alone)
        # A head is not taught what its input cannot tell.
        clear = present & ~spoilt
        if taught is not None and taught.unimodal is not None:
            apart = map(self._agreement, output.unimodal.unbind(1), taught.unimodal.unbind(1))
            learnt = self._mixed(learnt, torch.stack([*apart], dim=1))
        means = (learnt * clear).sum(dim=0) / clear.sum(dim=0).clamp(min=1)
        loss = loss + self.options.auxiliary * means.sum()
        if output.expected_loss is not None:
            # What is spoilt is where its loss is worth expecting.
            gap = (output.expected_loss - own.detach()).abs() * present
            loss = loss + self.options.reliability * gap.sum() / present.sum()
        # The heads have losses of their own: this one is the gate's.
        guidance = network.gate_loss(output.gate, own.detach())
        return loss if guidance is None else loss + guidance

    def _mixed(self, labels: Tensor, teacher: Tensor) -> Tensor:
        """The losses of labels and of the teacher's answers, by their shares."""
        return labels.lerp(teacher, self.options.distil_share)

    def _agreement(self, prediction: Tensor, taught: Tensor) -> Tensor:
        return agreement(self.task, prediction, taught, self.options.distil_temperature)

    def _of_labels(self, prediction: Tensor, target: Tensor) -> Tensor:
        if self.shares is not None:
            prediction = prediction + self.shares.to(prediction.device)
        smoothing = self.options.label_smoothing
        if smoothing and isinstance(self.task, Classification):
            return torch.nn.functional.cross_entropy(
                prediction, target[:, 0].long(), reduction="none", label_smoothing=smoothing
            )
        return self.task.losses(prediction, target)


def _log_shares(task: Task, balance: float, targets: FloatArray | None) -> Tensor | None:
    """What is added to logits in training, `(C,)`, so that they need not learn what is rare.

    Menon et al. (2021), "Long-tail learning via logit adjustment".
    """
    if not balance:
        return None
    assert targets is not None
    known = torch.from_numpy(targets[:, 0]).long()
    counts = torch.bincount(known, minlength=task.outputs)
    # A class that does not occur is as one that does once: nothing is infinitely rare.
    return balance * (counts.clamp(min=1) / len(known)).log()
