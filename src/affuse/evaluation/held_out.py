"""The locked test part: a model answers without its targets, and is scored where the targets are.

What a model could learn a target from besides the features is taken away too. It sees test samples
in an order of chance, under names that say nothing: the names of a corpus may tell the class, as
RAVDESS' do, and so may the order of a file.
"""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affuse.batches import collate
from affuse.errors import InputError
from affuse.evaluation.stress import KINDS, Stress, score_levels
from affuse.fusion import FusionModel
from affuse.metrics.definitions import Array
from affuse.metrics.scores import score_outputs
from affuse.samples import FloatArray, Sample, labelled, targets_of
from affuse.tasks import Task
from affuse.training.answerable import has_any, known_trivial
from affuse.training.checkpoint import Checkpoint
from affuse.training.devices import AUTO, on_device


@dataclass(frozen=True)
class Predictions:
    """Arrays over N samples: raw outputs `(N, C)`, gate `(N, M)` and primary index `(N,)`."""

    prediction: Array
    gate: Array
    primary: NDArray[np.integer[Any]]


def run_model(
    model: FusionModel, samples: Sequence[Sample], batch_size: int = 64, *, device: str = AUTO
) -> Predictions:
    """Run a model on prepared samples.

    Samples of similar length are batched together and put back in order, so that little is spent
    on padding; a model's answer does not depend on its batch.

    Args:
        device: on which it works, by name; see `affuse.training.devices.resolve_device`. The model
            is afterwards where it was.

    Raises:
        InputError: no such device.
    """
    model.eval()
    lengths = [sum(map(len, s.sequences.values())) for s in samples]
    order = np.argsort(lengths, kind="stable")
    starts = range(0, len(order), batch_size)
    batches = ([samples[i] for i in order[start : start + batch_size]] for start in starts)
    with on_device(model, device) as place, torch.inference_mode():
        outputs = [model(collate(batch, model.modalities).to(place)) for batch in batches]
    back = np.argsort(order)
    prediction, gate, primary = (
        torch.cat([getattr(o, name) for o in outputs]).cpu().double().numpy()[back]
        for name in ("prediction", "gate", "primary")
    )
    return Predictions(prediction, gate, primary.astype(np.int64))


def run_checkpoint(
    checkpoint: Checkpoint, samples: Sequence[Sample], *, device: str = AUTO
) -> Predictions:
    """Run a checkpoint on prepared samples; its trivial answer stands where one lacks all it reads.

    There no modality has weight, and the primary is `NONE_LEADS`.

    Raises:
        InputError: as `run_model`, or a checkpoint of an older version, which keeps no such answer.
    """
    model, trivial = checkpoint.model, known_trivial(checkpoint.training)
    known = np.array([has_any(sample, model.modalities) for sample in samples])
    if known.all() or trivial is None:
        return run_model(model, samples, device=device)
    count, width = len(samples), len(model.modalities)
    prediction, gate = np.tile(trivial, (count, 1)), np.zeros((count, width))
    primary = np.full(count, NONE_LEADS)
    if known.any():
        some = [sample for sample, usable in zip(samples, known, strict=True) if usable]
        said = run_model(model, some, device=device)
        prediction[known], gate[known], primary[known] = said.prediction, said.gate, said.primary
    return Predictions(prediction, gate, primary)


NONE_LEADS = -1
"""The primary of a sample that has nothing of what a model reads."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """What the N labelled samples of a test part are scored by.

    Attributes:
        target: `(N, K)`.
        primary: the modality that was planted as the true one, where a generator says so.
    """

    ids: tuple[str, ...]
    target: Array
    primary: tuple[str | None, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Key:
        """Raises `InputError` where no sample has a label."""
        known = labelled(samples)
        if not known:
            raise InputError("the test part has no labels", remedy="use a corpus with test labels")
        planted = tuple(s.truth.get("primary") for s in known)
        return cls(tuple(s.id for s in known), targets_of(known).astype(np.float64), planted)


@dataclass(frozen=True)
class Answers:
    """What a model says of N samples, in the order of their `Key`.

    Attributes:
        modalities: the model's M.
        prediction: raw outputs `(N, C)`.
        primary: index `(N,)` of the modality that leads, of a gated model.
        gate: weights `(N, M)`, of a gated model.
        subsets: modalities given, such as `text+audio`, to which samples have any of them, `(N,)`,
            and the raw outputs of these.
        trivial: for how many the trivial answer stands: they have nothing that the model reads.
        spoilt: kind of stress to raw outputs `(L, N, C)` at each level but the clean one.
    """

    modalities: tuple[str, ...]
    prediction: Array
    primary: Array | None = None
    gate: Array | None = None
    subsets: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    trivial: int = 0
    spoilt: dict[str, Array] = field(default_factory=dict)


def hide(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with their features alone, shuffled and renamed; `answer` puts them back.

    Groups are renamed too: normalisation by speaker needs to know who belongs together.
    """
    shuffled = [samples[i] for i in _order(len(samples))]
    groups = {g: f"group {n}" for n, g in enumerate(dict.fromkeys(s.group for s in shuffled))}
    return [
        Sample(
            f"test {place}",
            {m: own_copy(x) for m, x in s.sequences.items()},
            group=None if s.group is None else groups[s.group],
        )
        for place, s in enumerate(shuffled)
    ]


