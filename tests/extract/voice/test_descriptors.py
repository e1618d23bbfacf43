"""The voice: what the descriptors say of sounds whose properties are known."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from scipy.fft import idct
from scipy.io import wavfile

from affuse.errors import InputError
from affuse.extract.voice import RATE
from affuse.extract.voice.descriptors import (
    HOP,
    VoiceFrames,
    levelled,
    read_audio,
    voice_frames,
    voice_name,
)
from affuse.samples import FloatArray


def tone(frequency: float, seconds: float = 1.0, level: float = 0.1) -> FloatArray:
    """A tone with the falling harmonics of a voice."""
    time = np.arange(round(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * frequency * k * time) / k for k in range(1, 11)]
    return (level * np.sum(waves, axis=0)).astype(np.float32)


def silence(seconds: float) -> FloatArray:
    """A room: noise at the level of 16-bit rounding."""
    noise = np.random.default_rng(0).normal(size=round(seconds * RATE))
    return (noise * 3e-5).astype(np.float32)


def column(frames: VoiceFrames, name: str) -> FloatArray:
    return frames.features[:, frames.names.index(name)]


@pytest.mark.parametrize("frequency", [110.0, 220.0, 330.0])
def test_pitch_of_a_tone(frequency: float) -> None:
    frames = voice_frames(tone(frequency), RATE)
    assert column(frames, "voiced").mean() > 0.95
    semitones = column(frames, "F0semitoneFrom27.5Hz")[column(frames, "voiced") == 1]
    expected = 12 * np.log2(frequency / 27.5)
    assert np.abs(semitones - expected).max() < 0.5


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), silence(1.0)])
def test_silence_is_unvoiced(sound: FloatArray) -> None:
    frames = voice_frames(sound, RATE, cepstra=20)
    assert np.isfinite(frames.features).all()
    for name in ("voiced", "F0semitoneFrom27.5Hz", "HNRdBACF"):
        assert not column(frames, name).any()


def test_louder_is_louder_and_otherwise_the_same() -> None:
    soft, loud = (voice_frames(tone(220, level=level), RATE) for level in (0.001, 0.1))
    # Power compressed by 0.33 makes 40 dB a factor of 100 ** 0.66.
    ratio = column(loud, "Loudness")[5:-5] / column(soft, "Loudness")[5:-5]
    np.testing.assert_allclose(ratio, 100**0.66, rtol=0.01)
    for name in ("voiced", "F0semitoneFrom27.5Hz", "mfcc1"):
        np.testing.assert_allclose(column(loud, name), column(soft, name), atol=0.05)


def test_unreliable_descriptors_are_left_out() -> None:
    names = voice_frames(tone(220, 0.2), RATE).names
    assert len(names) == 15
    assert (names[0], names[-1]) == ("Loudness", "voiced")
    assert not [n for n in names if "jitter" in n or "shimmer" in n or n[:2] in ("F1", "F2", "F3")]


def test_what_is_left_out_changes_nothing_else(shared_data: Path) -> None:
    from afx_audio.extractors import egemaps

    signal, rate = read_audio(next((shared_data / "clips").glob("*.mpg")))
    signal = signal * (0.5 / np.abs(signal).max())
    table = egemaps.extract_egemaps_lld(signal, rate)["egemaps_lld"]
    whole = dict(zip(egemaps.EGEMAPS_LLD_NAMES, np.nan_to_num(table), strict=True))
    frames = voice_frames(signal, rate)
    for name in frames.names[:-1]:
        (theirs,) = (row for key, row in whole.items() if key.partition("_")[0] == name)
        np.testing.assert_allclose(column(frames, name), theirs, rtol=1e-6, atol=1e-6)


def test_cepstra_find_the_frequency_of_a_sine() -> None:
    time = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    frames = voice_frames(sine, RATE, cepstra=39)
    assert frames.features.shape == (len(frames.times), 15 + 39)
    # All cepstra but the zeroth give the log-mel spectrum back, less its mean.
    cepstra = frames.features[20:-20, 15:]
    mel = idct(np.hstack([np.zeros((len(cepstra), 1)), cepstra]), norm="ortho")
    # 40 bands to 8 kHz: centres are 2840 / 41 mel apart, and 1000 Hz is 1000 mel.
    assert set(mel.argmax(axis=1)) == {round(1000 / (2840 / 41)) - 1}


def test_frames_start_every_ten_milliseconds() -> None:
    frames = voice_frames(tone(220, 0.5), RATE)
    np.testing.assert_allclose(frames.times, np.arange(len(frames.times)) * HOP, atol=1e-6)
    assert len(frames.times) == 49
    assert frames.features.dtype == frames.times.dtype == np.float32


def test_trimming_keeps_the_speech_and_its_times() -> None:
    sound = np.concatenate([silence(1.0), tone(220, 0.5), silence(0.8)])
    whole, trimmed = voice_frames(sound, RATE), voice_frames(sound, RATE, trim=True)
    assert trimmed.times[0] == pytest.approx(0.9, abs=0.03)
    assert trimmed.times[-1] == pytest.approx(1.6, abs=0.05)
    start = round(float(trimmed.times[0]) / HOP)
    np.testing.assert_array_equal(
        trimmed.features, whole.features[start : start + len(trimmed.features)]
    )


def test_a_pause_inside_is_not_trimmed() -> None:
    sound = np.concatenate([tone(220, 0.3), silence(1.0), tone(220, 0.3)])
    frames = voice_frames(sound, RATE, trim=True)
    assert len(frames.times) == len(voice_frames(sound, RATE).times)


@pytest.mark.parametrize(
    "signal", [np.zeros((2, RATE)), np.zeros(100), np.full(RATE, np.nan)], ids=str
)
def test_signals_that_cannot_be_used(signal: np.ndarray) -> None:
    with pytest.raises(InputError, match="mono"):
        voice_frames(signal.astype(np.float32), RATE)


def test_the_name_tells_the_options() -> None:
    names = {voice_name(cepstra=b, trim=t) for b in (0, 20, 40) for t in (False, True)}
    assert len(names) == 6


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_any_rate_and_stereo_become_mono_at_16_khz(tmp_path: Path, rate: int) -> None:
    time = np.arange(rate) / rate
    left = 0.5 * np.sin(2 * np.pi * 300 * time)
    path = tmp_path / "stereo.wav"
    wavfile.write(path, rate, np.stack([left, np.zeros(rate)], axis=1).astype(np.float32))
    signal, found = read_audio(path)
    assert found == RATE
    assert len(signal) == pytest.approx(RATE, abs=20)
    expected = 0.25 * np.sin(2 * np.pi * 300 * np.arange(len(signal)) / RATE)
    np.testing.assert_allclose(signal[200:-200], expected[200:-200], atol=0.01)


def write_silent_video(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def test_files_that_cannot_be_read_name_the_file_and_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound here " * 50)
    wavfile.write(tmp_path / "short.wav", RATE, np.zeros(100, np.float32))
    wavfile.write(tmp_path / "nan.wav", RATE, np.full(RATE, np.nan, np.float32))
    write_silent_video(tmp_path / "silent.mp4")
    problems = {
        "missing.wav": "no such file",
        "empty.wav": "is empty",
        "text.wav": "cannot be read as audio",
        "short.wav": "0.006 s",
        "nan.wav": "not finite",
        "silent.mp4": "has no sound",
    }
    for name, problem in problems.items():
        with pytest.raises(InputError, match=problem) as caught:
            read_audio(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


def test_a_real_clip(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "ravdess" / "audio" / "03-01-05-02-01-01-12.flac"
    signal, rate = read_audio(path)
    frames = voice_frames(signal, rate, cepstra=20, trim=True)
    assert 1.0 < len(frames.times) * HOP < len(signal) / rate - 0.5
    assert np.isfinite(frames.features).all()
    assert 0.3 < column(frames, "voiced").mean() < 0.9
    # Actor 12 is a woman shouting.
    pitch = column(frames, "F0semitoneFrom27.5Hz")[column(frames, "voiced") == 1]
    assert 200 < 27.5 * 2 ** (np.median(pitch) / 12) < 600
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_audio(cut)


def test_the_sound_of_a_video(shared_data: Path) -> None:
    signal, rate = read_audio(shared_data / "clips" / "grid_bbaf2n.mpg")
    assert 2.9 < len(signal) / rate < 3.1
    assert column(voice_frames(signal, rate), "voiced").any()


@pytest.mark.parametrize("gain", [1e-3, 0.3, 1.0])
def test_levelled_sound_does_not_depend_on_the_gain(gain: float) -> None:
    signal = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.2
    np.testing.assert_allclose(levelled(signal * np.float32(gain)), levelled(signal), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 799, 800, 801])
def test_silence_and_short_sound_are_levelled_without_harm(count: int) -> None:
    assert np.isfinite(levelled(np.zeros(count, np.float32))).all()
    assert np.isfinite(levelled(np.ones(count, np.float32))).all()
