"""What the field's pickles share: three splits of arrays, labels and ids, and how to tell them.

`{train, valid, test} -> {modality: (N, T, D), labels, id, ...}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.config import Options
from affuse.errors import InputError
from affuse.readers.pickles.padded import Steps, cut_padding, feature_names
from affuse.readers.pickles.splits import load_splits
from affuse.readers.registry import corpus_name
from affuse.samples import PARTS, Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import BinaryLabels, Task


@dataclass(frozen=True, slots=True)
class PickleFormat:
    """What tells the formats apart, of the training part."""

    keys: frozenset[str]  # of its dictionary
    widths: Mapping[str, int]  # of its arrays `(N, T, D)`
    two_labels: bool  # whether `labels` are of two values that are marks: 0 and 1, or -1 and 1
    pairs: bool  # whether `labels` are pairs (no, yes) for several emotions


def pickle_format(path: Path) -> PickleFormat | None:
    """The format of a pickle of splits, or of a folder of them; None for what is neither."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        states = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        return None
    return _read_format(path, tuple(states)) if states else None


# A command asks for it several times. It is read anew when a file has changed.
@lru_cache(maxsize=8)
def _read_format(path: Path, states: tuple[tuple[int, int], ...]) -> PickleFormat | None:
    del states
    try:
        train = load_splits(path).look("train")
    except InputError:
        return None
    if not train:
        return None
    keys = frozenset(key for key in train if isinstance(key, str))
    arrays = {key: train[key] for key in keys if isinstance(train[key], np.ndarray)}
    widths = {key: array.shape[2] for key, array in arrays.items() if array.ndim == 3}
    labels = arrays.get("labels")
    pairs = labels is not None and labels.ndim == 3 and labels.shape[1:] == (4, 2)
    return PickleFormat(keys, widths, labels is not None and _are_marks(labels), pairs)


