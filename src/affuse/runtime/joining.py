"""What several checkpoints say of one sample, as one answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter

import numpy as np

from affuse.runtime.answers import Answer, Trust
from affuse.runtime.bundle import Outputs, Session, named
from affuse.runtime.contradiction import conflict_of
from affuse.tasks import BinaryLabels, Regression, Values


def joined(said: Sequence[tuple[Session, Collection[str], Outputs]]) -> Answer:
    """What several checkpoints say of one sample, with the modalities that each of them read."""
    sentiment: float | None = None
    interval: tuple[float, float] | None = None
    emotion: dict[str, float] | None = None
    values: dict[str, float] | None = None
    trust: dict[str, Trust] = {}
    conflicts: list[tuple[float, float]] = []
    for session, present, outputs in said:
        there = named(m for m in session.modalities if m in present)
        logits = outputs.prediction.astype(np.float64)
        if isinstance(session.task, Regression):
            if sentiment is None:
                sentiment = float(session.task.decode(logits)[0, 0])
                interval = _around(sentiment, session, there)
        elif isinstance(session.task, Values):
            decoded = session.task.decode(logits)[0]
            values = values or dict(zip(session.task.names, decoded.tolist(), strict=True))
        elif emotion is None:
            decoded = session.task.decode(logits / session.config.temperature.get(there, 1.0))[0]
            # Of a binary label, the second output is yes.
            yes = decoded[1::2] if isinstance(session.task, BinaryLabels) else decoded
            labels: tuple[str, ...] = session.config.task["labels"]
            emotion = {label: float(p) for label, p in zip(labels, yes, strict=True)}
        trust[session.config.name] = trusted = _trust(session, there, outputs)
        if trusted.conflict is not None:
            conflicts.append((session.config.conflict_auroc(there), trusted.conflict))
    # Of equals the first.
    _, conflict = max(conflicts, key=itemgetter(0), default=(0.0, None))
    return Answer(sentiment, emotion, trust, interval, conflict, values)


def _trust(session: Session, there: str, outputs: Outputs) -> Trust:
    """What a checkpoint trusted of a sample that has the modalities `there`."""
    gate = dict(zip(session.modalities, map(float, outputs.gate[0]), strict=True))
    primary, config = session.modalities[int(outputs.primary[0])], session.config
    several = len(session.modalities) > 1 and config.tells_conflict(there)
    if outputs.unimodal is None or not several:
        return Trust(gate, primary, None)
    own = session.task, outputs.unimodal, outputs.gate
    (conflict,) = conflict_of(*own, config.calibration(there), config.conflict_by)
    return Trust(gate, primary, conflict)


def _around(value: float, session: Session, there: str) -> tuple[float, float] | None:
    half, task = session.config.interval.get(there), session.task
    if half is None or not isinstance(task, Regression):
        return None
    return max(value - half, task.low), min(value + half, task.high)
