"""The controlled corpus: samples whose truth is known, to test what a fusion model claims.

An affect y in [-3, 3] is carried by text, audio and vision, each in a few short salient spans
among nuisance. Which modality tells it best, how noisily, and how often another one contradicts
it are options; what was planted is in `Sample.truth`.

A frame of a salient span is `contrast * marker + carried * value + jitter`: the carried value
along one direction, next to a marker that tells the span from its surroundings. The nuisance
outside moves along the value direction as much as affect does, and decoy spans show a value next
to another marker, so an average over time says little: a model must find the spans. The noisier
the carried value, the weaker the marker and the stronger the jitter: how far a modality can be
trusted is visible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.readers import planting
from affuse.readers.optimum import Evidence, best_reading
from affuse.readers.planting import (
    AFFECT,
    PROFILES,
    Bools,
    Floats,
    Ints,
    Rendered,
    Spans,
    generator,
)
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import MODALITIES, PARTS, Corpus, Sample, Split
from affuse.tasks import Regression

# Standard deviations of what a modality carries about y, times the option `noise`: a perfect
# reader of the true modality has a mean absolute error of about 0.3, of another about 1.
TRUE_NOISE, OTHER_NOISE = 0.35, 1.3
# Where the truth is mixed, the others carry another draw of y; they look as noisy as this.
UNRELATED_NOISE = 2.5
# Where the truth is shared, each modality's error in each sample has a deviation of its own, drawn
# between these, evenly in its logarithm: the surest of three has 0.5 in the median.
SHARED_NOISE = 0.25, 2.5
# Below this a contradiction would be no contradiction.
LEAST_CONFLICT = 0.5
# A contradiction says as many times the opposite of y.
AGAINST = 0.8, 1.2


class ControlledOptions(Options):
    """Options of the generator `controlled`.

    Attributes:
        seed: of the data. The same seed gives the same arrays, bit for bit.
        truth: the modality that carries the affect best; or `mixed`: another one in each sample,
            drawn at random, while the other two carry nothing; or `shared`: all carry it, each
            with an error whose size differs from sample to sample.
        noise: scale of the errors of what the modalities carry.
        incongruent: share of samples of each part in which a modality that is not the true one
            contradicts it; where the truth is shared, any of the three.
        length: sequences are this many times as long.
    """

    seed: int = Field(0, ge=0)
    train: int = Field(600, ge=1)
    valid: int = Field(150, ge=1)
    test: int = Field(300, ge=1)
    truth: Literal["text", "audio", "vision", "mixed", "shared"] = "text"
    noise: float = Field(1.0, ge=0, le=10)
    incongruent: float = Field(0.2, ge=0, le=1)
    length: float = Field(1.0, ge=1, le=100)


@dataclass(frozen=True, slots=True)
class _Latents:
    """What N samples say, before any features: columns are text, audio and vision."""

    target: Floats  # y, `(N,)`
    duration: Floats  # seconds, `(N,)`
    primary: Ints  # column that carries y best, `(N,)`
    conflict: Bools  # whether a modality contradicts, `(N,)`
    conflicting: Ints  # its column, `(N,)`; drawn for every sample
    carried: Floats  # `(N, 3)`
    noise: Floats  # that the spans show, `(N, 3)`
    tells: Bools  # whether what is carried follows y, `(N, 3)`
    suspects: Bools  # whether it may contradict, `(N, 3)`


@register_corpus("controlled", ControlledOptions, needs_data=False)
def read_controlled(path: Path | None, options: ControlledOptions) -> Corpus:
    """Generated: affect in [-3, 3] planted in short spans of text, audio and vision.

    `Sample.truth` has `primary` (the true modality), `carried` (modality to value), `spans`
    (modality to pairs of first step and the one after the last), `conflict`, `conflicting` (the
    modality that contradicts, or None), `noise` (modality to the noise that its spans show) and
    `best` (what the best possible reader answers, `affuse.readers.optimum`). Nothing is read: the
    path is None.
    """
    if path is not None:
        problem = "corpus 'controlled' is generated and reads no data"
        raise InputError(problem, remedy="leave the path out", source=path)
    parts = {part: _part(part, options) for part in PARTS}
    return Corpus(
        name=corpus_name("controlled", options, always=("truth",)),
        task=Regression(-AFFECT, AFFECT),
        widths={m: profile.width for m, profile in PROFILES.items()},
        folds=(Split(**parts),),
        options=options.model_dump(),
        features={m: f"controlled-{profile.width}" for m, profile in PROFILES.items()},
    )


def _part(part: str, options: ControlledOptions) -> list[Sample]:
    count, number = getattr(options, part), PARTS.index(part)
    latents = _draw_latents(generator(options.seed, number, len(PROFILES)), count, options)
    axes = planting.directions(options.seed)
    rendered = {
        modality: planting.render_modality(
            generator(options.seed, number, column),
            profile,
            axes[modality],
            carried=latents.carried[:, column],
            noise=latents.noise[:, column],
            duration=latents.duration,
        )
        for column, (modality, profile) in enumerate(PROFILES.items())
    }
    best = _best(latents, list(rendered.values()), options)
    return [_sample(f"{part}/{row}", row, latents, rendered, best[row]) for row in range(count)]


def _best(latents: _Latents, rendered: list[Rendered], options: ControlledOptions) -> Floats:
    """What the best possible reader answers, `(N,)`."""
    blur = np.stack([r.blur for r in rendered], axis=1)
    return best_reading(
        Evidence(
            shown=np.stack([r.shown for r in rendered], axis=1),
            spread=np.hypot(latents.noise, blur),
            blur=blur,
            tells=latents.tells,
            suspects=latents.suspects,
            incongruent=options.incongruent,
            least=LEAST_CONFLICT,
            against=AGAINST,
        )
    )


def _draw_latents(rng: np.random.Generator, count: int, options: ControlledOptions) -> _Latents:
    # Everything is drawn whatever the options, so that one option changes only what it names.
    target = planting.draw_affect(rng, count)
    unrelated = planting.draw_affect(rng, 3 * count).reshape(count, 3)
    error = rng.normal(size=(count, 3))
    drawn, step = rng.integers(0, 3, count), rng.integers(1, 3, count)
    against, order = rng.uniform(*AGAINST, count), rng.permutation(count)
    duration = rng.uniform(*planting.DURATION, count) * options.length
    low, high = map(math.log, SHARED_NOISE)
    error_size = np.exp(rng.uniform(low, high, (count, 3)))

    if options.truth == "shared":
        noise, suspects = error_size * options.noise, np.ones((count, 3), np.bool_)
        primary, conflicting = noise.argmin(axis=1), drawn
        tells = suspects
    else:
        mixed = options.truth == "mixed"
        primary = drawn if mixed else np.full(count, MODALITIES.index(options.truth))
        conflicting = (primary + step) % 3
        true = np.arange(3) == primary[:, None]
        other = UNRELATED_NOISE * max(options.noise, 1.0) if mixed else OTHER_NOISE * options.noise
        noise = np.where(true, TRUE_NOISE * options.noise, other)
        tells, suspects = true | (not mixed), ~true

    conflict = order < round(options.incongruent * count)
    strong = LEAST_CONFLICT + np.abs(target) * (1 - LEAST_CONFLICT / AFFECT)
    target = np.where(conflict, np.copysign(strong, target), target)
    carried = np.where(tells, target[:, None] + noise * error, unrelated)
    contradicts = conflict[:, None] & (np.arange(3) == conflicting[:, None])
    carried = np.where(contradicts, -(target * against)[:, None], carried)
    return _Latents(
        target, duration, primary, conflict, conflicting, carried, noise, tells, suspects
    )


def _sample(
    name: str, row: int, latents: _Latents, rendered: dict[str, Rendered], best: float
) -> Sample:
    conflict = bool(latents.conflict[row])
    truth: dict[str, Any] = {
        "primary": MODALITIES[latents.primary[row]],
        "carried": dict(zip(MODALITIES, latents.carried[row].tolist(), strict=True)),
        "spans": {m: _salient_spans(r.spans, row) for m, r in rendered.items()},
        "conflict": conflict,
        "conflicting": MODALITIES[latents.conflicting[row]] if conflict else None,
        "noise": dict(zip(MODALITIES, latents.noise[row].tolist(), strict=True)),
        "best": [float(best)],
    }
    return Sample(
        name,
        {m: r.frames[row, : r.lengths[row]] for m, r in rendered.items()},
        latents.target[row : row + 1].astype(np.float32),
        {m: r.times[row, : r.lengths[row]] for m, r in rendered.items()},
        truth=truth,
    )


def _salient_spans(spans: Spans, row: int) -> list[tuple[int, int]]:
    begin, end = (edge[row, spans.salient[row]].tolist() for edge in (spans.begin, spans.end))
    return list(zip(begin, end, strict=True))
