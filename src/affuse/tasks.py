"""What is predicted: a `Task` gives the loss, the decoding and the names of its metrics.

torch is imported only where a loss is computed, so that inference can decode without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError, unknown_name

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Selection = tuple[str, Literal["min", "max"]]


@dataclass(frozen=True)
class Task(ABC):
    """Shapes: a model's raw outputs are `(N, outputs)`, targets `(N, target_width)`."""

    kind: ClassVar[str]
    selection: ClassVar[Selection]
    """The metric by which validation selects, and its direction."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """C, the number of raw outputs of a model."""

    @property
    def target_width(self) -> int:
        """K, the number of target values a sample has."""
        return 1

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """Names in `affuse.metrics.scores`, the most telling first."""

    @abstractmethod
    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, `(N,)`, from raw outputs `(N, C)` and targets `(N, K)`."""

    @abstractmethod
    def decode(self, prediction: Floats) -> Floats:
        """Raw outputs `(N, C)` to values (regression) or probabilities, `(N, C)`."""

    @abstractmethod
    def trivial(self, targets: Floats) -> Floats:
        """The constant raw output `(C,)` that is best knowing only the training targets."""

    @abstractmethod
    def check(self, targets: Floats, *, source: str) -> None:
        """Raise `InputError` naming `source` where targets `(N, K)` are outside the task."""

    def to_config(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.__dict__}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Task:
        """The inverse of `to_config`.

        Raises:
            InputError: an unknown kind or wrong fields.
        """
        fields = dict(config)
        kind = str(fields.pop("kind", ""))
        known: tuple[type[Task], ...] = (Regression, Values, Classification, BinaryLabels)
        kinds = {task.kind: task for task in known}
        if kind not in kinds:
            raise unknown_name("task kind", kind, kinds)
        try:
            frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
            return kinds[kind](**frozen)
        except TypeError as error:
            remedy = "use the fields of to_config"
            raise InputError(f"task {kind}: {error}", remedy=remedy) from None


def _softmax(values: Floats) -> Floats:
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _require_finite(targets: Floats, source: str) -> None:
    bad = np.flatnonzero(~np.isfinite(targets).all(axis=1))
    if bad.size:
        problem = f"label {int(bad[0])} is not finite"
        raise InputError(problem, remedy="drop or mend that row", source=source)


class Continuous(Task):
    """What is told in values of one range: each raw output is the value itself."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The value that leans to neither side."""
        return (self.low + self.high) / 2

    def decode(self, prediction: Floats) -> Floats:
        return np.clip(prediction, self.low, self.high)

    def _require_in_range(self, targets: Floats, source: str) -> None:
        out = np.argwhere((targets < self.low - 1e-4) | (targets > self.high + 1e-4))
        if out.size:
            raise InputError(
                f"label {int(out[0, 0])} is {float(targets[tuple(out[0])]):g}, outside "
                f"[{self.low:g}, {self.high:g}]",
                remedy="rescale the labels or name the right corpus",
                source=source,
            )


@dataclass(frozen=True)
class Regression(Continuous):
    """One value in [low, high], such as sentiment in [-3, 3]. Trained by mean absolute error."""

    kind = "regression"
    selection = "mae", "min"
    low: float = -3.0
    high: float = 3.0

    @property
    def outputs(self) -> int:
        return 1

    @property
    def metrics(self) -> tuple[str, ...]:
        if self.low >= 0:  # a rating, in which zero divides nothing
            return ("mae", "ccc", "corr")
        names = ["mae", "corr", "acc2_nonzero", "f1_nonzero", "acc2_haszero", "f1_haszero"]
        names.append("f1_nonzero_swapped")
        if (self.low, self.high) == (-3.0, 3.0):
            names += ["acc7", "acc5"]
        return tuple(names)

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().mean(dim=-1)

    def trivial(self, targets: Floats) -> Floats:
        return np.asarray(targets.mean(axis=0))

    def check(self, targets: Floats, *, source: str) -> None:
        _require_finite(targets, source)
        self._require_in_range(targets, source)


