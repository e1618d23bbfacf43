"""RAVDESS: eight emotions, acted in two fixed sentences by 24 actors.

Livingstone and Russo (2018), "The Ryerson Audio-Visual Database of Emotional Speech and Song",
PLoS ONE 13(5). A clip's name tells modality-channel-emotion-intensity-statement-repetition-actor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from affuse.errors import InputError
from affuse.extract.cache import FeatureCache
from affuse.extract.text import TextOptions, encode_corpus
from affuse.extract.voice import descriptors
from affuse.extract.voice.descriptors import VOICED, functionals, pool_frames
from affuse.extract.voice.recordings import speech_of, voices_of
from affuse.extract.voice.whisper import speech_name
from affuse.readers.npz import load_arrays
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import PARTS, Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import Classification

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
FOLDS = 4
VISION = "OpenFace action units, clip means"
_FACES = "au_mfcc.npz"
# 03 is sound alone, 01 speech (02 is song, in which fewer emotions occur).
_SPEECH = re.compile(r"03-01-(0[1-8])-0[12]-(0[12])-0[12]-(\d\d)")


class RavdessOptions(TextOptions):
    """Options of the reader `ravdess`."""

    fold: int | None = Field(
        default=None, ge=0, lt=FOLDS, description="take one fold; by default all four"
    )
    cepstra: int = Field(
        default=20, ge=0, le=39, description="mel cepstra to add to the voice descriptors"
    )
    audio: Literal["frames", "functionals", "speech", "summary"] = Field(
        default="frames",
        description="voice descriptors every 10 ms (frames) or their statistics (functionals), "
        "the states of a speech encoder every 20 ms (speech), or the statistics of both (summary)",
    )
    pool: int = Field(
        default=1, ge=1, le=100, description="consecutive frames or states averaged into one step"
    )
    trim: bool = Field(default=True, description="cut the silence at both ends of each clip")


@register_corpus("ravdess", RavdessOptions)
def read_ravdess(path: Path, options: RavdessOptions) -> Corpus:
    """RAVDESS speech: 8 acted emotions from face and voice, 1440 clips, 4 folds over actors.

    Audio is what the option `audio` says, vision one step of 35 action units (absent where a clip
    has none), text one of the two sentences, which says nothing of the emotion. A group is an
    actor. Of the sorted actors, fold k tests every fourth from k on; three of the others validate.
    Reading the sound takes minutes the first time and is cached.

    The path is the folder that holds the clips below audio/, flac or wav, and au_mfcc.npz.
    """
    clips = speech_clips(path / "audio")
    faces = _action_units(path / _FACES)
    cache = FeatureCache()
    voices = _voices(clips, cache, options)
    extractor = options.extractor()
    statements = encode_corpus(STATEMENTS, extractor, cache)
    samples = [
        _sample(clip.stem, voice, faces.get(clip.stem), statements)
        for clip, voice in zip(clips, voices, strict=True)
    ]
    folds = actor_folds(samples, path)
    return Corpus(
        name=corpus_name("ravdess", options),
        task=Classification(EMOTIONS),
        widths=widths_of(samples),
        folds=folds if options.fold is None else (folds[options.fold],),
        options=options.model_dump(),
        features={"text": extractor.name, "audio": _audio_name(options), "vision": VISION},
    )


def speech_clips(folder: Path) -> list[Path]:
    """The clips below a folder in the order of their names, each once.

    Raises:
        InputError: there is none, or two of one name that are not copies.
    """
    files = (f for f in folder.rglob("03-01-*") if f.suffix.lower() in (".flac", ".wav"))
    clips = sorted(files, key=lambda file: file.stem)
    if not clips:
        remedy = "give the folder whose audio/ has files such as 03-01-01-01-01-01-01.flac"
        raise InputError("holds no RAVDESS speech clips", remedy=remedy, source=folder)
    for clip in clips:
        if not _SPEECH.fullmatch(clip.stem):
            raise InputError("is not named as RAVDESS clips are", remedy="remove it", source=clip)
    named: dict[str, Path] = {}
    for clip in clips:
        first = named.setdefault(clip.stem, clip)
        # The corpus goes round with all of its folders inside itself once more.
        if first is not clip and first.read_bytes() != clip.read_bytes():
            problem = f"is another clip than {first}, of the same name"
            raise InputError(problem, remedy="remove one of them", source=clip)
    return list(named.values())


def _voices(
    clips: Sequence[Path], cache: FeatureCache, options: RavdessOptions
) -> list[FloatArray]:
    """The audio modality `(T, D)` of each clip."""
    if options.audio == "speech":
        return [pool_frames(states, options.pool) for states in speech_of(clips, cache)]
    frames = voices_of(clips, cache, cepstra=options.cepstra, trim=options.trim)
    if options.audio == "frames":
        return [pool_frames(each, options.pool) for each in frames]
    statistics = [functionals(each, each[:, VOICED])[None] for each in frames]
    if options.audio == "functionals":
        return statistics
    # The encoder's states are clean enough for the plain moments.
    moments = (np.hstack([s.mean(axis=0), s.std(axis=0)])[None] for s in speech_of(clips, cache))
    return [np.hstack(pair) for pair in zip(statistics, moments, strict=True)]


def _audio_name(options: RavdessOptions) -> str:
    frames = descriptors.voice_name(cepstra=options.cepstra, trim=options.trim)
    statistics = f"{descriptors.FUNCTIONALS}: {frames}"
    return {
        "frames": frames,
        "functionals": statistics,
        "speech": speech_name(),
        "summary": f"{statistics}; mean and deviation of {speech_name()}",
    }[options.audio]


def _action_units(file: Path) -> dict[str, FloatArray]:
    """The action units `(35,)` of each take, by the id of its sound."""
    if not file.is_file():
        remedy = f"put {_FACES} beside the folder audio"
        raise InputError("no such file", remedy=remedy, source=file)
    arrays = load_arrays(file, {"ids": "U", "au": "fiu"})
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and no face
        ids, units = arrays["ids"], arrays["au"].astype(np.float32)
    if (ids.ndim, units.ndim) != (1, 2):
        problem = f"has ids of shape {ids.shape} and action units of shape {units.shape}"
        raise InputError(problem, remedy="give one row an id", source=file)
    # 01 is the take on video with sound, 03 its sound alone.
    return {f"03{str(take)[2:]}": row for take, row in zip(ids, units, strict=True)}


def _sample(
    clip: str, voice: FloatArray, units: FloatArray | None, statements: Sequence[FloatArray]
) -> Sample:
    _, _, emotion, _, statement, _, actor = clip.split("-")
    said = int(statement) - 1
    sequences = {"text": statements[said], "audio": voice}
    if units is not None and np.isfinite(units).all():
        sequences["vision"] = units[None]
    target = np.array([int(emotion) - 1], dtype=np.float32)
    return Sample(clip, sequences, target, group=actor, text=STATEMENTS[said])


def actor_folds(samples: Sequence[Sample], source: Path) -> tuple[Split, ...]:
    """Four splits with no actor in two parts of one; `InputError` for fewer than four actors."""
    actors = sorted({sample.group or "" for sample in samples})
    if len(actors) < FOLDS:
        remedy = f"give at least {FOLDS}, so that each fold can test on actors of its own"
        raise InputError(f"has clips of {len(actors)} actors", remedy=remedy, source=source)
    folds = []
    for number in range(FOLDS):
        part_of = dict.fromkeys(actors, "train") | dict.fromkeys(actors[number::FOLDS], "test")
        # Actors alternate by sex; a step of seven meets both sexes and all ends of the list.
        others = [actor for actor in actors if part_of[actor] == "train"]
        part_of |= dict.fromkeys(others[1::7], "valid")
        parts = ([s for s in samples if part_of[s.group or ""] == part] for part in PARTS)
        folds.append(Split(*parts))
    return tuple(folds)
