"""Conflicts planted in real samples: the voice of one take, the face of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from affuse.errors import InputError
from affuse.incongruity.tendency import NO_TENDENCY, label_tendency
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
        sequences, conflict = dict(sample.sequences), row in chosen
        times = dict(sample.times)
        if conflict:
            donor = samples[int(rng.choice(donors[row]))]
            sequences[modality] = donor.sequences[modality]
            times.pop(modality, None)
            if modality in donor.times:
                times[modality] = donor.times[modality]
        truth = {
            **sample.truth,
            "conflict": conflict,
            "conflicting": modality if conflict else None,
            "primary": against,
        }
        planted.append(
            Sample(sample.id, sequences, sample.target, times, sample.group, sample.text, truth)
        )
    return planted
