"""Single samples: what each modality says, where it is heard, and what attends to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from affuse.batches import collate
from affuse.extract.text import TextExtractor, TextKind, TextOptions
from affuse.fusion import FusionModel, FusionOutput, each_of
from affuse.incongruity.conflict import Conflict
from affuse.incongruity.hooks import BEFORE, block_ends, compressed
from affuse.incongruity.tendency import answer_name, tendency
from affuse.samples import Sample
from affuse.tasks import Continuous, Floats, Ints, Task, Values
from affuse.training.devices import AUTO, on_device

_SPECIAL = {"[CLS]": "start", "[SEP]": "end", "<s>": "start", "</s>": "end"}


@dataclass(frozen=True)
class AttentionMap:
    """What the steps of a target attend to in a source, a mean over heads and layers.

    Attributes:
        target, source: modalities.
        weights: `(T, S)`; each row sums to one.
        target_steps, source_steps: what the steps are: words, seconds, or numbers.
        target_times, source_times: when they begin, in seconds; empty where that is not known.
    """

    block: str
    target: str
    source: str
    weights: Floats
    target_steps: tuple[str, ...]
    source_steps: tuple[str, ...]
    target_times: tuple[float, ...] = ()
    source_times: tuple[float, ...] = ()


@dataclass(frozen=True)
class Case:
    """One sample.

    Attributes:
        why: it is shown.
        label, answer: in words.
        own: modality to what it says alone, likewise, by the model where it has heads for it, else
            by the readers.
        gate: modality to its weight; empty without a gate.
        steps: modality to its number of steps.
        ends: modality to the seconds at which it ends, where times are known.
        maps: of each crossmodal block.
    """

    id: str
    why: str
    text: str | None
    label: str
    answer: str
    own: Mapping[str, str]
    gate: Mapping[str, float]
    conflict: Conflict
    steps: Mapping[str, int]
    ends: Mapping[str, float]
    maps: tuple[AttentionMap, ...]


def case(
    model: FusionModel,
    task: Task,
    sample: Sample,
    conflict: Conflict,
    features: Mapping[str, str],
    why: str,
    device: str = AUTO,
) -> Case:
    """Look at one prepared sample with a target; why it is shown is told.

    Args:
        features: modality to the name of its features, which tells how its words became steps.
        device: on which the model works, by name.
    """
    assert sample.target is not None
    model.eval()
    with on_device(model, device) as place, torch.no_grad():
        output = model(collate([sample], model.modalities).to(place), detail=True)
    present = [m for m in model.modalities if m in sample.sequences]
    own = {m: in_words(task, np.array([v])) for m, v in conflict.values.items()}
    if output.unimodal is not None:
        rows = output.unimodal[0].cpu().numpy()
        own |= {m: in_words(task, rows[model.modalities.index(m)][None]) for m in present}
    gate = dict(zip(model.modalities, output.gate[0].cpu().tolist(), strict=True))
    return Case(
        sample.id,
        why,
        sample.text,
        label_in_words(task, sample.target),
        in_words(task, output.prediction.cpu().numpy()),
        own,
        gate if model.gated else {},
        conflict,
        {m: len(sequence) for m, sequence in sample.sequences.items()},
        {m: float(t[-1]) for m, t in sample.times.items() if len(t)},
        # Of members, the first is shown, with the gate that its blocks obeyed.
        tuple(_maps(model, sample, each_of(output)[0], features)),
    )


def in_words(task: Task, outputs: Floats) -> str:
    """Raw outputs `(1, C)` as people say them."""
    if isinstance(task, Continuous):
        form = "{:+z.2f}" if task.middle == 0 else "{:.2f}"
        values = [form.format(float(value)) for value in outputs[0]]
        if not isinstance(task, Values):
            return values[0]
        told = zip(task.names, values, np.isfinite(outputs[0]), strict=True)
        return ", ".join(f"{name} {value}" for name, value, known in told if known)
    return _named(task, tendency(task, outputs)[0])


def label_in_words(task: Task, target: Floats) -> str:
    """A target `(K,)`, likewise."""
    if isinstance(task, Continuous):
        return in_words(task, target[None])
    return _named(task, target.astype(np.int64))


def _named(task: Task, chosen: Ints) -> str:
    names = [answer_name(task, question, int(answer)) for question, answer in enumerate(chosen)]
    return ", ".join(name for name in names if not name.startswith("not ")) or "none"


def _maps(
    model: FusionModel, sample: Sample, output: FusionOutput, features: Mapping[str, str]
) -> list[AttentionMap]:
    attention, found = output.attention or {}, []
    for name in (k.removesuffix(BEFORE) for k in output.latents or {} if k.endswith(BEFORE)):
        layers = [w[0] for key, w in attention.items() if key == name or key.startswith(f"{name}.")]
        target, source = (int(end[0]) for end in block_ends(name, model, output))
        first, second = ends = model.modalities[target], model.modalities[source]
        if not layers or any(m not in sample.sequences for m in ends):
            continue
        weights = torch.stack(layers).mean(dim=(0, 1))
        rows, columns = (
            tuple(step_names(sample, m, size, features.get(m, "")))
            for m, size in zip(ends, _sizes(sample, output, ends, weights), strict=True)
        )
        seen = weights[: len(rows), : len(columns)].cpu().numpy()
        times = (
            step_times(sample, m, len(steps))
            for m, steps in zip(ends, (rows, columns), strict=True)
        )
        found.append(AttentionMap(name, first, second, seen, rows, columns, *times))
    return found


def _sizes(
    sample: Sample, output: FusionOutput, ends: Sequence[str], weights: torch.Tensor
) -> Iterator[int]:
    """Real steps of both streams, which may be compressed; weights are padded to the longest."""
    latents = output.latents or {}
    for axis, m in enumerate(ends):
        size = latents[m].shape[1] if m in latents else weights.shape[axis]
        mask = torch.ones(1, len(sample.sequences[m]), dtype=torch.bool)
        yield int(compressed(mask, size).sum())


def step_names(sample: Sample, modality: str, steps: int, feature: str) -> list[str]:
    """What each step of a stream is: words, seconds, or a place; it may be several of a sample's.

    Args:
        feature: the name of the modality's features.
    """
    count = len(sample.sequences[modality])
    words = _words(sample, modality, feature)
    places = _places(count, steps)
    if words is not None:
        return [" ".join(words[place : place + places.step]) for place in places]
    times = step_times(sample, modality, steps)
    return [f"{time:.1f} s" for time in times] or [str(place) for place in places]


def step_times(sample: Sample, modality: str, steps: int) -> tuple[float, ...]:
    """The second at which each step of a stream begins; none where that is not known."""
    count, times = len(sample.sequences[modality]), sample.times.get(modality)
    if times is None or len(times) != count:
        return ()
    return tuple(float(times[place]) for place in _places(count, steps))


def _places(count: int, steps: int) -> range:
    """At which of a sample's steps those of a stream begin, which may be several of them each."""
    stride = 1
    while stride * steps < count:
        stride *= 2
    return range(0, stride * steps, stride)


def _words(sample: Sample, modality: str, feature: str) -> list[str] | None:
    """A word or word piece for each of the sample's steps, where they are known."""
    if modality != "text" or not sample.text:
        return None
    count, words = len(sample.sequences[modality]), sample.text.split()
    kind = next((kind for begins, kind in _READ_BY.items() if feature.startswith(begins)), None)
    if kind is not None:
        tokens = _reader(kind).encode([sample.text])[0].tokens
        # A mark of E5 stands for the space before a word.
        words = [_SPECIAL.get(t, t.removeprefix("\u2581")) for t in tokens]
    return words if len(words) == count else None


_READ_BY: Mapping[str, TextKind] = {
    "minilm": "minilm",
    "multilingual-e5": "e5",
    "glove": "glove",
}


@cache
def _reader(kind: TextKind) -> TextExtractor:
    """What takes texts apart; to load it may take seconds, and cases are several."""
    return TextOptions(text=kind).extractor()
