"""Acted voices of three corpora, for composed clips: clean, disturbed, and taken to each speaker.

RAVDESS (Livingstone and Russo 2018), nEMO (Christop 2024, Polish) and SAVEE (Haq and Jackson 2009).
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.errors import InputError
from affuse.extract.adaptation import Usual
from affuse.extract.cache import FeatureCache
from affuse.extract.features import ClipFeatures
from affuse.extract.voice import RATE
from affuse.extract.voice.descriptors import read_audio
from affuse.extract.voice.recordings import features_of
from affuse.readers.composed_sources import Piece, labelled
from affuse.readers.ravdess import EMOTIONS as ACTED
from affuse.readers.ravdess import actor_folds, speech_clips
from affuse.samples import FloatArray, Sample

_SEED = 0
# What learns from these voices hears as many taken to their speaker as not.
_FEWEST = 5


class Take(NamedTuple):
    """A recording of one utterance, in part `part`."""

    file: Path
    part: str
    label: str
    speaker: str


def _ravdess(data: Path) -> Iterator[Take]:
    """The first fold divides the actors."""
    folder = data / "ravdess"
    clips = speech_clips(folder / "audio")
    actors = [Sample(id=c.stem, sequences={}, group=c.stem.rpartition("-")[2]) for c in clips]
    parts = actor_folds(actors, folder)[0].parts()
    part_of = {s.id: part for part, samples in parts.items() for s in samples}
    for clip in clips:
        *_, emotion, _, _, _, actor = clip.stem.split("-")
        yield Take(clip, part_of[clip.stem], ACTED[int(emotion) - 1], f"ravdess {actor}")


def _listed(name: str, speaker: str, held: dict[str, str], data: Path) -> Iterator[Take]:
    """The recordings of a table `labels.csv`; `held` names the speakers that do not train."""
    folder = data / "voices" / name
    table = folder / "labels.csv"
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = [(row["id"], row["emotion"], row[speaker]) for row in csv.DictReader(lines)]
    except (OSError, KeyError, ValueError) as error:
        problem, remedy = f"cannot be read ({error})", f"give id, emotion and {speaker}"
        raise InputError(problem, remedy=remedy, source=table) from None
    for clip, emotion, who in rows:
        part = held.get(who, "train")
        yield Take(folder / f"{clip}.opus", part, emotion, f"{name} {who}")


VOICES: dict[str, Callable[[Path], Iterator[Take]]] = {
    "ravdess": _ravdess,
    "nemo": partial(_listed, "nemo", "speaker_id", {"TP0": "valid", "WR0": "test"}),
    "savee": partial(_listed, "savee", "speaker", {"JK": "valid", "KL": "test"}),
}


def acted_voices(
    data: Path, corpora: Sequence[str], extractor: ClipFeatures, *, polar: bool
) -> tuple[list[Piece], Usual]:
    """Voices of the corpora, and what their training part has in common.

    Each take comes as it is, and once more taken to its speaker by some of the speaker's other
    takes. Those that train come a second time as another microphone in another room would have
    them.
    """
    clean, disturbed = list[Piece](), list[Piece]()
    # Each corpus for itself, so that another choice of them finds what was heard before.
    for corpus in corpora:
        takes = list(VOICES[corpus](data))
        learnt = [take for take in takes if take.part == "train"]
        clean += _heard(f"voices of {corpus}", takes, extractor, disturbed=False)
        disturbed += _heard(f"voices of {corpus} disturbed", learnt, extractor, disturbed=True)
    usual = Usual.of([p.features for p in clean if p.part == "train"])
    rng = np.random.default_rng(_SEED)
    found = [piece for group in (clean, disturbed) for piece in _with_adapted(group, usual, rng)]
    return labelled(found, polar), usual


def _with_adapted(
    pieces: Sequence[Piece], usual: Usual, rng: np.random.Generator
) -> Iterator[Piece]:
    """Each piece, and again as after `n` takes of its speaker, 5 to all of them."""
    of_speaker: dict[str, list[Piece]] = {}
    for piece in pieces:
        of_speaker.setdefault(piece.group, []).append(piece)
    for own in of_speaker.values():
        features = [piece.features for piece in own]
        for row, piece in enumerate(own):
            yield piece
            most = len(own)
            count = min(most, round(_FEWEST * (most / _FEWEST) ** rng.uniform()))
            rows = {row, *rng.permutation(most)[:count].tolist()}
            shift = usual.shift([features[other] for other in rows])
            yield replace(piece, features=shift.apply(piece.features))


def _heard(
    label: str, takes: Sequence[Take], extractor: ClipFeatures, *, disturbed: bool
) -> list[Piece]:
    files = [take.file for take in takes]
    name = extractor.versions["audio"] + (f", disturbed v{DISTURBANCE}" if disturbed else "")
    hear = partial(_voice_features, extractor, disturbed=disturbed)
    with ProcessPoolExecutor() as pool:
        found = features_of(label, name, hear, files, FeatureCache(), pool)
    return [
        Piece(take.file.stem, take.part, take.label, features, take.speaker)
        for take, features in zip(takes, found, strict=True)
    ]


def _voice_features(extractor: ClipFeatures, file: Path, *, disturbed: bool) -> FloatArray:
    signal, _ = read_audio(file)
    if disturbed:
        signal = disturb_sound(signal, np.random.default_rng(zlib.crc32(file.stem.encode())))
    return extractor.voice_steps(signal)[0]


DISTURBANCE = 2
"""Of what `disturb_sound` does; it changes whenever sounds would."""


def disturb_sound(signal: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Sound as by another microphone in another room, up to 9 dB higher or lower at any pitch.

    Half are up to 8% faster or slower. Half have the echo of a room, which fades by 60 dB in 0.1 to
    0.6 s. Noise is 5 to 35 dB below the sound, white to brown. Half are then cut as by a telephone
    or a codec, below 20 to 350 Hz and above 3.3 to 7.5 kHz, and half have been through Opus.
    """
    often = rng.random(4) < 0.5
    if often[0]:
        signal = _at_speed(signal, rng.uniform(0.92, 1.08))
    if often[1]:
        signal = _echoed(signal, rng)
    spectrum = np.fft.rfft(signal)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(signal), 1 / RATE), 50.0) / 50.0)
    response = np.interp(octaves, np.arange(9.0), rng.uniform(-9, 9, 9))
    heard = np.fft.irfft(spectrum * 10 ** (response / 20), len(signal))
    colour = 2.0 ** (-octaves * rng.uniform(0, 1))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=len(signal))) * colour, len(signal))
    below = 10 ** (-rng.uniform(5, 35) / 20)
    mixed: FloatArray = (heard + noise * (below * heard.std() / noise.std())).astype(np.float32)
    if often[2]:
        mixed = _narrowed(mixed, rng)
    return _coded(mixed, round(rng.uniform(12_000, 48_000))) if often[3] else mixed


