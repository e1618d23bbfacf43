"""Write a corpus as a folder of arrays, which `affuse.readers.stored` maps."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse import __version__
from affuse.errors import InputError, file_error
from affuse.files import make_folder, to_strict_json
from affuse.readers.stored import (
    HEADER,
    MODALITY,
    TARGETS,
    Fold,
    Header,
    StoredOptions,
    read_stored,
)
from affuse.samples import Corpus, Sample, passing, release_sample

OnProgress = Callable[[int, int], None]
"""Told how many sequences are written, of how many."""


def store_corpus(corpus: Corpus, folder: Path, on_progress: OnProgress = lambda *_: None) -> None:
    """Write a corpus as a folder, whole or not at all.

    What is written passes through in pieces: a corpus that is mapped itself, as those of pickles
    are, is never in memory. It is read back and compared before it gets its name.

    Raises:
        InputError: the folder exists and is not empty, cannot be written, or is on a full disk.
    """
    require_new(folder)
    for modality in corpus.widths:
        if MODALITY.fullmatch(modality) is None:
            problem = f"modality '{modality}' cannot name a file"
            remedy = "name it with letters, digits, _ and -"
            raise InputError(problem, remedy=remedy, source=corpus.name)
    make_folder(folder.absolute().parent)
    draft = folder.absolute().with_name(f".{folder.absolute().name}.{os.getpid()}")
    try:
        draft.mkdir()
        _write(corpus, draft, on_progress)
        read_stored(draft, StoredOptions())
        if folder.exists():
            folder.rmdir()
        draft.replace(folder)
    except OSError as error:
        raise file_error(error, "cannot be written", folder) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def require_new(folder: Path) -> None:
    """Raise `InputError` where a folder exists and is not empty."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        remedy = "give a new or empty folder"
        raise InputError("exists and holds something else", remedy=remedy, source=folder)


def _write(corpus: Corpus, folder: Path, on_progress: OnProgress) -> None:
    samples, folds = _distinct(corpus)
    total = len(samples) * len(corpus.widths)
    for number, (modality, width) in enumerate(corpus.widths.items()):
        before = number * len(samples)
        advance = partial(lambda before, row: on_progress(before + row, total), before)
        _write_modality(folder, samples, modality, width, advance)
    targets = np.full((len(samples), corpus.task.target_width), np.nan, np.float32)
    for row, sample in enumerate(samples):
        if sample.target is not None:
            targets[row] = sample.target
    _write_array(folder / TARGETS, "<f4", targets.shape, [targets])
    header = Header(
        affuse=__version__,
        name=corpus.name,
        task=corpus.task.to_config(),
        widths=dict(corpus.widths),
        features=dict(corpus.features),
        preset=corpus.preset,
        options=dict(corpus.options),
        fingerprint=corpus.fingerprint(),
        ids=[s.id for s in samples],
        groups=[s.group for s in samples],
        texts=[s.text for s in samples],
        truths=[dict(s.truth) for s in samples],
        unimodal=_unimodal(samples),
        folds=folds,
    )
    (folder / HEADER).write_text(to_strict_json(header.model_dump()), encoding="utf-8")


def _unimodal(samples: Sequence[Sample]) -> list[dict[str, list[float | None]]]:
    told = [{m: target.tolist() for m, target in s.unimodal.items()} for s in samples]
    return told if any(told) else []


def _distinct(corpus: Corpus) -> tuple[list[Sample], list[Fold]]:
    """Every sample once, however many folds it is in, and the folds by their numbers."""
    samples = {id(sample): sample for fold in corpus.folds for sample in fold.samples()}
    numbers = {key: number for number, key in enumerate(samples)}
    folds = [
        Fold(**{part: [numbers[id(s)] for s in members] for part, members in fold.parts().items()})
        for fold in corpus.folds
    ]
    return list(samples.values()), folds


def _write_modality(
    folder: Path,
    samples: Sequence[Sample],
    modality: str,
    width: int,
    advance: Callable[[int], None],
) -> None:
    lengths = [len(s.sequences[modality]) if modality in s.sequences else 0 for s in samples]
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    steps = int(offsets[-1])

    def sequences() -> Iterator[NDArray[Any]]:
        for row, sample in enumerate(passing(samples, release_sample), 1):
            if modality in sample.sequences:
                yield sample.sequences[modality]
            advance(row)

    _write_array(folder / f"{modality}.npy", "<f4", (steps, width), sequences())
    _write_array(folder / f"{modality}.offsets.npy", "<i8", offsets.shape, [offsets])
    if any(modality in s.times for s in samples):
        unknown = (np.full(length, np.nan, np.float32) for length in lengths)
        times = (s.times.get(modality, none) for s, none in zip(samples, unknown, strict=True))
        _write_array(folder / f"{modality}.times.npy", "<f4", (steps,), times)


def _write_array(
    file: Path, dtype: str, shape: tuple[int, ...], pieces: Iterable[NDArray[Any]]
) -> None:
    """An npy file from pieces one after the other."""
    with file.open("wb") as out:
        layout = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(out, layout)
        for piece in pieces:
            out.write(np.ascontiguousarray(piece, dtype).data)
