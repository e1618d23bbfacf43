"""Folders of .csd files, as the CMU-MultimodalSDK shares CMU-MOSI and CMU-MOSEI.

Each file has one computational sequence of whole videos: words or their vectors, COVAREP, FACET or
OpenFace, and labels, whose intervals are the segments that make the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.extract.text.glove import Glove
from affuse.progress import items_bar
from affuse.readers.csd.annotations import Labels, find_folds, read_folds, read_labels
from affuse.readers.csd.sequence_file import CsdFile, Entry, open_csd, words_of
from affuse.readers.pickles.padded import finite_or_zero
from affuse.readers.registry import corpus_name, register_corpus
from affuse.readers.word_vectors import word_vectors
from affuse.samples import MODALITIES, PARTS, Corpus, FloatArray, Sample, Split, widths_of

# Parts of the names of the files and of the sequences in them, lower case.
ROLES = {
    "labels": ("label",),
    "text": ("wordvector", "glove", "bert"),
    "words": ("words",),
    "audio": ("covarep", "opensmile", "acoustic"),
    "vision": ("facet", "openface", "visual"),
}
_SILENCE = ("sp", "")
# The SDK drops words of less, which its own rounding made.
_SHORTEST = 1e-5


class CsdOptions(Options):
    """Options of the reader `csd`."""

    label: Literal["sentiment", "emotions"] = Field(
        default="sentiment", description="sentiment in [-3, 3], or six emotions, each there or not"
    )
    align: Literal["words", "none"] = Field(
        default="words", description="words: one step a word, means of its frames; none: all frames"
    )
    folds: str | None = Field(
        default=None, description="file of folds; by default the one in the folder"
    )
    columns: tuple[str, ...] | None = Field(
        default=None, description="the columns of the labels, where the file does not name them"
    )
    text: str | None = Field(default=None, description="part of the name of the file to take")
    audio: str | None = Field(default=None, description="as text")
    vision: str | None = Field(default=None, description="as text")
    words: str | None = Field(default=None, description="as text; the transcript")
    labels: str | None = Field(default=None, description="as text")


def _recognises(path: Path) -> bool:
    return path.suffix == ".csd" or any(path.glob("*.csd"))


def _preset(path: Path) -> str:
    """Of MulT's files, which are made of these: what papers say of one goes for the other."""
    names = " ".join(file.name.lower() for file in path.glob("*.csd"))
    return next((f"mult-{corpus}" for corpus in ("mosei", "mosi") if corpus in names), "csd")


@register_corpus("csd", CsdOptions, recognises=_recognises, preset=_preset)
def read_csd(path: Path, options: CsdOptions) -> Corpus:
    """Folders of .csd files (CMU-MultimodalSDK): segments of CMU-MOSI and CMU-MOSEI.

    A segment has the words and frames that overlap the interval of its label. Aligned, text has
    one step a word, and audio and vision the mean of the frames that overlap it, or zeros where
    there are none. Not aligned, each modality has its own steps. Where words come without
    vectors, affuse's GloVe gives them; a pause is no word. What is not finite becomes 0. A
    segment without anything is left out, and so is a video that no part of the folds names.

    Samples are named `video[number]`, as the SDK names segments, and grouped by video; times are
    seconds from the segment's begin.
    """
    if not path.is_dir():
        remedy = "give the folder that holds it with the labels' .csd"
        raise InputError("is one sequence of a corpus", remedy=remedy, source=path)
    folds_file = find_folds(path, options.folds)
    folds = read_folds(folds_file)
    with ExitStack() as stack:
        opened = [stack.enter_context(open_csd(file)) for file in sorted(path.glob("*.csd"))]
        files = _choose(opened, options, path)
        labels = read_labels(files["labels"], options.label, options.columns)
        parts: dict[str, list[Sample]] = {part: [] for part in PARTS}
        for part, sample in _samples(labels, files, folds, aligned=options.align == "words"):
            parts[part].append(sample)
    for part, samples in parts.items():
        if not samples:
            problem = f"no segment of the corpus is in a video of its '{part}'"
            raise InputError(problem, remedy="use the folds of this corpus", source=folds_file)
    split = Split(**parts)
    widths = widths_of(split.samples())
    return Corpus(
        name=corpus_name("csd", options),
        task=labels.task,
        widths=widths,
        folds=(split,),
        options=options.model_dump(),
        features={m: files[m].root if m in files else Glove().name for m in widths},
        preset=_preset(path),
    )


