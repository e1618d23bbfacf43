"""The sound of a whole corpus: extracted by all cores, cached, and resumed where stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.extract.cache import Arrays, FeatureCache, cache_key, pack, unpack
from affuse.extract.voice.descriptors import read_audio, voice_frames, voice_name
from affuse.extract.voice.whisper import speech_frames, speech_name
from affuse.progress import items_bar
from affuse.samples import FloatArray

# One cache file for so many recordings: few files, and little to redo after a stop.
_CHUNK = 240
# Below this many recordings, starting processes takes longer than they save.
_WORTH_POOL = 16


def voices_of(
    paths: Sequence[Path],
    cache: FeatureCache,
    *,
    cepstra: int = 0,
    trim: bool = False,
    workers: int | None = None,
) -> list[FloatArray]:
    """`voice_frames` of each recording, float32 `(T, D)`; by default one process a core.

    Raises:
        InputError: a recording that cannot be read; it is named.
    """
    name = voice_name(cepstra=cepstra, trim=trim)
    extract = partial(_voice, cepstra=cepstra, trim=trim)
    # A pool starts its processes with its first task, so one that is not needed costs nothing.
    with ProcessPoolExecutor(workers) as pool:
        return features_of("voice", name, extract, paths, cache, None if workers == 1 else pool)


def speech_of(
    paths: Sequence[Path], cache: FeatureCache, *, workers: int | None = None
) -> list[FloatArray]:
    """`speech_frames` of each recording, float32 `(T, 768)`, in the precision of float16.

    By default one thread a core works.

    Raises:
        InputError: a recording that cannot be read, which is named; or weights that are not
            installed or are damaged.
    """
    # Nearly all of the work is done outside Python's lock, and threads share one model, whose own
    # threads would not survive a fork.
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        halves = features_of("speech", speech_name(), _speech, paths, cache, pool)
    return [states.astype(np.float32) for states in halves]


def features_of(
    label: str,
    name: str,
    extract: Callable[[Path], NDArray[Any]],
    paths: Sequence[Path],
    cache: FeatureCache,
    pool: Executor | None,
) -> list[NDArray[Any]]:
    """What `extract` makes of each recording, kept under `name`; `label` is that of the bar."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    keys = [cache_key(name, (path.read_bytes() for path in chunk)) for chunk in chunks]
    missing = sum(len(c) for c, key in zip(chunks, keys, strict=True) if key not in cache)
    with items_bar(label, "recordings", missing) as advance:

        def compute(chunk: Sequence[Path]) -> Arrays:
            found = []
            results: Iterator[NDArray[Any]] = map(extract, chunk)
            if pool is not None and missing >= _WORTH_POOL:
                results = pool.map(extract, chunk, chunksize=4)
            for features in results:
                found.append(features)
                advance(1)
            return pack(found)

        pairs = zip(chunks, keys, strict=True)
        stored = [cache.arrays(key, partial(compute, chunk)) for chunk, key in pairs]
    return [features for arrays in stored for features in unpack(arrays)]


def _voice(path: Path, *, cepstra: int, trim: bool) -> FloatArray:
    return voice_frames(*read_audio(path), cepstra=cepstra, trim=trim).features


def _speech(path: Path) -> NDArray[Any]:
    return speech_frames(*read_audio(path)).astype(np.float16)
