"""Extracted features kept on disk, so that a corpus is extracted once.

One npz file holds the arrays of one extraction. Its name is a hash of everything that the result
depends on, so a file is never out of date and any file may be deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from affuse.samples import FloatArray

Arrays = dict[str, NDArray[Any]]

_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


class FeatureCache:
    """Reads and writes npz files in one folder.

    Args:
        folder: by default the environment variable AFFUSE_CACHE, else the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        chosen = os.environ.get("AFFUSE_CACHE")
        default = Path(chosen) if chosen else user_cache_path("affuse", appauthor=False)
        self.folder = default if folder is None else folder
        self._warned = False

    def __contains__(self, key: str) -> bool:
        return self._path(key).exists()

    def arrays(self, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays stored under `key` (see `cache_key`), else those of `compute`, then stored.

        A damaged file is computed anew. Where the folder cannot be written, the result is
        returned all the same and one warning is logged.
        """
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except _UNREADABLE:
            arrays = compute()
        try:
            self._write(path, arrays)
        except OSError as error:
            self._warn(error)
        return arrays

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _write(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as part:
            try:
                np.savez(part, **arrays)  # type: ignore[arg-type]
                part.close()
                Path(part.name).replace(path)
            finally:
                part.close()
                Path(part.name).unlink(missing_ok=True)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            reason = error.strerror or error
            remedy = "set AFFUSE_CACHE to a folder that can be written"
            warn = logging.getLogger(__name__).warning
            warn("%s: features cannot be cached (%s); %s", self.folder, reason, remedy)


def cache_key(extractor: str, contents: Iterable[bytes]) -> str:
    """A file name for what `extractor` makes of `contents`, item by item, in order.

    Args:
        extractor: its name with version and options: changes whenever the features would.
    """
    digest = hashlib.sha256(extractor.encode())
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    # File systems take names of 255 bytes at most.
    label = re.sub(r"[^a-z0-9]+", "-", extractor.lower())[:120]
    return f"{label}-{digest.hexdigest()[:24]}"


def pack(sequences: Sequence[FloatArray]) -> Arrays:
    """Sequences `(T_i, D)` as one array of all steps and their lengths: one file, quick to read."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    return {"steps": np.concatenate(sequences), "lengths": lengths}


def unpack(arrays: Mapping[str, NDArray[Any]]) -> list[FloatArray]:
    """The inverse of `pack`; the sequences are views of one array."""
    ends = np.cumsum(arrays["lengths"])
    return np.split(arrays["steps"], ends[:-1])
