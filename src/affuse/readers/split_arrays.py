"""Arrays by modality and split: folders of .h5 files as MFN's authors share them, and .npz of them.

`{audio, video, text_emb, y}_{train, valid, test}`, each `(N, T, D)`; Zadeh et al. (2018), "Memory
Fusion Network for Multi-view Sequential Learning".
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.optional import require
from affuse.readers.hdf5 import own_member, require_within
from affuse.readers.npz import DAMAGE, UNFOLDING, require_modest

_KEYS = {
    "text": {"text", "words", "glove", "language"},
    "audio": {"audio", "covarep", "acoustic"},
    "vision": {"video", "vision", "visual", "facet"},
    "labels": {"y", "label", "labels"},
    "id": {"id", "ids"},
}
_PARTS = {
    "train": {"train", "training"},
    "valid": {"valid", "val", "dev", "validation"},
    "test": {"test", "testing"},
}
_EMBEDDED = {"emb", "embedding", "embeddings"}
_ENDINGS = (".h5", ".hdf5")
# Where an array lies: a file of its own, or a name in an archive.
_Place = tuple[str, str, str]


def split_arrays(path: Path) -> dict[str, dict[str, str]]:
    """Part to what it has (a modality, `labels` or `id`) to the name of its array or file.

    Empty where a path is nothing of the kind: there must be labels and features to train on.
    """
    found: dict[str, dict[str, str]] = {part: {} for part in _PARTS}
    for name in sorted(_names(path), key=lambda name: _words(name).isdisjoint(_EMBEDDED)):
        words = _words(name)
        for part in (part for part, names in _PARTS.items() if words & names):
            for key in (key for key, names in _KEYS.items() if words & names):
                # The first: words of a text stand behind their vectors.
                found[part].setdefault(key, name)
    train = found["train"].keys()
    return found if "labels" in train and train & {"text", "audio", "vision"} else {}


def load_split_arrays(path: Path) -> dict[str, dict[str, Any]]:
    """Part to its arrays; the text of a part is left out where it is no vectors.

    Raises:
        InputError: a file cannot be read or unfolds to many times its size.
    """
    found = split_arrays(path)
    read = _from_files if path.is_dir() else _from_archive
    loaded = read(path, {name for part in found.values() for name in part.values()})
    return {
        part: {key: loaded[name] for key, name in names.items() if _is_useful(key, loaded[name])}
        for part, names in found.items()
        if names
    }


def _is_useful(key: str, array: NDArray[Any]) -> bool:
    return key != "text" or (array.ndim == 3 and array.dtype.kind == "f")


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def _names(path: Path) -> Iterable[str]:
    """Names of the arrays of an archive, or stems of the files in a folder."""
    if path.is_dir():
        return [file.stem for file in path.iterdir() if file.suffix.lower() in _ENDINGS]
    if path.suffix.lower() != ".npz" or not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGE:
        return []


def _from_archive(path: Path, names: set[str]) -> dict[str, NDArray[Any]]:
    try:
        require_modest(path)
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except DAMAGE as error:
        raise _unreadable(path, error) from None


def _from_files(folder: Path, names: set[str]) -> dict[str, NDArray[Any]]:
    files = [f for f in folder.iterdir() if f.suffix.lower() in _ENDINGS and f.stem in names]
    return {file.stem: _only_array(file) for file in files}


def _only_array(file: Path) -> NDArray[Any]:
    """The one array of an HDF5 file that a stranger may have made: what lies in it, and no more."""
    h5py = require("h5py", extra="csd")
    try:
        with h5py.File(file, "r", locking=False) as opened:
            names = list(opened)
            data = own_member(opened, names[0], h5py.Dataset) if len(names) == 1 else None
            if data is None:
                raise ValueError("it holds something else than one array")
            require_within(data, UNFOLDING)
            return np.asarray(data[()])
    except DAMAGE as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> InputError:
    reason = f"{type(error).__name__}: {error}"[:120]
    return InputError(f"cannot be read ({reason})", remedy="copy it anew", source=file)
