"""The voices of a whole corpus: extracted by all cores, cached, and resumed where stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from affuse.extract.cache import Arrays, FeatureCache, cache_key, pack, unpack
from affuse.extract.progress import Advance, progress_bar
from affuse.extract.voice import read_audio, voice_frames, voice_name
from affuse.samples import FloatArray

# One cache file for so many recordings: few files, and little to redo after a stop.
_CHUNK = 240
# Below this many recordings, starting processes takes longer than they save.
_WORTH_PROCESSES = 16


def voices_of(
    paths: Sequence[Path],
    cache: FeatureCache,
    *,
    cepstra: int = 0,
    trim: bool = False,
    workers: int | None = None,
) -> list[FloatArray]:
    """`voice_frames` of each recording, float32 `(T, D)`.

    Args:
        paths: existing media files.
        cache: where results are kept.
        cepstra: mel cepstra to append.
        trim: leave out silence at both ends.
        workers: processes; by default one a core.

    Raises:
        InputError: a recording that cannot be read; it is named.
    """
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    name = voice_name(cepstra=cepstra, trim=trim)
    keys = [cache_key(name, (path.read_bytes() for path in chunk)) for chunk in chunks]
    missing = sum(len(c) for c, key in zip(chunks, keys, strict=True) if key not in cache)
    extract = partial(_features, cepstra=cepstra, trim=trim)
    # A pool starts its processes with its first task, so one that is not needed costs nothing.
    with ProcessPoolExecutor(workers) as pool, progress_bar("voice", missing) as advance:

        def compute(chunk: Sequence[Path]) -> Arrays:
            parallel = workers != 1 and missing >= _WORTH_PROCESSES
            results = pool.map(extract, chunk, chunksize=4) if parallel else map(extract, chunk)
            return pack(list(_counted(results, advance)))

        stored = [
            cache.arrays(key, partial(compute, chunk))
            for chunk, key in zip(chunks, keys, strict=True)
        ]
    return [features for arrays in stored for features in unpack(arrays)]


def _features(path: Path, *, cepstra: int, trim: bool) -> FloatArray:
    return voice_frames(*read_audio(path), cepstra=cepstra, trim=trim).features


def _counted(results: Iterator[FloatArray], advance: Advance) -> Iterator[FloatArray]:
    for result in results:
        advance(1)
        yield result
