"""The voice: sound decoded by PyAV, and acoustic descriptors every 10 ms.

The descriptors are those low-level descriptors of eGeMAPS (Eyben et al. 2016, "The Geneva
Minimalistic Acoustic Parameter Set", IEEE Transactions on Affective Computing 7(2)) that agree
with openSMILE's in the implementation used (afx-audio): all but formants, jitter and shimmer.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.voice import RATE, require_signal, triangles
from affuse.samples import FloatArray

NAME = "voice frames"
VERSION = 1
FUNCTIONALS = f"functionals of the {NAME} (mean, deviation, percentiles; all and voiced; changes)"
STATISTICS = 12
"""Functionals of each feature."""
HOP = 0.01
"""Seconds from one frame to the next."""
MEL_BANDS = 40
VOICED = 14
"""Column of the voiced flag, the last before the cepstra."""
VOICE_WIDTH = VOICED + 1

_FRAME = 0.02
_MEL_FRAME = 0.025
# The power of 16-bit rounding noise in one bin is a third of this.
_MEL_FLOOR = 1e-12
_SHORTEST = 0.1
_UNRELIABLE = re.compile(r"jitter|shimmer|F[123]")
# A clip's loudness in pauses is 1 to 3% of its range, that of soft speech 10% and more.
_SPEECH_LOUDNESS = 0.05
_MARGIN = 0.1
# Voicing is decided against an absolute level, at which softly recorded speech counts as unvoiced.
_PEAK = 0.5
_MOST_GAIN = 200.0
_LOUD = 0.1
# Noise so far below the loud stretches, in decibels, hides what a telephone or a codec cut away.
_FLOOR = 30.0
_FEWEST_VOICED = 5
_PERCENTILES = (10, 50, 90)
# How the two descriptors that depend on the gain do so: loudness compresses power by 0.33.
_GAIN_EXPONENTS = {"Loudness": 0.66, "spectralFlux": 1.0}


class VoiceFrames(NamedTuple):
    """Acoustic features of one recording."""

    features: FloatArray  # float32 `(T, D)`, T >= 1
    times: FloatArray  # float32 `(T,)`, the second at which each frame starts in the recording
    names: tuple[str, ...]  # D names of the features


def voice_name(*, cepstra: int = 0, trim: bool = False) -> str:
    """The name of the features that `voice_frames` returns with these options."""
    parts = [f"{NAME} (eGeMAPS descriptors, 10 ms)"]
    parts += [f"{cepstra} mel cepstra"] if cepstra else []
    parts += ["trimmed"] if trim else []
    return ", ".join([*parts, f"v{VERSION}"])


def read_audio(path: Path) -> tuple[FloatArray, int]:
    """The first audio stream of a media file, float32 `(N,)`, full scale 1, and its rate, 16000 Hz.

    Channels are averaged.

    Raises:
        InputError: no such file, not media, no sound in it, damaged, or shorter than 0.1 s.
    """
    if not path.is_file():
        raise InputError("no such file", remedy="check the path", source=path)
    if path.stat().st_size == 0:
        raise InputError("is empty", remedy="give a recording", source=path)
    import av

    try:
        signal = _decode(av, path)
    except (av.error.FFmpegError, ValueError) as error:
        problem = f"cannot be read as audio or video ({getattr(error, 'strerror', error)})"
        remedy = "give a whole media file, such as wav, flac, mp3 or mp4"
        raise InputError(problem, remedy=remedy, source=path) from None
    if signal is None:
        raise InputError("has no sound", remedy="give a file with an audio stream", source=path)
    if not np.isfinite(signal).all():
        raise InputError("has samples that are not finite", remedy="export it anew", source=path)
    if len(signal) < _SHORTEST * RATE:
        remedy = f"give at least {_SHORTEST:g} s"
        raise InputError(f"has {len(signal) / RATE:.3f} s of sound", remedy=remedy, source=path)
    return signal, RATE


def _decode(av: Any, path: Path) -> FloatArray | None:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        # Channels are averaged here: the resampler's own mix makes stereo louder than mono.
        resampler = av.AudioResampler(format="fltp", rate=RATE)
        pieces = [np.zeros(0, np.float32)]
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray().mean(axis=0) for piece in resampler.resample(frame)]
        # A resampler that never saw a frame has nothing to flush and says so by an error.
        if len(pieces) > 1:
            pieces += [piece.to_ndarray().mean(axis=0) for piece in resampler.resample(None)]
    return np.concatenate(pieces)


def voice_frames(
    signal: FloatArray, rate: int, *, cepstra: int = 0, trim: bool = False
) -> VoiceFrames:
    """Acoustic descriptors every 10 ms.

    The first columns are the spectral descriptors (loudness first), then F0 in semitones above
    27.5 Hz, the harmonics-to-noise ratio and the harmonic differences, which are 0 where the frame
    is unvoiced, and `voiced` (0 or 1), which tells that 0 from a measured one.

    The signal is `(N,)`, full scale 1, mono, finite, at least 20 ms; else `InputError`. `cepstra`
    mel-frequency cepstral coefficients of 40 log-mel bands up to 8 kHz in 25 ms windows are
    appended. To trim is to leave out silence at both ends but for a margin of 0.1 s.
    """
    require_signal(signal, _FRAME * rate)
    features, names = _descriptors(signal, rate)
    if cepstra:
        from scipy.fft import dct

        bands = _log_mel(signal, rate, MEL_BANDS, len(features))
        features = np.hstack([features, dct(bands, norm="ortho")[:, 1 : cepstra + 1]])
        names += tuple(f"cepstrum{n + 1}" for n in range(cepstra))
    times = np.arange(len(features)) * HOP
    keep = _speech(features[:, 0]) if trim else slice(None)
    chosen = np.ascontiguousarray(features[keep], dtype=np.float32)
    return VoiceFrames(chosen, times[keep].astype(np.float32), names)


def levelled(signal: FloatArray) -> FloatArray:
    """Sound whose loud stretches have a root mean square of 0.1, whatever the microphone's gain.

    Loud are the highest tenth of its stretches of 50 ms. Near silence is raised by 60 dB at most.
    """
    stretch = RATE // 20
    whole = signal[: len(signal) // stretch * stretch] if len(signal) >= stretch else signal
    power = np.square(whole.reshape(-1, min(stretch, len(whole)))).mean(axis=1)
    loud = float(np.sqrt(np.percentile(power, 95)))
    return signal * np.float32(_LOUD / max(loud, _LOUD / 1000))


def floored(signal: FloatArray) -> FloatArray:
    """Levelled sound over white noise 30 dB below its loud stretches, the same for every signal.

    Bands that a telephone, a codec or a filter left empty are then as loud as quiet ones elsewhere.
    Without it their logarithms lie far below those of any room, and shift all cepstra: of 120 clips
    of actors it was not fitted on, a logistic regression left 26% in their class at 8 kHz, and 89%
    with it; it was right as often on the clips as they were.
    """
    noise = np.random.default_rng(0).standard_normal(len(signal), dtype=np.float32)
    return signal + np.float32(_LOUD * 10 ** (-_FLOOR / 20)) * noise


def _descriptors(signal: FloatArray, rate: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The descriptors of the signal as it is, but with voicing decided at a fixed level."""
    egemaps = _egemaps()
    gain = _PEAK / max(float(np.abs(signal).max()), _PEAK / _MOST_GAIN)
    table = egemaps.extract_egemaps_lld(signal * gain, rate)["egemaps_lld"]
    rows = {
        name.partition("_")[0]: row
        for name, row in zip(egemaps.EGEMAPS_LLD_NAMES, table, strict=True)
        if not _UNRELIABLE.search(name)
    }
    for name, exponent in _GAIN_EXPONENTS.items():
        rows[name] = rows[name] / gain**exponent
    voiced = np.isfinite(rows["F0semitoneFrom27.5Hz"])
    columns = [*(np.nan_to_num(row, nan=0.0) for row in rows.values()), voiced]
    return np.stack(columns, axis=1), (*rows, "voiced")


