"""The doctor's checks of recordings: what could not be read, copies in two parts, annotators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from affuse.doctor.findings import CheckInput, Finding, finding, first_few

# Below this, Krippendorff advises to draw no conclusion, however tentative.
_AGREES = 0.667


def unreadable_clips(found: CheckInput) -> Iterator[Finding]:
    if found.recordings is not None and found.recordings.unreadable:
        count = found.recordings.unreadable
        yield finding("unreadable-clip", "file", count, f"{count} clips cannot be read")


def copied_clips(found: CheckInput) -> Iterator[Finding]:
    if found.recordings is None:
        return
    kinds = {"copied-clip": found.recordings.same, "similar-sound": found.recordings.alike}
    for code, pairs in kinds.items():
        for fold, parts in enumerate(found.corpus.folds):
            part_of = {sample.id: part for part, samples in parts.items() for sample in samples}
            for both in combinations(parts, 2):
                apart = [p for p in pairs if {part_of.get(p[0]), part_of.get(p[1])} == set(both)]
                if apart:
                    where = found.where(fold, "/".join(both))
                    yield finding(code, where, len(apart), _shown(apart))


def _shown(pairs: Sequence[tuple[str, str]]) -> str:
    return first_few(f"{first} = {second}" for first, second in pairs)


def annotators(found: CheckInput) -> Iterator[Finding]:
    for each in () if found.recordings is None else found.recordings.agreement:
        detail = f"{each.annotators} annotators of '{each.label}' agree by {each.alpha:.2f}"
        detail += f" (Krippendorff's alpha, {each.clips} clips)"
        # Not a number where it cannot be told.
        if not each.alpha >= _AGREES:
            yield finding("annotators-disagree", "labels", each.clips, detail)