def _choose(opened: list[CsdFile], options: CsdOptions, folder: Path) -> dict[str, CsdFile]:
    """Which file plays which role."""
    found: dict[str, list[CsdFile]] = {role: [] for role in ROLES}
    for file in opened:
        # "TimestampedWordVectors" has words in it too: the first that fits counts.
        names = f"{file.path.stem} {file.root}".lower()
        fitting = [role for role, marks in ROLES.items() if any(mark in names for mark in marks)]
        if fitting:
            found[fitting[0]].append(file)
    for role in ROLES:
        wanted: str | None = getattr(options, role)
        if wanted is not None:
            found[role] = [file for file in opened if wanted.lower() in file.path.name.lower()]
        if len(found[role]) > 1 or (wanted is not None and not found[role]):
            there = found[role] or opened
            named = f" named '{wanted}'" if wanted is not None else ""
            remedy = f"choose with {role}=NAME one of: {', '.join(f.path.stem for f in there)}"
            problem = f"has {len(found[role])} files for {role}{named}"
            raise InputError(problem, remedy=remedy, source=folder)
    files = {role: those[0] for role, those in found.items() if those}
    for missing, present in (("labels", "labels" in files), ("features", len(files) > 1)):
        if not present:
            remedy = "add the file, or name it, as in labels=NAME or text=NAME"
            raise InputError(f"has no {missing} among its .csd files", remedy=remedy, source=folder)
    if options.align == "words" and not files.keys() & {"text", "words"}:
        remedy = "add their .csd, or choose align=none"
        raise InputError("has no words to align to", remedy=remedy, source=folder)
    return files


def _samples(
    labels: Labels, files: Mapping[str, CsdFile], folds: Mapping[str, str], *, aligned: bool
) -> Iterator[tuple[str, Sample]]:
    """Every segment of a video that a fold names, with that fold's part."""
    with items_bar("segments", "videos", len(labels.entries)) as advance:
        for name, (targets, intervals) in labels.entries.items():
            video = name.partition("[")[0]
            found = _entries(name, video, files) if video in folds else {}
            for row, (begin, end) in enumerate(intervals):
                sequences, times, text = _segment(found, begin, end, aligned=aligned)
                # Sequences that the SDK has aligned have one segment an entry, and number it.
                own = name if video != name and len(intervals) == 1 else f"{name}[{row}]"
                if sequences:
                    yield folds[video], Sample(own, sequences, targets[row], times, video, text)
            advance(1)


def _entries(name: str, video: str, files: Mapping[str, CsdFile]) -> dict[str, Entry]:
    """What the files have of a video: `text`, `audio` and `vision` as numbers, `words` as words."""
    found = {}
    for role, file in files.items():
        key = name if name in file else video
        if role != "labels" and key in file:
            found[role] = _read(file, key, role)
    if "words" in found and "text" not in files:
        words, intervals = found["words"]
        found["text"] = Entry(word_vectors(map(str, words[:, 0])), intervals)
    return found


def _read(file: CsdFile, key: str, role: str) -> Entry:
    features, intervals = file.read(key)
    holds_words = features.dtype.kind in "SO"
    if holds_words != (role == "words"):
        problem = f"holds words where {role} belongs" if holds_words else "holds numbers, not words"
        raise InputError(problem, remedy=f"choose another file with {role}=NAME", source=file.path)
    keep = intervals[:, 1] - intervals[:, 0] >= _SHORTEST
    if role == "words":
        words = np.array(words_of(features), dtype=object)[:, None]
        keep &= ~np.isin(words[:, 0].astype(str), _SILENCE)
        return Entry(words[keep], intervals[keep])
    return Entry(finite_or_zero(features[keep]), intervals[keep])


def _segment(
    found: Mapping[str, Entry], begin: float, end: float, *, aligned: bool
) -> tuple[dict[str, FloatArray], dict[str, FloatArray], str | None]:
    """Sequences, their times and the transcript of one segment."""
    inside = {role: _overlapping(entry, begin, end) for role, entry in found.items()}
    words = inside.pop("words", None)
    transcript = None if words is None else " ".join(words.features[:, 0])
    steps = inside.get("text", words)
    sequences, times = {}, {}
    for modality in MODALITIES:
        entry = inside.get(modality)
        if entry is not None and aligned and modality != "text":
            entry = None if steps is None else _means(entry, steps.intervals)
        if entry is not None and len(entry.features):
            sequences[modality] = np.asarray(entry.features, dtype=np.float32)
            times[modality] = (entry.intervals[:, 0] - begin).astype(np.float32)
    return sequences, times, transcript


def _overlapping(entry: Entry, begin: float, end: float) -> Entry:
    rows = (entry.intervals[:, 0] < end) & (entry.intervals[:, 1] > begin)
    return Entry(entry.features[rows], entry.intervals[rows])


def _means(entry: Entry, steps: NDArray[np.float64]) -> Entry:
    """For each step the mean of the rows that overlap it; nothing where no step has any."""
    means, found = np.zeros((len(steps), entry.features.shape[1])), False
    for row, (begin, end) in enumerate(steps):
        rows = _overlapping(entry, begin, end).features
        if len(rows):
            means[row], found = rows.mean(axis=0, dtype=np.float64), True
    return Entry(means, steps) if found else Entry(means[:0], steps[:0])
