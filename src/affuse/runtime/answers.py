"""What a predictor returns: the answer for a sample, and for a clip with its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from affuse.extract.account import Account
from affuse.extract.features import Faces
from affuse.extract.text.transcript import Word
from affuse.extract.whose_face import Whose
from affuse.files import to_strict_json
from affuse.shown import Shown

# What the likeliest emotion has more than the next where it stands out.
_STANDS_OUT = 0.1


class Trust(NamedTuple):
    """What one checkpoint trusted.

    Attributes:
        gate: modality to weight; they sum to one over what the sample has.
        primary: the modality that leads.
        conflict: in [0, 1], how far the modalities contradict each other (docs/predict.md); None
            where the model has no answers of each modality alone, or where the score was found not
            to tell conflicts.
    """

    gate: Mapping[str, float]
    primary: str
    conflict: float | None

    def to_dict(self) -> dict[str, Any]:
        conflict = _round(self.conflict)
        return {"gate": _rounded(self.gate), "primary": self.primary, "conflict": conflict}


@dataclass(frozen=True)
class Answer:
    """The answer for one sample.

    Attributes:
        sentiment: the value of a regression, in the range that its checkpoint was trained on; None
            where no checkpoint says one, or nothing was seen or heard.
        emotion: class to probability; likewise. Of several binary labels each has its own.
        interval: lowest and highest of an interval around `sentiment` that held four of five values
            when it was fitted; None where none was.
        trust: checkpoint to what it trusted; empty where there was nothing to go by.
        conflict: that of the checkpoint which tells conflicts best; None where none tells them.
        values: name to value where a checkpoint tells several, such as valence and arousal.
    """

    sentiment: float | None
    emotion: Mapping[str, float] | None
    trust: Mapping[str, Trust]
    interval: tuple[float, float] | None = None
    conflict: float | None = None
    values: Mapping[str, float] | None = None

    @property
    def top(self) -> str | None:
        """The likeliest emotion."""
        return max(self.emotion, key=self.emotion.__getitem__) if self.emotion else None

    @property
    def undecided(self) -> bool | None:
        """Whether no emotion stands out: the likeliest two are less than 0.1 apart."""
        if self.emotion is None or len(self.emotion) < 2:
            return None
        first, second, *_ = sorted(self.emotion.values(), reverse=True)
        return first - second < _STANDS_OUT

    @property
    def leading(self) -> Trust | None:
        """What the first checkpoint trusted."""
        return next(iter(self.trust.values()), None)

    def in_short(self) -> str:
        """Sentiment, other values, likeliest emotion and the modality that leads."""
        parts = [] if self.sentiment is None else [f"sentiment {self.sentiment:+.2f}"]
        parts += [f"{name} {value:+z.2f}" for name, value in (self.values or {}).items()]
        if self.emotion and (top := self.top) is not None:
            open_ = "undecided, " if self.undecided else ""
            parts.append(f"{open_}{top} {self.emotion[top]:.0%}")
        parts += [] if self.leading is None else [f"primary {self.leading.primary}"]
        return ", ".join(parts) or "nothing seen or heard"

    def to_dict(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"gate": {}, "primary": None, "conflict": None}
        content: dict[str, Any] = {
            "sentiment": _round(self.sentiment),
            "interval": None if self.interval is None else [_round(v) for v in self.interval],
            # Where no checkpoint tells any, answers stay as they were before there were such.
            **({} if self.values is None else {"values": _rounded(self.values)}),
            "emotion": None if self.emotion is None else _rounded(self.emotion),
            "undecided": self.undecided,
            **(self.leading.to_dict() if self.leading else nothing),
            "conflict": _round(self.conflict),
        }
        if len(self.trust) > 1:
            content["trust"] = {name: trust.to_dict() for name, trust in self.trust.items()}
        return content


class WindowAnswer(NamedTuple):
    """The answer for a stretch of a recording, in seconds from its start.

    Attributes:
        words: what is said in it.
        face: whose face it is about; None where none is seen.
        each: what each face says by itself, where that was asked for.
    """

    start: float
    end: float
    answer: Answer
    words: tuple[Word, ...]
    face: Whose | None = None
    each: tuple[WindowAnswer, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        content = {"start": round(self.start, 3), "end": round(self.end, 3)}
        face = {"face": None, "face_quality": None} if self.face is None else self.face.to_dict()
        return {**content, **self.answer.to_dict(), **face}


@dataclass(frozen=True, repr=False)
class ClipAnswer(Shown):
    """The answer for a recording.

    Attributes:
        file: as it was given.
        duration: in seconds.
        answer: the mean over the windows with speech, or else over all, by their length.
        checkpoint: names of the checkpoints.
        extractors: modality to the name and version of its extractor.
        account: what was read of it.
        adapted: to what features were adapted and by how many utterances, as `{"to": "recording",
            "utterances": 12}`; None where they were not.
        segment: from which second to which of its file was read; None for all of it. Other times
            are in seconds of the file too.
        faces: whether windows say what each face shows by itself (`all`).
    """

    file: str
    duration: float
    answer: Answer
    timeline: tuple[WindowAnswer, ...]
    checkpoint: tuple[str, ...]
    extractors: Mapping[str, str]
    account: Account = field(default_factory=Account)
    adapted: Mapping[str, Any] | None = None
    segment: tuple[float, float] | None = None
    faces: Faces = "one"

    def _summary(self) -> str:
        count = len(self.notices)
        told = f", {count} notice{'s' * (count > 1)}" if count else ""
        return f"{self.file!r}, {self.duration:.1f} s: {self.answer.in_short()}{told}"

    @property
    def notices(self) -> tuple[str, ...]:
        """What was lost, odd or guessed when it was read, a line each."""
        return tuple(self.account.notices)

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each window, for a data frame."""
        return [
            {
                "file": self.file,
                "start": w.start,
                "end": w.end,
                "sentiment": w.answer.sentiment,
                "sentiment_low": w.answer.interval and w.answer.interval[0],
                "sentiment_high": w.answer.interval and w.answer.interval[1],
                **{f"value_{name}": v for name, v in (w.answer.values or {}).items()},
                **{f"emotion_{name}": p for name, p in (w.answer.emotion or {}).items()},
                "primary": w.answer.leading and w.answer.leading.primary,
                "conflict": w.answer.conflict,
                "words": " ".join(word.text for word in w.words),
            }
            for w in self.timeline
        ]

    @property
    def words(self) -> tuple[Word, ...]:
        """What is said, in order; windows may overlap."""
        return tuple(dict.fromkeys(word for window in self.timeline for word in window.words))

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "duration": round(self.duration, 3),
            **({} if self.segment is None else {"segment": [round(s, 3) for s in self.segment]}),
            **self.answer.to_dict(),
            "face": self._main_face(),
            "adapted": None if self.adapted is None else dict(self.adapted),
            "words": [_word(word) for word in self.words],
            "timeline": [window.to_dict() for window in self.timeline],
            **({"by_face": self._by_face()} if self.faces == "all" else {}),
            **self.account.to_dict(),
            "checkpoint": list(self.checkpoint),
            "extractors": dict(self.extractors),
        }

    def _main_face(self) -> dict[str, Any] | None:
        """Whose face most of the answer is about, mostly why, and the share of the time."""
        seconds: dict[int, dict[str, float]] = {}
        for window in self.timeline:
            if (face := window.face) is not None:
                whys = seconds.setdefault(face.person, {})
                # As it is told, so that whoever is told comes to the same.
                length = round(window.end, 3) - round(window.start, 3)
                whys[face.why] = whys.get(face.why, 0.0) + face.share * length
        if not seconds:
            return None
        person, whys = max(seconds.items(), key=lambda each: sum(each[1].values()))
        share = sum(whys.values()) / max(
            sum(round(w.end, 3) - round(w.start, 3) for w in self.timeline), 1e-3
        )
        why = max(whys, key=whys.__getitem__)
        return {"person": person, "why": why, "share": round(min(share, 1.0), 3)}

    def _by_face(self) -> list[dict[str, Any]]:
        """A timeline for each face, by itself."""
        each: dict[int, list[dict[str, Any]]] = {}
        for window in self.timeline:
            for one in window.each:
                if one.face is not None:
                    each.setdefault(one.face.person, []).append(one.to_dict())
        return [{"person": person, "timeline": each[person]} for person in sorted(each)]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ClipAnswer:
        """The answer that `to_dict` made such content of; what else is there is left out."""
        said = tuple(_said(word) for word in content["words"])
        names = tuple(content["checkpoint"])
        faces = [w for face in content.get("by_face", ()) for w in face["timeline"]]
        windows = tuple(_window(window, said, names, faces) for window in content["timeline"])
        return cls(
            file=content["file"],
            duration=content["duration"],
            answer=_answer(content, names),
            timeline=windows,
            checkpoint=names,
            extractors=dict(content["extractors"]),
            account=ToldAccount({key: content[key] for key in _TOLD}),
            adapted=content.get("adapted"),
            segment=(segment[0], segment[1]) if (segment := content.get("segment")) else None,
            faces="all" if "by_face" in content else "one",
        )

    def to_json(self) -> str:
        """The same as text."""
        return to_strict_json(self.to_dict())


