"""What the recordings of a corpus `clips` are like, beside the features that are made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from affuse.config import parse_options
from affuse.extract.features import ClipFeatures
from affuse.extract.fingerprint import copies
from affuse.readers.clips.agreement import Agreement
from affuse.readers.clips.clip_options import ClipsOptions
from affuse.readers.clips.gathered import GatheredClip, gather

UNKNOWN = "not told"


@dataclass(frozen=True)
class RecordingFacts:
    """Clips in numbers.

    Attributes:
        clips: how many could be read, and `unreadable` how many could not.
        seconds: `shortest`, `median`, `longest` and `total`.
        languages: clips by the language that their table or transcript tells.
        having: clips by what is in them: text, speech, a face.
        agreement: of annotators, one a label.
        same: pairs of clips with the same content.
        alike: pairs whose sound is that of the other, or part of it, and whose content is not.
    """

    clips: int
    unreadable: int
    seconds: Mapping[str, float]
    languages: Mapping[str, int]
    having: Mapping[str, int]
    agreement: tuple[Agreement, ...]
    same: tuple[tuple[str, str], ...]
    alike: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Its content for JSON."""
        return {
            "clips": self.clips,
            "unreadable": self.unreadable,
            "seconds": dict(self.seconds),
            "languages": dict(self.languages),
            "having": dict(self.having),
            "agreement": [each._asdict() for each in self.agreement],
            "same": [list(pair) for pair in self.same],
            "alike": [list(pair) for pair in self.alike],
        }


def measure_recordings(path: Path, options: Mapping[str, Any] | None = None) -> RecordingFacts:
    """Measure the clips of a folder, as the reader `clips` with these options reads them.

    Raises:
        InputError: what that reader refuses.
    """
    settled = parse_options(ClipsOptions, options or {}).settled()
    found = gather(path, settled, ClipFeatures(settled.settings()))
    lasting = np.array([clip.stored.duration for clip in found.clips])
    kinds = {"text": _has_words, "speech": _has("audio"), "a face": _has("vision")}
    same = _same(found.clips)
    return RecordingFacts(
        clips=len(found.clips),
        unreadable=len(found.errors),
        seconds={
            "shortest": float(lasting.min()),
            "median": float(np.median(lasting)),
            "longest": float(lasting.max()),
            "total": float(lasting.sum()),
        },
        languages=Counter(_language(clip) for clip in found.clips),
        having={kind: sum(map(has, found.clips)) for kind, has in kinds.items()},
        agreement=found.labelled.agreement,
        same=same,
        alike=tuple(pair for pair in _alike(found.clips) if pair not in same),
    )


def _has_words(clip: GatheredClip) -> bool:
    return bool(clip.said.words)


def _has(modality: str) -> Any:
    return lambda clip: any(modality in w.sample.sequences for w in clip.stored.windows)


def _language(clip: GatheredClip) -> str:
    return clip.row.known.get("language", UNKNOWN)


def _same(clips: tuple[GatheredClip, ...]) -> tuple[tuple[str, str], ...]:
    by_content: dict[str, list[str]] = {}
    for clip in clips:
        by_content.setdefault(clip.stored.key, []).append(clip.id)
    return tuple(pair for ids in by_content.values() for pair in combinations(ids, 2))


def _alike(clips: tuple[GatheredClip, ...]) -> list[tuple[str, str]]:
    """Pairs of clips whose sounds are copies, but for segments of one recording that overlap."""
    prints = [tuple(word for w in clip.stored.windows for word in w.prints) for clip in clips]
    return [
        (clips[first].id, clips[second].id)
        for first, second in copies(prints)
        if clips[first].take.path != clips[second].take.path
    ]
