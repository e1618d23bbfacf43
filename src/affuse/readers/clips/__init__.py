"""One's own clips: recordings in a folder, with a table of what each is, or a folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from affuse.errors import InputError
from affuse.extract.features import ClipFeatures
from affuse.extract.folder import MEDIA
from affuse.readers.clips.clip_options import ClipsOptions
from affuse.readers.clips.folding import divide, strata_of
from affuse.readers.clips.gathered import Gathered, GatheredClip, gather
from affuse.readers.clips.metadata import counted, is_table, split_of
from affuse.readers.clips.spoken import TextSteps, encode_said
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import (
    MODALITIES,
    PARTS,
    Corpus,
    FloatArray,
    Recording,
    Sample,
    Split,
    widths_of,
)

NAME = "clips"
_SIZES = ((500, "small"), (3000, "medium"))
_LOOKED_AT = 2000


def _recognises(path: Path) -> bool:
    """A table of clips, or a folder with one or with media."""
    with suppress(OSError, InputError):
        if path.is_file():
            return is_table(path)
        if path.is_dir():
            inside = islice(path.rglob("*"), _LOOKED_AT)
            return any(is_table(p) or p.suffix.lower() in MEDIA for p in inside)
    return False


def _preset(path: Path) -> str:
    """By how many clips a model learns from."""
    count = counted(path)
    size = next((size for most, size in _SIZES if count < most), "large")
    return f"{NAME}-{size}"


@register_corpus(NAME, ClipsOptions, recognises=_recognises, preset=_preset, broad=True)
def read_clips(path: Path, options: ClipsOptions) -> Corpus:
    """Your own clips: a folder with metadata.csv, .jsonl or .parquet, or a folder a class.

    The table has a column `file_name`, the recording's place in the folder, and perhaps `start` and
    `end` in seconds; `text` or `transcript`, words or a file of them; `split`; `speaker` or
    `group`; `language`; and labels. Features are those of `affuse predict`, so that a model that
    learns from clips answers for new ones. Without `split`, groups are divided into folds, in each
    of which classes and values have their share. What cannot be read is left out and told of.

    The path is the folder, or the table.
    """
    settled = options.settled()
    settings = settled.settings()
    features = ClipFeatures(settings)
    found = gather(path, settled, features)
    samples = _samples(found, settled, features)
    task = found.labelled.task
    parts = [_part(clip) for clip in found.clips]
    _require_all_or_none(found, parts)
    division = divide(
        *(parts, [sample.group or sample.id for sample in samples]),
        strata_of(task, np.stack([clip.target for clip in found.clips])),
        folds=settled.folds,
        seed=settled.division,
        source=str(path),
    )
    chosen = settled.model_copy(update={"label": tuple(found.labelled.name.split("+"))})
    widths = widths_of(samples)
    if not widths:
        problem, remedy = "no clip has any of the modalities", "check media, text and modalities"
        raise InputError(problem, remedy=remedy, source=path)
    return Corpus(
        name=corpus_name(NAME, options.described()),
        task=task,
        widths=widths,
        folds=tuple(_split(samples, fold) for fold in division.folds),
        options=chosen.described().model_dump(mode="json")
        | {"clip": settings.model_dump(mode="json")},
        features={m: features.versions[m] for m in widths},
        preset=_preset(path),
        notices=(*found.notices, *division.notices),
        recordings={clip.id: _recording(clip) for clip in found.clips},
    )


def _recording(clip: GatheredClip) -> Recording:
    start = clip.take.segment.start
    return Recording(clip.take.path.resolve(), start, start + clip.stored.duration)


def _samples(found: Gathered, options: ClipsOptions, features: ClipFeatures) -> list[Sample]:
    said = encode_said([clip.said for clip in found.clips], features)
    groups = _groups(found.clips, options.group)
    return [
        _sample(clip, steps, group, options.modalities)
        for clip, steps, group in zip(found.clips, said, groups, strict=True)
    ]


def _sample(
    clip: GatheredClip, text: TextSteps | None, group: str | None, modalities: Sequence[str]
) -> Sample:
    sequences: dict[str, FloatArray] = {}
    times: dict[str, FloatArray] = {}
    if text is not None:
        sequences["text"], times["text"] = text
    begin = np.float32(clip.take.segment.start)
    for modality in MODALITIES[1:]:
        having = [w.sample for w in clip.stored.windows if modality in w.sample.sequences]
        if having:
            sequences[modality] = np.concatenate([s.sequences[modality] for s in having])
            times[modality] = np.concatenate([s.times[modality] for s in having]) - begin
    sequences = {m: sequences[m] for m in MODALITIES if m in sequences and m in modalities}
    kept = {m: times[m] for m in sequences}
    return Sample(clip.id, sequences, clip.target, kept, group, clip.said.text)


def _groups(clips: Sequence[GatheredClip], column: str) -> list[str | None]:
    """What parts must not share: as the table says, else a recording of several clips, copies."""
    recordings = Counter(clip.take.path for clip in clips)
    copies = Counter(clip.stored.key for clip in clips)
    first: dict[str, str] = {}

    def group(clip: GatheredClip) -> str | None:
        told = clip.row.cells.get(column) if column else clip.row.known.get("group")
        if told:
            return told
        if recordings[clip.take.path] > 1:
            return clip.take.path.name
        key = clip.stored.key
        return first.setdefault(key, clip.id) if copies[key] > 1 else None

    if column and clips and column not in clips[0].row.cells:
        problem, remedy = f"has no column '{column}'", "name one that it has with group="
        raise InputError(problem, remedy=remedy, source=clips[0].row.place)
    return [group(clip) for clip in clips]


def _part(clip: GatheredClip) -> str | None:
    told = clip.row.known.get("split")
    if told is None:
        return None
    part = split_of(told)
    if part is None:
        remedy = f"name {', '.join(PARTS)}"
        raise InputError(f"has the split '{told[:40]}'", remedy=remedy, source=clip.row.place)
    return part


def _require_all_or_none(found: Gathered, parts: Sequence[str | None]) -> None:
    if any(parts) and not all(parts):
        row = found.clips[parts.index(None)].row
        remedy = f"name {', '.join(PARTS)} in each row, or in none"
        raise InputError("has no split, though others have", remedy=remedy, source=row.place)


def _split(samples: Sequence[Sample], fold: Sequence[str]) -> Split:
    parts: Mapping[str, list[Sample]] = {part: [] for part in PARTS}
    for sample, part in zip(samples, fold, strict=True):
        parts[part].append(sample)
    return Split(**parts)
