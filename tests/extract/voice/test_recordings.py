"""Voices of many recordings: the same in one process as in several, cached and resumed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from affuse.errors import InputError
from affuse.extract.cache import FeatureCache
from affuse.extract.voice import RATE
from affuse.extract.voice import recordings as corpus_sound
from affuse.extract.voice.descriptors import read_audio, voice_frames
from affuse.samples import FloatArray


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number:02d}.wav" for number in range(20)]
    for number, path in enumerate(paths):
        wavfile.write(path, RATE, rng.normal(0, 0.1, 3000 + 200 * number).astype(np.float32))
    return paths


@pytest.mark.parametrize("workers", [1, 2])
def test_each_is_what_the_recording_alone_gives(
    recordings: list[Path], tmp_path: Path, workers: int
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    found = corpus_sound.voices_of(recordings, cache, cepstra=4, trim=True, workers=workers)
    assert len(found) == len(recordings)
    for path, features in zip(recordings, found, strict=True):
        alone = voice_frames(*read_audio(path), cepstra=4, trim=True).features
        np.testing.assert_allclose(features, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("extract", "workers"), [(corpus_sound.voices_of, 1), (corpus_sound.speech_of, 2)]
)
def test_what_was_finished_before_a_stop_is_kept(
    recordings: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extract: Callable[..., list[FloatArray]],
    workers: int,
) -> None:
    monkeypatch.setattr(corpus_sound, "_CHUNK", 8)
    cache = FeatureCache(tmp_path / "cache")
    sound = recordings[12].read_bytes()
    recordings[12].write_bytes(b"damaged")
    with pytest.raises(InputError, match="12"):
        extract(recordings, cache, workers=workers)
    kept = {file: file.stat().st_mtime_ns for file in cache.folder.iterdir()}
    assert len(kept) == 1
    recordings[12].write_bytes(sound)
    assert len(extract(recordings, cache, workers=workers)) == len(recordings)
    assert len(list(cache.folder.iterdir())) == 3
    assert all(file.stat().st_mtime_ns == written for file, written in kept.items())


def test_a_changed_recording_is_extracted_anew(recordings: list[Path], tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    before = corpus_sound.voices_of(recordings[:2], cache, workers=1)
    recordings[0].write_bytes(recordings[5].read_bytes())
    after = corpus_sound.voices_of(recordings[:2], cache, workers=1)
    assert len(after[0]) > len(before[0])
    np.testing.assert_array_equal(after[1], before[1])


def test_an_error_in_a_worker_process_reaches_the_caller(
    recordings: list[Path], tmp_path: Path
) -> None:
    recordings[3].write_bytes(b"damaged")
    with pytest.raises(InputError) as caught:
        corpus_sound.voices_of(recordings, FeatureCache(tmp_path / "cache"), workers=2)
    assert caught.value.source == recordings[3]


def test_an_input_error_survives_pickling() -> None:
    error = InputError("is empty", remedy="give a recording", source="a.wav")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.remedy, copy.source) == (str(error), error.remedy, error.source)