def _are_marks(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind not in "fiu" or not labels.ndim:
        return False
    # One a sample: pairs of flags for several emotions are of two values too.
    return labels.size == len(labels) and np.unique(labels).tolist() in ([0, 1], [-1, 1])


# Widths of audio and vision. CMU-MOSI: COVAREP and FACET, chosen columns or all. CMU-MOSEI: all of
# COVAREP and of a later FACET; IEMOCAP has the same and other labels. CH-SIMS: librosa, OpenFace.
_CORPORA = {(5, 20): "mosi", (74, 47): "mosi", (74, 35): "mosei", (33, 709): "sims"}


def preset_name(reader: str, widths: Mapping[str, int], *, emotions: bool = False) -> str:
    """The preset for a corpus in the format of `reader`, or that name for an unknown corpus.

    With `emotions`, a sample has several labels, each there or not.
    """
    corpus = _CORPORA.get((widths.get("audio", 0), widths.get("vision", 0)))
    corpus = "iemocap" if corpus == "mosei" and emotions else corpus
    return reader if corpus is None else f"{reader}-{corpus}"


class Identity(NamedTuple):
    """A sample's name and the video that it is cut from, where known."""

    name: str
    video: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One split of N samples."""

    sequences: Sequence[Mapping[str, FloatArray]]  # for each sample, the modalities it has
    labels: NDArray[Any]  # `(N, ...)`, as the file has them
    identities: Sequence[Identity]
    widths: Mapping[str, int]  # modality to D
    texts: Sequence[str] | None = None
    unimodal: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # labels of it alone


def build_part(
    arrays: Mapping[str, NDArray[Any]],
    steps: Mapping[str, Steps],
    labels: NDArray[Any],
    identities: Sequence[Identity],
    texts: Sequence[str] | None = None,
) -> Part:
    """A split from padded arrays `(N, T, D)` and the steps in them that count, `(N, T)`."""
    widths = {modality: array.shape[2] for modality, array in arrays.items()}
    return Part(cut_padding(arrays, steps), labels, identities, widths, texts)


PartReader = Callable[[dict[str, Any], str, str], Part]
"""`(content of a split, its name, what errors name) -> Part`."""


class Parts(dict[str, Part]):
    """The splits train, valid and test, and what was noticed while they were read."""

    notices: tuple[str, ...] = ()


def read_parts(path: Path, read_part: PartReader, layout: str) -> Parts:
    """The splits train, valid and test of a pickle; `layout` says in errors what it should hold.

    Raises:
        InputError: the file cannot be read, lacks a split, or its splits differ in width.
    """
    splits, parts = load_splits(path), Parts()
    splits.require(layout)
    for name in PARTS:
        # Taken one by one, so that what was converted is freed before the next is read.
        parts[name] = read_part(splits.take(name, layout), name, f"{path}: {name}")
    parts.notices = tuple(splits.notices)
    known: dict[str, tuple[str, int]] = {}
    for name, part in parts.items():
        for modality, width in part.widths.items():
            first, expected = known.setdefault(modality, (name, width))
            if width != expected:
                problem = f"'{name}' has {modality} of width {width}, '{first}' of {expected}"
                remedy = "extract all splits with the same features"
                raise InputError(problem, remedy=remedy, source=path)
    return parts


def build_corpus(
    reader: str,
    path: Path,
    options: Options,
    task: Task,
    parts: Mapping[str, Part],
    targets: Mapping[str, FloatArray],
    *,
    unimodal: Mapping[str, Mapping[str, FloatArray]] | None = None,
    extracted: Mapping[str, str] | None = None,
    preset: str | None = None,
    notices: Iterable[str] = (),
) -> Corpus:
    """The corpus of a file, named as `mult[data=mosi_data]`; its samples get unique names.

    A sample without any modality gets one zero step of the first that some training sample has, so
    that none is lost.

    Args:
        targets: of each part, `(N, K)`.
        unimodal: of each part, modality to the targets of it alone.
        extracted: names of the features that are not the file's.
        preset: by default as the widths tell.
        notices: what was read otherwise than it stands.
    """
    names = UniqueNames()
    nothing = _nothing(parts["train"])
    alone = unimodal or {}
    split = Split(
        **{
            name: _samples(part, targets[name], alone.get(name, {}), names, nothing)
            for name, part in parts.items()
        }
    )
    widths = widths_of(split.samples())
    given = dict.fromkeys(m for part in parts.values() for m in part.widths)
    empty = [f"{m} left out: no sample has it" for m in given if m not in widths]
    changed = corpus_name(reader, options)[len(reader) + 1 : -1]
    emotions = isinstance(task, BinaryLabels)
    return Corpus(
        name=f"{reader}[{','.join(filter(None, (f'data={path.stem}', changed)))}]",
        task=task,
        widths=widths,
        folds=(split,),
        options=options.model_dump(),
        features={**feature_names(widths), **(extracted or {})},
        preset=preset or preset_name(reader, widths, emotions=emotions),
        notices=(*notices, *empty),
    )


def _nothing(train: Part) -> dict[str, FloatArray]:
    """One zero step of the first modality that some sample has, or that there could be."""
    some = {modality for sequences in train.sequences for modality in sequences}
    known = [m for m in train.widths if m in some] or list(train.widths)
    return {known[0]: np.zeros((1, train.widths[known[0]]), dtype=np.float32)} if known else {}


def _samples(
    part: Part,
    targets: FloatArray,
    unimodal: Mapping[str, FloatArray],
    names: UniqueNames,
    nothing: Mapping[str, FloatArray],
) -> list[Sample]:
    texts: Sequence[str | None] = part.texts or [None] * len(part.identities)
    rows = zip(part.identities, part.sequences, targets, texts, strict=True)
    return [
        Sample(
            names.add(name),
            sequences or nothing,
            target,
            group=video,
            text=text,
            unimodal={m: alone[row] for m, alone in unimodal.items()},
        )
        for row, ((name, video), sequences, target, text) in enumerate(rows)
    ]


class UniqueNames:
    """Makes each name that occurs again its own: `a`, `a#2`, `a#3`."""

    def __init__(self) -> None:
        self._uses: dict[str, int] = {}

    def add(self, name: str) -> str:
        unique = name
        while unique in self._uses:
            self._uses[name] += 1
            unique = f"{name}#{self._uses[name]}"
        self._uses[unique] = 1
        return unique


def read_identities(ids: object, count: int, part: str, source: str) -> list[Identity]:
    """One identity a sample, from triples, single ids, or the position where there are none."""
    if ids is None:
        return [Identity(f"{part}/{row}", None) for row in range(count)]
    rows = ids.tolist() if isinstance(ids, np.ndarray) else ids
    if not isinstance(rows, list | tuple) or len(rows) != count:
        found = f"{len(rows)} rows" if isinstance(rows, list | tuple) else "no rows"
        remedy = "give one id a sample, or leave 'id' out"
        raise InputError(f"'id' has {found} for {count} samples", remedy=remedy, source=source)
    return [_identity(row, number, source) for number, row in enumerate(rows)]


def _identity(row: Any, number: int, source: str) -> Identity:
    values = row.tolist() if isinstance(row, np.ndarray) else row
    texts = [_text(v) for v in (values if isinstance(values, list | tuple) else [values])]
    match texts:
        case [str(name)]:
            return Identity(name, None)
        case [str(video), str(start), str(end)]:
            return Identity(f"{video}[{start}-{end}]", video)
    problem = f"id {number} is neither a name nor a triple of video, start and end"
    raise InputError(problem, remedy="write such ids, or leave 'id' out", source=source)


def plain_text(text: str) -> str:
    """`text` with ? for lone surrogates, which pickles can hold and no other file."""
    return text.encode("utf-8", "replace").decode()


def _text(value: Any) -> str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, str):
        return plain_text(value)
    if not isinstance(value, int | float):
        return None
    # Six digits are enough for seconds, but not for ids that are counted.
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
