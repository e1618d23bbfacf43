"""The doctor's checks: of a pickle before a reader mends it, and of the samples that were read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from affuse.doctor.facts import UNUSABLE, PartFacts
from affuse.doctor.findings import CheckInput, Finding, Severity, finding, first_few
from affuse.doctor.recording_checks import annotators, copied_clips, unreadable_clips
from affuse.readers.pickles.padded import FEATURES

Check = Callable[[CheckInput], Iterator[Finding]]

# In the order of `UNUSABLE`.
_UNUSABLE_NAMES = ("-inf", "+inf", "not a number", "beyond float32")


def _empty_parts(found: CheckInput) -> Iterator[Finding]:
    for name, part in found.file.items():
        if not part.count:
            yield finding("empty-split", name, 0, "has no samples")


def _labels(found: CheckInput) -> Iterator[Finding]:
    # Labels that were not asked for may be as they like.
    severity: Severity = "error" if found.summary is None else "warning"
    for name, part in found.file.items():
        for key, labels in part.labels.items():
            if key == "labels" and found.summary is not None:
                continue  # they were read, whatever they are
            wrong = [("label-not-finite", "finite", int((~np.isfinite(labels)).sum()))]
            wrong += _outside_rules(found.kind, key, labels)
            for code, rule, count in wrong:
                if count:
                    detail = f"{count} labels are not {rule}"
                    yield finding(code, f"{name} {key}", count, detail, severity)


def _notices(found: CheckInput) -> Iterator[Finding]:
    for line in found.notices:
        yield finding("read-as", "file", 1, line)


def _outside_rules(kind: str, key: str, labels: Any) -> Iterator[tuple[str, str, int]]:
    """Code, what labels have to be, and how many finite ones are not."""
    known = labels[np.isfinite(labels)]
    if labels.size == len(labels):
        if key.startswith("classification") or kind == "multibench":
            classes = (-1, 0, 1) if kind == "multibench" else (0, 1, 2)
            whole = known == np.floor(known)
            yield "label-not-a-class", "whole numbers", int((~whole).sum())
            rule, outside = f"one of {classes}", whole & ~np.isin(known, classes)
        else:
            # As tolerant as the task is.
            rule, outside = "in [-3, 3]", np.abs(known) > 3 + 1e-4
        yield "label-out-of-range", rule, int(outside.sum())
    elif labels.ndim == 3 and labels.shape[2] == 2:
        pairs = np.isin(labels, (0, 1)).all(axis=2) & (labels.sum(axis=2) == 1)
        wrong = ~pairs & np.isfinite(labels).all(axis=2)
        yield "label-not-a-class", "pairs (1, 0) or (0, 1)", int(wrong.sum())


def _swapped_axes(found: CheckInput) -> Iterator[Finding]:
    for part, modality, facts in found.arrays():
        count, steps, width = facts.shape
        known = (modality, steps) in FEATURES and (modality, width) not in FEATURES
        others = (a.shape[1] for m, a in found.file[part].arrays.items() if m != modality)
        # Modalities with as many steps are aligned: that the number is a width too is chance.
        if known and steps not in others:
            detail = f"{steps} steps of {width} features, where {steps} is a known width"
            yield finding("swapped-axes", f"{part} {modality}", count, detail)


def _lengths(found: CheckInput) -> Iterator[Finding]:
    for name, part in found.file.items():
        if _are_swapped(part):
            detail = "audio_lengths fit vision, and vision_lengths fit audio"
            yield finding("swapped-lengths", name, part.count, detail)
            continue
        for modality, lengths in part.lengths.items():
            facts, where = part.arrays[modality], f"{name} {modality}"
            wrong = int(((lengths > facts.shape[1]) | (lengths < 0)).sum())
            if wrong:
                detail = f"{wrong} lengths are below 0 or above the {facts.shape[1]} steps"
                yield finding("impossible-length", where, wrong, detail)
            short = int(((lengths < facts.ends) & (lengths >= 0)).sum())
            if short:
                detail = f"{short} lengths end before the last step that is not zero"
                yield finding("short-length", where, short, detail)


def _are_swapped(part: PartFacts) -> bool:
    if not {"audio", "vision"} <= part.lengths.keys():
        return False
    audio, vision = (part.arrays[m].ends for m in ("audio", "vision"))
    of_audio, of_vision = (part.lengths[m] for m in ("audio", "vision"))
    own = np.abs(of_audio - audio).sum() + np.abs(of_vision - vision).sum()
    swapped = np.abs(of_audio - vision).sum() + np.abs(of_vision - audio).sum()
    return bool(swapped < own)


def _unusable_values(found: CheckInput) -> Iterator[Finding]:
    sources = [(f"{part} {m}", "samples", facts.unusable) for part, m, facts in found.arrays()]
    sources += [(name, "videos", counts) for name, counts in found.sequences.items()]
    for where, units, unusable in sources:
        for code, name, counts in zip(UNUSABLE, _UNUSABLE_NAMES, unusable, strict=True):
            if counts.any():
                values, rows = int(counts.sum()), np.count_nonzero(counts)
                detail = f"{values} values are {name}, in {rows} {units}"
                yield finding(code, where, values, detail)


def _gaps(found: CheckInput) -> Iterator[Finding]:
    for part, modality, facts in found.arrays():
        if facts.gaps:
            detail = f"{facts.gaps} samples have steps of zeros between others"
            yield finding("gaps", f"{part} {modality}", facts.gaps, detail)


def _double_precision(found: CheckInput) -> Iterator[Finding]:
    for part, modality, facts in found.arrays():
        if facts.dtype == "float64":
            detail = "float64, which takes memory to read"
            yield finding("double-precision", f"{part} {modality}", facts.shape[0], detail)


def _unusable_after_reading(found: CheckInput) -> Iterator[Finding]:
    for modality, values in found.corpus.ranges.items():
        if values.unusable:
            detail = f"{values.unusable} values are not finite after reading"
            yield finding("not-finite", modality, values.unusable, detail)


_MADE_UNIQUE = re.compile(r"#\d+$")
# `video$_$clip` of MMSA, `video[start-end]` of the SDK, and YouTube's eleven characters with _clip.
_VIDEO = re.compile(r"(.+?)\$_\$.+|(.+?)\[[^\]]*\]|([\w-]{11})_\d+")


def video_of(name: str) -> str | None:
    """The video that an id of CMU-MOSI or CMU-MOSEI names; None where it names none."""
    match = _VIDEO.fullmatch(_MADE_UNIQUE.sub("", name))
    return next(filter(None, match.groups()), None) if match else None


def _shared_groups(found: CheckInput) -> Iterator[Finding]:
    for fold, parts in enumerate(found.corpus.folds):
        groups = {
            part: {s.group or video_of(s.id) for s in samples} - {None}
            for part, samples in parts.items()
        }
        for pair, common in _shared(groups):
            detail = f"speakers or videos in both: {first_few(common)}"
            yield finding("shared-group", found.where(fold, pair), len(common), detail)


def _ids(found: CheckInput) -> Iterator[Finding]:
    if any(part.identities is None for part in found.file.values()):
        yield finding("no-ids", "file", 1, "the file has no ids that can be read")
    # The file's own ids where it has them, for readers make them unique.
    ids = [{p: [s.id for s in samples] for p, samples in f.items()} for f in found.corpus.folds]
    if found.file:
        ids = [{p: [i.name for i in f.identities or ()] for p, f in found.file.items()}]
    for fold, parts in enumerate(ids):
        for part, names in parts.items():
            again = {name: uses for name, uses in Counter(names).items() if uses > 1}
            if again:
                extra, detail = sum(again.values()) - len(again), first_few(again)
                where = found.where(fold, part)
                yield finding("duplicate-id", where, extra, f"ids that occur again: {detail}")
        for pair, common in _shared({part: set(names) for part, names in parts.items()}):
            detail = f"ids in both: {first_few(common)}"
            yield finding("shared-id", found.where(fold, pair), len(common), detail)


def _same_features(found: CheckInput) -> Iterator[Finding]:
    for fold, parts in enumerate(found.corpus.folds):
        names = {
            part: {s.content: _MADE_UNIQUE.sub("", s.id) for s in samples if s.content is not None}
            for part, samples in parts.items()
        }
        for pair, common in _shared({part: set(known) for part, known in names.items()}):
            first, second = (names[part] for part in pair.split("/"))
            twins = [f"{first[c]} = {second[c]}" for c in common if first[c] != second[c]]
            if twins:
                detail = f"the same features under other ids: {first_few(sorted(twins))}"
                yield finding("same-features", found.where(fold, pair), len(twins), detail)


def _poor_labels(found: CheckInput) -> Iterator[Finding]:
    if found.summary is None:
        return
    for part in found.summary.parts:
        where, labels = found.where(part.fold, part.part), part.labels
        if found.summary.task in ("regression", "values"):
            for low in (key for key in labels if key.endswith("min") and part.samples > 1):
                name = low.removesuffix("min")
                if labels[low] == labels[f"{name}max"]:
                    detail = f"all {name}labels are {labels[low]:g}"
                    yield finding("constant-labels", where, part.samples, detail)
        else:
            absent = [label for label, count in labels.items() if not count]
            if absent:
                detail = f"no sample is {', '.join(absent)}"
                yield finding("missing-class", where, len(absent), detail)


def _missing_modalities(found: CheckInput) -> Iterator[Finding]:
    # In the file, or else as they were read: where, samples without it, samples.
    absences = [(f"{p} {m}", facts.absent, facts.shape[0]) for p, m, facts in found.arrays()]
    for fold, parts in enumerate(() if found.file else found.corpus.folds):
        for part, samples in parts.items():
            for modality in found.corpus.ranges:
                absent = sum(modality not in sample.modalities for sample in samples)
                absences.append((f"{found.where(fold, part)} {modality}", absent, len(samples)))
    for where, absent, count in absences:
        if absent == count:
            yield finding("empty-modality", where, count, "no sample has it")
        elif absent:
            yield finding("missing-modality", where, absent, f"{absent} of {count} samples lack it")


def _empty_samples(found: CheckInput) -> Iterator[Finding]:
    for fold, parts in enumerate(found.corpus.folds):
        for part, samples in parts.items():
            empty = sum(sample.content is None for sample in samples)
            if empty:
                detail = f"{empty} samples have no features but zeros"
                yield finding("empty-sample", found.where(fold, part), empty, detail)


def _constant_features(found: CheckInput) -> Iterator[Finding]:
    for modality, values in found.corpus.ranges.items():
        if values.steps < 2:
            continue
        zero = (values.low == 0) & (values.high == 0)
        constant = (values.low == values.high) & ~zero
        for code, columns in (("zero-feature", zero), ("constant-feature", constant)):
            if columns.any():
                detail = f"columns {first_few(map(str, np.flatnonzero(columns)))}"
                yield finding(code, modality, int(columns.sum()), detail)


def _shared(sets: Mapping[str, set[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """`train/test` and so on, with what both have, in order."""
    for (first, left), (second, right) in combinations(sets.items(), 2):
        if common := sorted(left & right):
            yield f"{first}/{second}", common


CHECKS: tuple[Check, ...] = (
    *(
        _empty_parts,
        _labels,
        _notices,
        _swapped_axes,
        _lengths,
        _unusable_values,
        _gaps,
        _double_precision,
    ),
    *(_unusable_after_reading, _shared_groups, _ids, _same_features, _poor_labels),
    *(_missing_modalities, _empty_samples, _constant_features),
    *(unreadable_clips, copied_clips, annotators),
)
