"""The Lightning module: losses, the weight average, validation and what the gate is told."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from affuse.batches import Batch
from affuse.fusion import FusionModel, FusionOutput, each_of, members_of
from affuse.fusion.across import processes, rank, shared_batch
from affuse.metrics.scores import score_outputs
from affuse.samples import FloatArray
from affuse.tasks import Task
from affuse.training.augment import augment
from affuse.training.balance import gradient_scales, modulate
from affuse.training.losses import Losses
from affuse.training.own_answers import each_modality, has_own_heads
from affuse.training.presets import TrainOptions
from affuse.training.pretrain import frozen_parts
from affuse.training.spoil import spoil
from affuse.training.whole_batch import Known, Said, answer, of_all, together

_APART = 1_000_000_000_039
"""Between the seeds of processes."""


class Best(NamedTuple):
    """The epoch with the best validation score, lower being better, and its weights."""

    epoch: int
    score: float
    weights: dict[str, Tensor]


class FusionModule(pl.LightningModule):
    """Trains any registered model on any task.

    Args:
        steps_per_epoch: for the learning-rate schedule.
        seed: from which every epoch's random numbers follow, so that an interrupted run repeats
            them exactly.
        teacher: what it learns from beside the labels.
        targets: of the training part, `(N, K)`, by which rare classes are known.

    Attributes:
        history: one dict an epoch, with losses, validation metrics and gate weights.
        best: what validation selected so far; None before the first epoch.
    """

    def __init__(
        self,
        model: FusionModel,
        task: Task,
        options: TrainOptions,
        steps_per_epoch: int,
        seed: int,
        teacher: FusionModel | None = None,
        targets: FloatArray | None = None,
    ) -> None:
        super().__init__()
        # Not a part of this module: it neither learns nor is stored with it.
        self._teacher = [] if teacher is None else [teacher.eval()]
        self.model, self.task, self.options, self.seed = model, task, options, seed
        self.average = copy.deepcopy(model).requires_grad_(False) if options.average else None
        self.steps_per_epoch = steps_per_epoch
        self.history: list[dict[str, float]] = []
        self.best: Best | None = None
        self._train_losses: list[Tensor] = []
        self._valid: list[Said] = []
        self._own_heads = has_own_heads(model)
        self.losses = Losses(task, options, self._own_heads, targets)
        self._scales: list[Tensor] = []
        self._noise: torch.Generator | None = None

    @property
    def kept(self) -> FusionModel:
        """The weights that validation judges and the checkpoint keeps."""
        return self.model if self.average is None else self.average

    @property
    def finished(self) -> bool:
        """Whether validation has not improved for too long."""
        best = self.best
        return best is not None and len(self.history) - 1 - best.epoch >= self.options.patience

    def on_train_epoch_start(self) -> None:
        # Of several processes, each hides something else of its share.
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch + rank() * _APART)
        self._train_losses.clear()
        for part in frozen_parts(self.model):
            part.eval()
        for teacher in self._teacher:
            teacher.to(self.device)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        counted = 0 if batch.targets is None else batch.size
        with shared_batch(counted, self.device):
            whole = augment(batch, self.options)
            # A teacher is asked before anything is spoilt: it knows what the student cannot see.
            taught = self._ask(whole)
            shown, spoilt = spoil(whole, self.options, self.model.modalities)
            said = each_of(self.model(shown))
            width = self.task.target_width
            outputs, known = of_all(said, shown, self.model, width, spoilt, taught)
        # Apart, not by their mean: members that share a loss end up leaning on each other.
        pairs = list(zip(members_of(self.model), outputs, strict=True))
        losses = torch.stack([self.losses(network, one, known) for network, one in pairs])
        self._train_losses.append(losses.detach().mean())
        if self.options.ogm_ge and self._own_heads:
            self._scales = [self._scale(one, known) for one in outputs]
            self._noise = self._same_noise(number)
        # Gradients of processes are averaged; what is wanted is their sum.
        return losses.sum() * processes()

    def _scale(self, output: FusionOutput, known: Known) -> Tensor:
        """By what the gradients of the encoders are scaled, `(M,)`."""
        assert output.unimodal is not None
        own = each_modality(self.task.losses, output.unimodal.detach(), known.targets)
        return gradient_scales(own, known.present, self.options.ogm_ge)

    def _same_noise(self, number: int) -> torch.Generator | None:
        """Where random numbers come from that must be the same in all processes."""
        if processes() == 1:
            return None
        steps = self.current_epoch * self.steps_per_epoch + number
        return torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + steps)

    def on_after_backward(self) -> None:
        for network, scales in zip(members_of(self.model), self._scales, strict=False):
            modulate(network, scales, self._noise)

    def _ask(self, batch: Batch) -> FusionOutput | None:
        """What the teacher says, of single modalities too where it has those of the model."""
        for teacher in self._teacher:
            with torch.no_grad():
                said: FusionOutput = teacher(batch)
            alike = teacher.modalities == self.model.modalities
            return said if alike else said._replace(unimodal=None)
        return None

    def configure_gradient_clipping(
        self,
        optimizer: Any,  # noqa: ARG002
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        assert gradient_clip_val is not None
        for network in members_of(self.model):
            torch.nn.utils.clip_grad_norm_(network.parameters(), gradient_clip_val)

    def on_train_batch_end(self, *_: Any) -> None:
        if self.average is None:
            return
        # A young average follows closely: its weight grows with the steps taken.
        step = self.global_step
        decay = min(self.options.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
            for held, now in zip(self.average.buffers(), self.model.buffers(), strict=True):
                held.copy_(now)

    def on_validation_epoch_start(self) -> None:
        self.kept.eval()

    def validation_step(self, batch: Batch, _: int) -> None:
        self._valid.append(self._answer(batch))

    def _answer(self, batch: Batch) -> Said:
        """What is kept says of validation samples, as it would be used: in float32."""
        with torch.autocast(self.device.type, enabled=False):
            return answer(self.kept, batch)

    def on_validation_epoch_end(self) -> None:
        kept, parts = self.kept, self._valid
        with shared_batch(sum(len(part.target) for part in parts), self.device):
            said = together(parts)
            if kept.gated:
                # The gate is told first: what is judged is the model as it would be used. Batches
                # are made again rather than held: they may be larger than memory.
                self._track(said)
                batches: Any = self.trainer.val_dataloaders
                said = together([self._answer(batch.to(self.device)) for batch in batches])
        parts.clear()
        prediction, target = self._trust(said), said.target
        losses = self._train_losses
        record = {
            "epoch": float(self.current_epoch),
            "train_loss": float(torch.stack(losses).mean()) if losses else math.nan,
            "valid_loss": float(self.task.losses(prediction, target).mean()),
        }
        both = (x.detach().cpu().double().numpy() for x in (prediction, target))
        record |= {f"valid_{k}": value for k, value in score_outputs(self.task, *both).items()}
        gate = said.gate.mean(dim=0)
        record |= {f"gate_{m}": float(w) for m, w in zip(kept.modalities, gate, strict=True)}
        if processes() > 1:
            # All have computed the same; should rounding differ, all must still stop together.
            record = self.trainer.strategy.broadcast(record)
        self.history.append(record)
        score = self._score(record)
        if self.best is None or self.options.select == "last" or score < self.best.score:
            weights = {k: v.cpu().clone() for k, v in kept.state_dict().items()}
            self.best = Best(self.current_epoch, score, weights)

    def _score(self, record: dict[str, float]) -> float:
        """Lower is better: the task's metric, with a little of the loss to break its ties."""
        metric, direction = self.task.selection
        value = record[f"valid_{metric}"]
        sign = 1.0 if direction == "min" else -1.0
        return sign * (0.0 if math.isnan(value) else value) + 0.05 * record["valid_loss"]

    def _track(self, said: Said) -> None:
        """Tell the gate what each modality alone achieved on validation."""
        if said.unimodal is None:
            return
        own = each_modality(self.task.losses, said.unimodal, said.target)
        losses = torch.where(said.gate > 0, own, torch.nan).nanmean(dim=0)
        for model in self._copies():
            model.track(losses)

    def _trust(self, said: Said) -> Tensor:
        """Validation predictions with the share of fusion's correction that serves them best.

        That is none where it gains less than one standard error over the primary alone: fusion
        must show that it helps.
        """
        prediction, target, lead, correction = (
            *(said.prediction, said.target),
            *(said.lead, said.correction),
        )
        if lead is None or correction is None:
            return prediction
        shares = torch.linspace(1, 0, 21).tolist()
        losses = torch.stack([self.task.losses(lead + s * correction, target) for s in shares])
        best = int(losses.mean(dim=1).argmin())
        gain = losses[-1] - losses[best]
        error = gain.std(correction=0) / math.sqrt(len(gain))
        share = shares[best] if gain.mean() > error else 0.0
        for model in self._copies():
            model.trust(share)
        trusted: Tensor = lead + share * correction
        return trusted

    def _copies(self) -> list[FusionModel]:
        return [self.model] if self.average is None else [self.model, self.average]

    def configure_optimizers(self) -> Any:
        o = self.options
        weights, decay = self.model.parameters(), o.weight_decay
        optimizer = torch.optim.AdamW(weights, lr=o.learning_rate, weight_decay=decay, fused=True)
        total, warm = o.epochs * self.steps_per_epoch, o.warmup * self.steps_per_epoch

        def rate(step: int) -> float:
            rise = min(1.0, (step + 1) / max(warm, 1))
            return rise * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        by_step = {"scheduler": schedule, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": by_step}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["best"] = None if self.best is None else self.best._asdict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])
        best = checkpoint["best"]
        self.best = None if best is None else Best(**best)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, _: int) -> Batch:
        return batch.to(device)
