"""The doctor's checks of a pickle as its file stands, before a reader mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from affuse.doctor.findings import Check, Evidence, Finding, Severity
from affuse.doctor.views import UNUSABLE, PartFacts
from affuse.readers.pickles.padded import FEATURES

_UNUSABLE_NAMES = dict(
    zip(UNUSABLE, ("-inf", "+inf", "not a number", "beyond float32"), strict=True)
)


def _unusable_values(evidence: Evidence) -> Iterator[Finding]:
    sources = [(f"{part} {m}", "samples", facts.unusable) for part, m, facts in evidence.arrays()]
    sources += [(name, "videos", counts) for name, counts in evidence.sequences.items()]
    for where, units, unusable in sources:
        for code, counts in zip(UNUSABLE, unusable, strict=True):
            if counts.any():
                values, rows = int(counts.sum()), np.count_nonzero(counts)
                detail = f"{values} values are {_UNUSABLE_NAMES[code]}, in {rows} {units}"
                treatment = "replaced by 0, as MulT's code does"
                yield Finding(code, "note", where, values, detail, treatment)


def _double_precision(evidence: Evidence) -> Iterator[Finding]:
    for part, modality, facts in evidence.arrays():
        if facts.dtype == "float64":
            yield Finding(
                "double-precision",
                "note",
                f"{part} {modality}",
                facts.shape[0],
                "float64, which takes memory to read",
                "becomes float32; convert the file once with `affuse corpus convert`",
            )


def _swapped_axes(evidence: Evidence) -> Iterator[Finding]:
    for part, modality, facts in evidence.arrays():
        count, steps, width = facts.shape
        if (modality, steps) in FEATURES and (modality, width) not in FEATURES:
            yield Finding(
                "swapped-axes",
                "warning",
                f"{part} {modality}",
                count,
                f"{steps} steps of {width} features, where {steps} is a known width",
                "read as it stands: transpose it to (samples, steps, features)",
            )


def _gaps(evidence: Evidence) -> Iterator[Finding]:
    for part, modality, facts in evidence.arrays():
        if facts.gaps:
            detail = f"{facts.gaps} samples have steps of zeros between others"
            treatment = "kept as steps of zeros; only those at the ends are cut"
            yield Finding("gaps", "note", f"{part} {modality}", facts.gaps, detail, treatment)


def _lengths(evidence: Evidence) -> Iterator[Finding]:
    for name, part in (evidence.file or {}).items():
        if _are_swapped(part):
            yield Finding(
                "swapped-lengths",
                "warning",
                name,
                part.count,
                "audio_lengths fit vision, and vision_lengths fit audio",
                "mult ignores lengths, mmsa keeps as many steps as they say: swap them in the file",
            )
            continue
        for modality, lengths in part.lengths.items():
            facts = part.arrays[modality]
            wrong = int(((lengths > facts.shape[1]) | (lengths < 0)).sum())
            if wrong:
                detail = f"{wrong} lengths are below 0 or above the {facts.shape[1]} steps"
                treatment = "all steps are taken up to the last of the array"
                yield Finding(
                    "impossible-length", "warning", f"{name} {modality}", wrong, detail, treatment
                )
            short = int(((lengths < facts.ends) & (lengths >= 0)).sum())
            if short:
                detail = f"{short} lengths end before the last step that is not zero"
                treatment = "steps are kept up to the last that is not zero"
                yield Finding(
                    "short-length", "note", f"{name} {modality}", short, detail, treatment
                )


def _are_swapped(part: PartFacts) -> bool:
    if not {"audio", "vision"} <= part.lengths.keys():
        return False
    audio, vision = (part.arrays[m].ends for m in ("audio", "vision"))
    of_audio, of_vision = (part.lengths[m] for m in ("audio", "vision"))
    own = np.abs(of_audio - audio).sum() + np.abs(of_vision - vision).sum()
    swapped = np.abs(of_audio - vision).sum() + np.abs(of_vision - audio).sum()
    return bool(swapped < own)


def _empty_parts(evidence: Evidence) -> Iterator[Finding]:
    for name, part in (evidence.file or {}).items():
        if not part.count:
            yield Finding(
                "empty-split", "error", name, 0, "has no samples", "refused: give each split some"
            )


def _labels(evidence: Evidence) -> Iterator[Finding]:
    for name, part in (evidence.file or {}).items():
        for key, labels in part.labels.items():
            where, refused = f"{name} {key}", "refused: drop or mend those rows"
            # Labels that were not asked for may be as they like.
            severity: Severity = "error" if evidence.corpus is None else "warning"
            lost = int((~np.isfinite(labels)).sum())
            if lost:
                detail = f"{lost} labels are not finite"
                yield Finding("label-not-finite", severity, where, lost, detail, refused)
            for code, rule, outside in _rules(evidence.kind, key, labels):
                if outside:
                    detail = f"{outside} labels are not {rule}"
                    yield Finding(code, severity, where, outside, detail, refused)


def _rules(kind: str, key: str, labels: Any) -> Iterator[tuple[str, str, int]]:
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


FILE_CHECKS: list[Check] = [
    _empty_parts,
    _labels,
    _swapped_axes,
    _lengths,
    _unusable_values,
    _gaps,
    _double_precision,
]
