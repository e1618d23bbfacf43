"""The doctor's checks of samples: leaks between splits, and what nothing can be learnt from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from affuse.doctor.findings import Check, Evidence, Finding, some


def _poor_labels(evidence: Evidence) -> Iterator[Finding]:
    if evidence.summary is None:
        return
    for part in evidence.summary.parts:
        where = evidence.where(part.fold, part.part)
        if evidence.summary.task == "regression":
            if part.samples > 1 and part.labels and part.labels["min"] == part.labels["max"]:
                detail = f"all labels are {part.labels['min']:g}"
                treatment = "used as it is: nothing can be learnt or measured there"
                yield Finding("constant-labels", "warning", where, part.samples, detail, treatment)
            continue
        absent = [label for label, count in part.labels.items() if not count]
        if absent:
            detail = f"no sample is {', '.join(absent)}"
            treatment = "used as it is: metrics that average over classes suffer"
            yield Finding("missing-class", "warning", where, len(absent), detail, treatment)


def _ids(evidence: Evidence) -> Iterator[Finding]:
    if evidence.file is not None and any(p.identities is None for p in evidence.file.values()):
        detail = "the file has no ids that can be read"
        treatment = "samples are named by position; speakers that splits share cannot be seen"
        yield Finding("no-ids", "note", "file", 1, detail, treatment)
    for fold, parts in enumerate(_names(evidence)):
        for part, names in parts.items():
            again = {name: uses for name, uses in Counter(names).items() if uses > 1}
            if again:
                extra = sum(again.values()) - len(again)
                detail = f"ids that occur again: {some(again)}"
                where, treatment = evidence.where(fold, part), "kept, and told apart by #2, #3"
                yield Finding("duplicate-id", "warning", where, extra, detail, treatment)
        for pair, common in _shared({part: set(names) for part, names in parts.items()}):
            where, detail = evidence.where(fold, pair), f"ids in both: {some(common)}"
            treatment = "kept in both: remove them from one, or scores flatter"
            yield Finding("shared-id", "warning", where, len(common), detail, treatment)


def _names(evidence: Evidence) -> list[dict[str, list[str]]]:
    """Ids by fold and part: of the file where it has them, for readers make them unique."""
    if evidence.file is not None:
        return [{p: [i.name for i in f.identities or ()] for p, f in evidence.file.items()}]
    folds = evidence.corpus.folds if evidence.corpus else ()
    return [{part: [s.id for s in samples] for part, samples in fold.items()} for fold in folds]


_MADE_UNIQUE = re.compile(r"#\d+$")
# `video$_$clip` of MMSA, `video[start-end]` of the SDK, and YouTube's eleven characters with _clip.
_VIDEO = re.compile(r"(.+?)\$_\$.+|(.+?)\[[^\]]*\]|([\w-]{11})_\d+")


def video_of(name: str) -> str | None:
    """The video that an id of CMU-MOSI or CMU-MOSEI names; None where it names none."""
    found = _VIDEO.fullmatch(_MADE_UNIQUE.sub("", name))
    return next(filter(None, found.groups()), None) if found else None


def _shared_groups(evidence: Evidence) -> Iterator[Finding]:
    for fold, parts in enumerate(evidence.corpus.folds if evidence.corpus else ()):
        groups = {
            part: {s.group or video_of(s.id) for s in samples} for part, samples in parts.items()
        }
        for pair, common in _shared({part: found - {None} for part, found in groups.items()}):
            detail = f"speakers or videos in both: {some(common)}"
            treatment = "kept: a model may know the speaker, not the affect; split by them"
            where = evidence.where(fold, pair)
            yield Finding("shared-group", "warning", where, len(common), detail, treatment)


def _same_features(evidence: Evidence) -> Iterator[Finding]:
    for fold, parts in enumerate(evidence.corpus.folds if evidence.corpus else ()):
        names = {
            part: {s.content: _MADE_UNIQUE.sub("", s.id) for s in samples if s.content is not None}
            for part, samples in parts.items()
        }
        for pair, common in _shared({part: set(found) for part, found in names.items()}):
            first, second = (names[part] for part in pair.split("/"))
            twins = [f"{first[c]} = {second[c]}" for c in common if first[c] != second[c]]
            if twins:
                detail = f"the same features under other ids: {some(sorted(twins))}"
                treatment = "kept in both: remove them from one, or scores flatter"
                where = evidence.where(fold, pair)
                yield Finding("same-features", "warning", where, len(twins), detail, treatment)


def _constant_features(evidence: Evidence) -> Iterator[Finding]:
    for modality, found in (evidence.corpus.ranges if evidence.corpus else {}).items():
        if found.steps < 2:
            continue
        zero = (found.low == 0) & (found.high == 0)
        constant = (found.low == found.high) & ~zero
        for code, columns in (("zero-feature", zero), ("constant-feature", constant)):
            if columns.any():
                which = some(map(str, np.flatnonzero(columns)))
                detail, treatment = f"columns {which}", "kept: normalisation makes them 0"
                count = int(columns.sum())
                yield Finding(code, "note", modality, count, detail, treatment)


def _missing_modalities(evidence: Evidence) -> Iterator[Finding]:
    for where, modality, absent, count in _absences(evidence):
        if absent == count:
            detail, treatment = "no sample has it", "left out: nothing is learnt or measured of it"
            yield Finding(
                "empty-modality", "warning", f"{where} {modality}", count, detail, treatment
            )
        elif absent:
            detail = f"{absent} of {count} samples lack it"
            treatment = "absent, neither zeros nor a guess: models are masked"
            yield Finding(
                "missing-modality", "note", f"{where} {modality}", absent, detail, treatment
            )


def _empty_samples(evidence: Evidence) -> Iterator[Finding]:
    for fold, parts in enumerate(evidence.corpus.folds if evidence.corpus else ()):
        for part, samples in parts.items():
            empty = sum(sample.content is None for sample in samples)
            if empty:
                detail = f"{empty} samples have no features but zeros"
                treatment = "kept, as one or more steps of zeros, so that none is lost"
                where = evidence.where(fold, part)
                yield Finding("empty-sample", "note", where, empty, detail, treatment)


def _absences(evidence: Evidence) -> Iterator[tuple[str, str, int, int]]:
    """Where, modality, samples without it, samples."""
    for part, modality, facts in evidence.arrays():
        yield part, modality, facts.absent, facts.shape[0]
    if evidence.file is None and evidence.corpus is not None:
        for fold, parts in enumerate(evidence.corpus.folds):
            for part, samples in parts.items():
                for modality in evidence.corpus.ranges:
                    absent = sum(modality not in sample.modalities for sample in samples)
                    yield evidence.where(fold, part), modality, absent, len(samples)


def _unusable_after_reading(evidence: Evidence) -> Iterator[Finding]:
    for modality, found in (evidence.corpus.ranges if evidence.corpus else {}).items():
        if found.unusable:
            detail = f"{found.unusable} values are not finite after reading"
            treatment = "training refuses them: set them to 0 or leave the modality out"
            yield Finding("not-finite", "error", modality, found.unusable, detail, treatment)


def _shared(sets: Mapping[str, set[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """`train/test` and so on, with what both have, in order."""
    for (first, left), (second, right) in combinations(sets.items(), 2):
        if common := sorted(left & right):
            yield f"{first}/{second}", common


CORPUS_CHECKS: list[Check] = [
    _unusable_after_reading,
    _shared_groups,
    _ids,
    _same_features,
    _poor_labels,
    _missing_modalities,
    _empty_samples,
    _constant_features,
]