_TOLD = ("transcript", "streams", "faces", "speech", "notices")


class ToldAccount(Account):
    """An account of a recording that somebody else read, in their words."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(list(content["notices"]), speech=content["speech"])
        self._content = dict(content)

    def to_dict(self) -> dict[str, Any]:
        return {**self._content, "notices": list(self.notices)}


def _window(
    content: Mapping[str, Any],
    said: Sequence[Word],
    names: Sequence[str],
    faces: Sequence[Mapping[str, Any]],
) -> WindowAnswer:
    start, end = content["start"], content["end"]
    words = tuple(w for w in said if start <= (w.start + w.end) / 2 < end)
    own = [face for face in faces if (face["start"], face["end"]) == (start, end)]
    each = tuple(_window(face, (), names, ()) for face in own)
    whose = Whose.from_dict(content)
    return WindowAnswer(start, end, _answer(content, names), words, whose, each)


def _answer(content: Mapping[str, Any], names: Sequence[str]) -> Answer:
    alone = {key: content[key] for key in ("gate", "primary", "conflict")}
    told = content.get("trust", {names[0]: alone} if content["primary"] is not None else {})
    trust = {
        name: Trust(each["gate"], each["primary"], each["conflict"]) for name, each in told.items()
    }
    low, high = content.get("interval") or (None, None)
    interval = None if low is None or high is None else (low, high)
    told = content["sentiment"], content["emotion"], trust, interval, content["conflict"]
    return Answer(*told, content.get("values"))


def _said(content: Mapping[str, Any]) -> Word:
    return Word(content["word"], content["start"], content["end"], content.get("speaker"))


def _word(word: Word) -> dict[str, Any]:
    told = {} if word.speaker is None else {"speaker": word.speaker}
    return {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3), **told}


def _round(value: float | None) -> float | None:
    # More digits than an answer could mean.
    return None if value is None else round(value, 4)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in values.items()}
