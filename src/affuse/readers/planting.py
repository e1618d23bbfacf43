"""How the controlled corpus plants values in sequences: spans, markers, nuisance and decoys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.samples import PARTS, FloatArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class ModalityProfile(NamedTuple):
    """How a modality is rendered."""

    width: int  # features D
    rate: float  # steps a second
    persistence: float  # correlation of the nuisance between one step and the next
    wobble: float  # how far a step may start late, in steps; words are irregular, frames are not


PROFILES = {
    "text": ModalityProfile(width=16, rate=2.3, persistence=0.5, wobble=0.4),
    "audio": ModalityProfile(width=12, rate=15.0, persistence=0.9, wobble=0.0),
    "vision": ModalityProfile(width=10, rate=10.0, persistence=0.85, wobble=0.0),
}

AFFECT = 3.0  # affect lies in [-AFFECT, AFFECT]
_SHAPE = 1.5  # of the beta distribution that it is drawn from, on both sides
DURATION = (2.8, 5.8)  # seconds
_TEMPO = (0.96, 1.03)  # keeps the number of steps from being the duration in disguise
_SLOTS = 6  # a sequence has at most one span in each sixth
_NUISANCE, _NUISANCE_VALUE = 0.5, 1.5  # standard deviations; the latter is that of y
_MARKER = 3.0


class Directions(NamedTuple):
    """Orthonormal directions `(D,)` in the features of a modality."""

    marker: Floats
    value: Floats
    decoy: Floats


class Spans(NamedTuple):
    """First step and the one after the last, which are salient, which decoys: `(N, slots)`."""

    begin: Ints
    end: Ints
    salient: Bools
    decoy: Bools


class Rendered(NamedTuple):
    """One modality of N samples: padded `(N, T, D)`, times `(N, T)`, lengths `(N,)`, spans.

    `shown` `(N,)` is the mean value of the salient steps, which differs from what is carried by an
    error whose standard deviation is `blur` `(N,)`.
    """

    frames: FloatArray
    times: FloatArray
    lengths: Ints
    spans: Spans
    shown: Floats
    blur: Floats


def generator(seed: int, *key: int) -> np.random.Generator:
    """Random numbers of its own for each key."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def directions(seed: int) -> dict[str, Directions]:
    """Modality to the directions in which the corpus of this seed shows markers and values."""
    found = {}
    for column, (modality, profile) in enumerate(PROFILES.items()):
        rng = generator(seed, len(PARTS), column)
        basis, _ = np.linalg.qr(rng.normal(size=(profile.width, 3)))
        found[modality] = Directions(*basis.T)
    return found


def draw_affect(rng: np.random.Generator, count: int) -> Floats:
    """Values in [-3, 3] with a standard deviation of 1.5, about that of CMU-MOSI."""
    return 2 * AFFECT * rng.beta(_SHAPE, _SHAPE, count) - AFFECT


def affect_density(value: Floats) -> Floats:
    """How likely `draw_affect` draws each value; 0 outside its range."""
    # The beta function of (1.5, 1.5) is pi / 8.
    inside = np.clip(1 - (value / AFFECT) ** 2, 0.0, None) / 4
    return np.asarray(np.sqrt(inside) * 8 / np.pi / (2 * AFFECT))


def render_modality(
    rng: np.random.Generator,
    profile: ModalityProfile,
    axes: Directions,
    carried: Floats,
    noise: Floats,
    duration: Floats,
) -> Rendered:
    """Sequences of one modality that show what it carries; the nuisance comes from `rng`.

    Args:
        carried: `(N,)`.
        noise: how unclean the spans look, `(N,)`.
        duration: seconds, `(N,)`, long enough for one step a slot.
    """
    count, width = len(carried), profile.width
    lengths = (duration * profile.rate * rng.uniform(*_TEMPO, count)).astype(np.int64)
    steps = int(lengths.max())
    spans = _place(rng, lengths)

    frames = _nuisance(rng, (count, steps, width), profile.persistence, axes.value)
    jitter = rng.normal(size=(count, steps, width))
    contrast = _MARKER / (1 + noise / 2)
    salient = np.outer(contrast, axes.marker) + np.outer(carried, axes.value)
    decoy = _MARKER * axes.decoy + np.outer(draw_affect(rng, count), axes.value)
    rough = 0.05 + 0.35 * noise
    drawn = (spans.salient, salient, rough[:, None, None]), (spans.decoy, decoy, 0.2)
    for which, mean, scale in drawn:
        inside = _steps_inside(spans, which, steps)[:, :, None]
        frames = np.where(inside, mean[:, None, :] + scale * jitter, frames)
    tells = _steps_inside(spans, spans.salient, steps)
    told = tells.sum(axis=1)
    shown = ((frames @ axes.value) * tells).sum(axis=1) / told

    onset = np.arange(steps) + profile.wobble * rng.random((count, steps)) * (np.arange(steps) > 0)
    times = onset * (duration / lengths)[:, None]
    seen = frames.astype(np.float32), times.astype(np.float32)
    return Rendered(*seen, lengths, spans, shown, rough / np.sqrt(told))


def _place(rng: np.random.Generator, lengths: Ints) -> Spans:
    """One to three salient spans and one or two decoys, each within a slot of its own."""
    count, shape = len(lengths), (len(lengths), _SLOTS)
    edges = lengths[:, None] * np.arange(_SLOTS + 1) // _SLOTS
    room = np.diff(edges, axis=1)
    extent = np.maximum(1, (room * rng.uniform(0.4, 0.9, shape)).astype(np.int64))
    begin = edges[:, :-1] + (rng.random(shape) * (room - extent + 1)).astype(np.int64)
    rank = rng.random(shape).argsort(axis=1)
    salient_count, decoy_count = rng.integers(1, 4, (count, 1)), rng.integers(1, 3, (count, 1))
    salient = rank < salient_count
    return Spans(begin, begin + extent, salient, ~salient & (rank < salient_count + decoy_count))


def _steps_inside(spans: Spans, which: Bools, steps: int) -> Bools:
    """Bool `(N, steps)`: the steps inside the spans that `which` `(N, slots)` selects."""
    step = np.arange(steps)
    inside = np.zeros((len(which), steps), dtype=np.bool_)
    for slot in range(_SLOTS):
        begin, end = spans.begin[:, slot, None], spans.end[:, slot, None]
        inside |= which[:, slot, None] & (step >= begin) & (step < end)
    return inside


def _nuisance(
    rng: np.random.Generator, shape: tuple[int, int, int], persistence: float, value: Floats
) -> Floats:
    """A stationary AR(1) process `(N, T, D)` that is strongest along `value`."""
    frames = rng.normal(size=shape)
    fresh = np.sqrt(1 - persistence**2)
    for step in range(1, shape[1]):
        frames[:, step] = persistence * frames[:, step - 1] + fresh * frames[:, step]
    along = (frames * value).sum(axis=2, keepdims=True) * value
    return np.asarray(_NUISANCE * frames + (_NUISANCE_VALUE - _NUISANCE) * along)
