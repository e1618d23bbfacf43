"""Conflicts that are known: planted in real samples, and what scores make of them.

Planted is the voice of one take beside the face of another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from affuse.errors import InputError
from affuse.incongruity.conflict import Conflict, known_conflicts
from affuse.incongruity.readings import overlap
from affuse.incongruity.tendency import NO_TENDENCY, label_tendency
from affuse.metrics.calibration import expected_calibration_error
from affuse.metrics.scores import auroc
from affuse.samples import Sample, targets_of
from affuse.tasks import Task


def plant_conflicts(
    task: Task,
    samples: Sequence[Sample],
    modality: str,
    against: str,
    share: float = 0.3,
    seed: int = 0,
) -> list[Sample]:
    """Give some samples the `modality` of another sample with another tendency.

    The other sample is of the same group, so that the speaker stays; its tendencies differ in every
    question. Labels stay what they were: `against` still tells them. `Sample.truth` afterwards has
    `conflict`, `conflicting` (`modality`, or None) and `primary` (`against`).

    Args:
        samples: with targets; those without both modalities stay as they are.
        share: of the samples that have both and for which there is another, in [0, 1].
        seed: of the choice.

    Raises:
        InputError: a sample without a target, or none in which a conflict can be planted.
    """
    targets = targets_of(samples, remedy="leave it out: conflicts are planted by label")
    leaning = label_tendency(task, targets)
    groups: dict[str | None, list[int]] = defaultdict(list)
    for row, sample in enumerate(samples):
        if {modality, against} <= set(sample.sequences) and NO_TENDENCY not in leaning[row]:
            groups[sample.group].append(row)
    donors = {
        row: [other for other in rows if (leaning[other] != leaning[row]).all()]
        for rows in groups.values()
        for row in rows
    }
    able = [row for row, others in donors.items() if others]
    if not able:
        raise InputError(
            f"no sample can be given the {modality} of another",
            remedy=f"give samples of both tendencies in a group, with {modality} and {against}",
        )
    rng = np.random.default_rng(seed)
    chosen = set(rng.choice(able, round(share * len(able)), replace=False).tolist())
    planted = []
    for row, sample in enumerate(samples):
        conflicting = modality if row in chosen else None
        facts = {"conflict": row in chosen, "conflicting": conflicting, "primary": against}
        after = replace(sample, truth={**sample.truth, **facts})
        if row in chosen:
            donor = samples[int(rng.choice(donors[row]))]
            sequences = {**sample.sequences, modality: donor.sequences[modality]}
            times = {m: t for m, t in sample.times.items() if m != modality}
            times |= {m: t for m, t in donor.times.items() if m == modality}
            unimodal = {m: y for m, y in sample.unimodal.items() if m != modality}
            unimodal |= {m: y for m, y in donor.unimodal.items() if m == modality}
            after = replace(after, sequences=sequences, times=times, unimodal=unimodal)
        planted.append(after)
    return planted


@dataclass(frozen=True)
class ConflictTruth:
    """How well the scores of samples with known conflicts do.

    Attributes:
        conflicts: how many of the samples hold one.
        auroc: of the score; nan without samples of both kinds.
        calibration_error: expected, of the score as a probability.
        pair_accuracy: share of the conflicts whose two modalities are named.
        span_overlap: mean intersection over union of found and planted steps, over both modalities
            of each conflict; 0 for one that is not named. nan where no spans are known.
    """

    samples: int
    conflicts: int
    auroc: float
    calibration_error: float
    pair_accuracy: float
    span_overlap: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_conflicts(
    found: Sequence[Conflict], samples: Sequence[Sample]
) -> ConflictTruth | None:
    """Compare with what was planted; None where the samples do not know.

    Args:
        found: one for each sample, in order.
        samples: with `conflict`, `primary`, `conflicting` and, where known, `spans` in their truth.
    """
    truth = known_conflicts(samples)
    if truth is None:
        return None
    score = np.array([f.score for f in found])
    named, overlaps = [], []
    for conflict, sample in zip(found, samples, strict=True):
        if sample.truth["conflict"]:
            pair = {sample.truth["primary"], sample.truth["conflicting"]}
            named.append(float(set(conflict.pair or ()) == pair))
            if "spans" in sample.truth:
                overlaps.append(_overlap(conflict, sample, sorted(pair)))
    means = (float(np.mean(values)) if values else float("nan") for values in (named, overlaps))
    error = expected_calibration_error(score, truth)
    return ConflictTruth(len(samples), int(truth.sum()), auroc(score, truth), error, *means)


def _overlap(conflict: Conflict, sample: Sample, pair: Sequence[str]) -> float:
    shares = [0.0] * len(pair)
    for place, m in enumerate(pair):
        if m in conflict.spans:
            steps = len(sample.sequences[m])
            shares[place] = overlap(conflict.spans[m], sample.truth["spans"][m], steps)
    return float(np.mean(shares))