def _at_speed(signal: FloatArray, speed: float) -> FloatArray:
    count = len(signal)
    places = np.linspace(0, count - 1, round(count / speed))
    return np.interp(places, np.arange(count), signal).astype(np.float32)


def _echoed(signal: FloatArray, rng: np.random.Generator) -> FloatArray:
    fades, count = rng.uniform(0.1, 0.6), len(signal) + RATE
    seconds = np.arange(RATE) / RATE
    echo = rng.normal(size=RATE) * 10 ** (-3 * seconds / fades)
    echo *= rng.uniform(0.3, 1.0) / np.linalg.norm(echo)
    echo[0] = 1.0
    heard = np.fft.irfft(np.fft.rfft(signal, count) * np.fft.rfft(echo, count), count)
    return heard[: len(signal)].astype(np.float32)


def _narrowed(signal: FloatArray, rng: np.random.Generator) -> FloatArray:
    low, high = rng.uniform(20, 350), 3300 * (7500 / 3300) ** rng.uniform()
    pitch = np.fft.rfftfreq(len(signal), 1 / RATE)
    spectrum = np.fft.rfft(signal) * ((pitch >= low) & (pitch <= high))
    narrow: FloatArray = np.fft.irfft(spectrum, len(signal)).astype(np.float32)
    return narrow


def _coded(signal: FloatArray, rate: int) -> FloatArray:
    """Sound through Opus, at so many bits a second."""
    import av

    coded = io.BytesIO()
    peak = max(float(np.abs(signal).max()), 1e-6)
    with av.open(coded, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000)
        stream.bit_rate, stream.layout = rate, "mono"
        samples = (signal / peak * 0.9 * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = RATE
        for part in av.AudioResampler("s16", "mono", 48_000, 960).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    coded.seek(0)
    back = av.AudioResampler("flt", "mono", RATE)
    with av.open(coded, "r") as container:
        frames = [*container.decode(audio=0), None]
        heard = [part.to_ndarray()[0] for frame in frames for part in back.resample(frame)]
    return np.concatenate(heard)[: len(signal)] * np.float32(peak / 0.9)