def answer(
    checkpoint: Checkpoint, hidden: Sequence[Sample], *, subsets: bool, device: str = AUTO
) -> Answers:
    """A model's answers for samples that were hidden and prepared, in their order before that."""
    model, back = checkpoint.model, np.argsort(_order(len(hidden)))
    several = subsets and len(model.modalities) > 1
    said = run_checkpoint(checkpoint, hidden, device=device)
    return Answers(
        model.modalities,
        said.prediction[back].astype(np.float32),
        said.primary[back] if model.gated else None,
        said.gate[back] if model.gated else None,
        dict(_subsets(checkpoint, hidden, back, device)) if several else {},
        sum(not has_any(sample, model.modalities) for sample in hidden),
    )


def answer_spoilt(
    checkpoint: Checkpoint, hidden: Sequence[Sample], stress: Stress, *, device: str = AUTO
) -> dict[str, Array]:
    """Answers at every level of every kind but the clean one: see `Answers.spoilt`.

    Args:
        hidden: as for `answer`; the samples of `stress` in the same order.
    """
    back = np.argsort(_order(len(hidden)))

    def said(kind: str, level: float) -> Array:
        spoilt = run_checkpoint(checkpoint, stress.spoil(kind, level, hidden), device=device)
        return spoilt.prediction[back].astype(np.float32)

    return {
        name: np.stack([said(name, level) for level in kind.levels[1:]])
        for name, kind in KINDS.items()
    }


def score_answers(task: Task, answers: Answers, key: Key) -> Record:
    """Metrics of answers.

    Returns:
        `metrics`; for a gated model `primary` (the modality that led most samples), `led` (samples
        that each modality led) and mean `gate` weights; `subsets` where they were asked for, and
        `stress`, kind to pairs of level and headline score; `trivially_answered`, how many samples,
        where there are such.
    """
    record: Record = {"metrics": score_outputs(task, answers.prediction.astype(float), key.target)}
    modalities = answers.modalities
    if answers.primary is not None and answers.gate is not None:
        led = Counter(modalities[i] for i in answers.primary if i != NONE_LEADS)
        weights = answers.gate[answers.primary != NONE_LEADS]
        if led:
            record["primary"] = led.most_common(1)[0][0]
            record["led"] = dict(led)
            record["gate"] = dict(zip(modalities, weights.mean(axis=0).tolist(), strict=True))
        if all(key.primary):
            names = [None if i == NONE_LEADS else modalities[i] for i in answers.primary]
            right = [name == k for name, k in zip(names, key.primary, strict=True)]
            record["metrics"]["primary_accuracy"] = float(np.mean(right))
    if answers.trivial:
        record["trivially_answered"] = answers.trivial
    if answers.subsets:
        record["subsets"] = {
            kept: score_outputs(task, prediction.astype(float), key.target[usable])
            for kept, (usable, prediction) in answers.subsets.items()
        }
    if answers.spoilt:
        record["stress"] = score_levels(task, answers.prediction, answers.spoilt, key.target)
    return record


def open_test(
    checkpoint: Checkpoint, samples: Sequence[Sample], *, subsets: bool, device: str = AUTO
) -> Record:
    """Let a checkpoint answer a test part and score it, as `score_answers` returns it.

    Raises:
        InputError: no labels, no such device, or features that the model cannot use.
    """
    key = Key.of(samples)
    hidden = hide(checkpoint.prepare(labelled(samples)))
    try:
        said = answer(checkpoint, hidden, subsets=subsets, device=device)
    except InputError as error:
        raise unhidden(error, key.ids) from None
    return score_answers(checkpoint.task, said, key)


def unhidden(error: InputError, ids: Sequence[str]) -> InputError:
    """An error of hidden samples, with the names `ids` that the samples had before."""
    order = _order(len(ids))

    def name(found: re.Match[str]) -> str:
        row = int(order[int(found[1])])
        return f"sample '{ids[row]}' (number {row} of the test part)"

    problem = re.sub(r"sample 'test (\d+)'", name, error.problem)
    return InputError(problem, remedy=error.remedy, source=error.source)


def _order(count: int) -> NDArray[np.int64]:
    """A permutation that is the same wherever so many samples are hidden."""
    return np.random.default_rng(count).permutation(count)


def own_copy(values: FloatArray) -> FloatArray:
    """The values without the array that they are a part of: it may hold labels too."""
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    # What is mapped from a file stays there: it may be larger than the memory.
    return values if isinstance(base, mmap.mmap) else np.array(values)


def _subsets(
    checkpoint: Checkpoint, hidden: Sequence[Sample], back: Array, device: str
) -> Iterator[tuple[str, tuple[Array, Array]]]:
    """Answers for every non-empty choice of modalities at inference."""
    modalities = checkpoint.model.modalities
    for size in range(1, len(modalities) + 1):
        for kept in combinations(modalities, size):
            chosen = [s.keep(kept) for s in hidden]
            usable = np.array([bool(s.sequences) for s in chosen])
            if not usable.any():
                continue
            some = [s for s in chosen if s.sequences]
            said = run_model(checkpoint.model, some, device=device)
            whole = np.empty((len(chosen), said.prediction.shape[1]), np.float32)
            whole[usable] = said.prediction
            yield "+".join(kept), (usable[back], whole[back][usable[back]])
