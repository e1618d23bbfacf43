"""Several answers as one: their mean, by the length of windows or by other weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affuse.runtime.answers import Answer, Trust, WindowAnswer

_HEARD = frozenset({"text", "audio"})


def mean_answer(windows: Sequence[WindowAnswer]) -> Answer:
    """The mean of answers, each by the length of its window; the primary is that of most weight.

    Where somebody speaks in some, what lies between says nothing.
    """
    spoken = [w for w in windows if any(_HEARD & t.gate.keys() for t in w.answer.trust.values())]
    return weighted_answer([(max(w.end - w.start, 1e-3), w.answer) for w in spoken or windows])


def weighted_answer(spans: Sequence[tuple[float, Answer]]) -> Answer:
    """The mean of answers by weights; the primary is the modality of most weight."""
    sentiment = _mean([(s, a.sentiment) for s, a in spans])
    told_intervals = [(s, a.interval) for s, a in spans if a.interval is not None]
    low, high = (_mean([(s, i[side]) for s, i in told_intervals]) for side in (0, 1))
    interval = None if low is None or high is None else (low, high)
    told = [(s, a.emotion) for s, a in spans if a.emotion is not None]
    emotion = _mean_of_dicts(told) if told else None
    several = [(s, a.values) for s, a in spans if a.values is not None]
    values = _mean_of_dicts(several) if several else None
    trusts: dict[str, list[tuple[float, Trust]]] = {}
    for span, answer in spans:
        for name, trust in answer.trust.items():
            trusts.setdefault(name, []).append((span, trust))
    trusted = {name: _mean_trust(t) for name, t in trusts.items()}
    conflict = _mean([(s, a.conflict) for s, a in spans])
    return Answer(sentiment, emotion, trusted, interval, conflict, values)


def _mean_trust(parts: Sequence[tuple[float, Trust]]) -> Trust:
    gate = _mean_of_dicts([(span, trust.gate) for span, trust in parts])
    conflict = _mean([(span, trust.conflict) for span, trust in parts])
    return Trust(gate, max(gate, key=gate.__getitem__), conflict)


def _mean(parts: Sequence[tuple[float, float | None]]) -> float | None:
    known = [(weight, value) for weight, value in parts if value is not None]
    total = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / total if known else None


def _mean_of_dicts(parts: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    total = sum(weight for weight, _ in parts)
    keys = dict.fromkeys(key for _, values in parts for key in values)
    return {key: sum(w * values.get(key, 0.0) for w, values in parts) / total for key in keys}