@cache
def _egemaps() -> Any:
    """afx-audio's descriptors in a copy of the module that leaves jitter and shimmer out.

    Nothing here reads them, and to mark each period of the voice takes half of the time, in Python.
    The copy keeps the module as it is for others; a version without that function does all again.
    """
    spec = find_spec("afx_audio.extractors.egemaps")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    if hasattr(module, "_jitter_shimmer"):
        vars(module)["_jitter_shimmer"] = lambda *call: (0 * call[-1],) * 2
    return module


def _log_mel(signal: FloatArray, rate: int, bands: int, frames: int) -> NDArray[Any]:
    """Log power in triangular mel bands, `(frames, bands)`; a full-scale sine has power 1/4."""
    length, hop = round(_MEL_FRAME * rate), round(HOP * rate)
    padded = np.pad(signal, (0, max(0, (frames - 1) * hop + length - len(signal))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][:frames]
    taper = np.hanning(length)
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(windows * taper, size) / taper.sum()
    power: NDArray[Any] = (spectrum.real**2 + spectrum.imag**2) @ _mel_filters(rate, bands, size).T
    return np.log(power + _MEL_FLOOR)


@cache
def _mel_filters(rate: int, bands: int, size: int) -> NDArray[Any]:
    """Triangles of height 1, equally spaced on O'Shaughnessy's mel scale, `(bands, bins)`."""
    top = 2595 * np.log10(1 + min(8000, rate / 2) / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(size, 1 / rate)
    return triangles(edges, bins)


def _speech(loudness: NDArray[Any]) -> slice:
    """From the first to the last loud frame, with a margin."""
    quiet, loud = loudness.min(), loudness.max()
    heard = np.flatnonzero(loudness >= quiet + _SPEECH_LOUDNESS * (loud - quiet))
    margin = round(_MARGIN / HOP)
    return slice(max(0, heard[0] - margin), heard[-1] + 1 + margin)


def functionals(frames: FloatArray, voiced: FloatArray) -> FloatArray:
    """Statistics over time of every feature, float32 `(12 * D,)`.

    Mean, standard deviation and the 10th, 50th and 90th percentile over all frames, then the same
    over the voiced ones, as eGeMAPS separates them (Eyben et al. 2016, section 3.2), then the
    deviation and the mean size of the change from frame to frame.

    Args:
        frames: `(T, D)`, T >= 1.
        voiced: `(T,)`, above one half where voiced. With fewer than 5 such frames, all count.
    """
    chosen = frames[voiced > 0.5]
    if len(chosen) < _FEWEST_VOICED:
        chosen = frames
    change = np.diff(frames, axis=0) if len(frames) > 1 else np.zeros_like(frames)
    parts = [*_moments(frames), *_moments(chosen), change.std(axis=0), np.abs(change).mean(axis=0)]
    return np.concatenate(parts).astype(np.float32)


def pool_frames(frames: FloatArray, count: int) -> FloatArray:
    """Means of `count` consecutive frames, `(ceil(T / count), D)`; the last may have fewer."""
    if count == 1:
        return frames
    starts = np.arange(0, len(frames), count)
    sizes = np.diff(np.append(starts, len(frames)))
    sums = np.add.reduceat(frames, starts, axis=0, dtype=np.float64)
    return (sums / sizes[:, None]).astype(np.float32)


def _moments(frames: FloatArray) -> list[FloatArray]:
    percentiles = np.percentile(frames, _PERCENTILES, axis=0)
    return [frames.mean(axis=0), frames.std(axis=0), *percentiles]