@dataclass(frozen=True)
class Values(Continuous):
    """Several values of one range at once, such as valence and arousal in [-1, 1].

    A target that is NaN is a value that nobody told of that sample: losses, metrics and the trivial
    answer go by the others. Trained by the mean absolute error over what is told, selected by the
    mean concordance: with little spread, the middle would do well by error alone.
    """

    kind = "values"
    selection = "ccc_mean", "max"
    names: tuple[str, ...] = ()
    low: float = -1.0
    high: float = 1.0

    @property
    def outputs(self) -> int:
        return len(self.names)

    @property
    def target_width(self) -> int:
        return len(self.names)

    @property
    def metrics(self) -> tuple[str, ...]:
        bases = ("ccc", "mae", "corr")
        return tuple(f"{base}_{name}" for name in ("mean", *self.names) for base in bases)

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        told = ~target.isnan()
        gaps = (prediction - target.nan_to_num()).abs() * told
        return gaps.sum(dim=-1) / told.sum(dim=-1).clamp(min=1)

    def trivial(self, targets: Floats) -> Floats:
        told = np.isfinite(targets)
        total = np.where(told, targets, 0.0).sum(axis=0)
        return np.where(told.any(axis=0), total / np.maximum(told.sum(axis=0), 1), self.middle)

    def check(self, targets: Floats, *, source: str) -> None:
        nothing = np.flatnonzero(np.isinf(targets).any(axis=1) | np.isnan(targets).all(axis=1))
        if nothing.size:
            problem = f"label row {int(nothing[0])} tells no finite value"
            raise InputError(problem, remedy="drop or mend that row", source=source)
        self._require_in_range(targets, source)


@dataclass(frozen=True)
class Classification(Task):
    """One of several classes. Trained by cross-entropy; the target is the class index."""

    kind = "classification"
    selection = "accuracy", "max"
    labels: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        return len(self.labels)

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("accuracy", "f1_weighted", "f1_macro", "f1_weighted_swapped", "uar")

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(prediction, target[:, 0].long(), reduction="none")

    def decode(self, prediction: Floats) -> Floats:
        return _softmax(prediction)

    def trivial(self, targets: Floats) -> Floats:
        counts = np.bincount(targets[:, 0].astype(int), minlength=self.outputs)
        return np.log(np.maximum(counts, 1e-3) / max(len(targets), 1))

    def check(self, targets: Floats, *, source: str) -> None:
        _require_finite(targets, source)
        index = targets[:, 0]
        bad = np.flatnonzero((index < 0) | (index >= self.outputs) | (index != np.floor(index)))
        if bad.size:
            raise InputError(
                f"label {int(bad[0])} is {float(index[bad[0]]):g}, not a class from 0 to "
                f"{self.outputs - 1}",
                remedy=f"use the index of one of: {', '.join(self.labels)}",
                source=source,
            )


@dataclass(frozen=True)
class BinaryLabels(Task):
    """Several yes/no labels a sample, as the four emotions of IEMOCAP.

    Each label has two raw outputs, (no, yes), as in the field's code; C = 2 K.
    """

    kind = "binary_labels"
    selection = "f1_mean", "max"
    labels: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        return 2 * len(self.labels)

    @property
    def target_width(self) -> int:
        return len(self.labels)

    @property
    def metrics(self) -> tuple[str, ...]:
        averages = ("accuracy_mean", "f1_mean", "f1_swapped_mean")
        each = tuple(f"{m}_{label}" for label in self.labels for m in ("accuracy", "f1"))
        return averages + each

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        pairs = prediction.reshape(-1, 2)
        each = cross_entropy(pairs, target.reshape(-1).long(), reduction="none")
        return each.reshape(target.shape).mean(dim=-1)

    def decode(self, prediction: Floats) -> Floats:
        return _softmax(prediction.reshape(len(prediction), -1, 2)).reshape(prediction.shape)

    def trivial(self, targets: Floats) -> Floats:
        rate = np.clip(targets.mean(axis=0), 1e-3, 1 - 1e-3)
        return np.asarray(np.log(np.stack([1 - rate, rate], axis=1)).ravel())

    def check(self, targets: Floats, *, source: str) -> None:
        _require_finite(targets, source)
        bad = np.flatnonzero(~np.isin(targets, (0.0, 1.0)).all(axis=1))
        if bad.size:
            raise InputError(
                f"label row {int(bad[0])} holds values other than 0 and 1",
                remedy="give one 0/1 flag for each emotion",
                source=source,
            )
