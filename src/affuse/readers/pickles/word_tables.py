"""What the numbers stand for that some files have for words: a table of words or of vectors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.readers.npz import DAMAGE
from affuse.readers.pickles import load_pickle

_NAMED = re.compile(r"word|vocab|embed", re.IGNORECASE)
_ENDINGS = (".pkl", ".pickle", ".json", ".txt", ".npy")


class WordTable(NamedTuple):
    """Number to word, or vectors `(V, D)` a row a number; None of what is not there."""

    words: dict[int, str] | None
    vectors: NDArray[np.float32] | None


def find_words(folder: Path) -> WordTable:
    """The tables in the files of a folder whose names have `word`, `vocab` or `embed` in them.

    Words are a dictionary of numbers or a list in their order, as a pickle, JSON or text of a
    word a line; vectors an array `(V, D)`, as a pickle or .npy.

    Raises:
        InputError: such a file cannot be read.
    """
    words: dict[int, str] | None = None
    vectors: NDArray[np.float32] | None = None
    for file in sorted(folder.iterdir()):
        if _NAMED.search(file.stem) and file.suffix.lower() in _ENDINGS and file.is_file():
            for content in _contents(file):
                words = words or _words(content)
                vectors = _vectors(content) if vectors is None else vectors
    return WordTable(words, vectors)


def _contents(file: Path) -> Iterator[Any]:
    """What a file holds, and where that is several things, each."""
    try:
        if file.suffix == ".npy":
            content: Any = np.load(file, allow_pickle=False)
        elif file.suffix == ".json":
            content = json.loads(file.read_text(encoding="utf-8"))
        elif file.suffix == ".txt":
            content = file.read_text(encoding="utf-8").split()
        else:
            content = load_pickle(file)
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"[:80]
        remedy = "copy it anew, or take it away"
        raise InputError(f"cannot be read ({reason})", remedy=remedy, source=file) from None
    yield content
    if isinstance(content, tuple):
        yield from content


def _words(content: Any) -> dict[int, str] | None:
    if isinstance(content, dict) and content:
        pairs = list(content.items())
        if all(isinstance(k, str) and isinstance(v, int | np.integer) for k, v in pairs):
            return {int(number): word for word, number in pairs}
        if all(isinstance(v, str) and str(k).isdigit() for k, v in pairs):
            return {int(k): word for k, word in pairs}
    if isinstance(content, list) and content and all(isinstance(word, str) for word in content):
        return dict(enumerate(content))
    return None


def _vectors(content: Any) -> NDArray[np.float32] | None:
    if isinstance(content, np.ndarray) and content.dtype.kind == "f" and content.ndim == 2:
        return content.astype(np.float32)
    return None
