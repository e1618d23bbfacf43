"""An answer as JSON content, odd in all that a clip's author can choose."""

from __future__ import annotations

from typing import Any


def window(start: float, end: float, sentiment: float | None) -> dict[str, Any]:
    known = sentiment is not None
    return {
        "start": start,
        "end": end,
        "sentiment": sentiment,
        "emotion": {"calm": 0.75, "sad": 0.25} if known else None,
        "gate": {"text": 0.6, "vision": 0.4} if known else {},
        "primary": "text" if known else None,
        "conflict": 0.5 if known else None,
    }


def answer_content() -> dict[str, Any]:
    words = [("<b>nice</b>", 0.5, 1.0), ("day", 1.0, 1.4), ("& night", 12.0, 12.5)]
    return {
        "file": "a <clip>.mp4",
        "duration": 3725.0,
        **{k: v for k, v in window(0, 0, -1.25).items() if k not in ("start", "end")},
        "words": [{"word": w, "start": s, "end": e} for w, s, e in words],
        "timeline": [window(0, 10, -1.25), window(10, 20, 2.0), window(20, 3725, None)],
        "checkpoint": ["sentiment", "emotion"],
        "extractors": {"text": "glove"},
        "transcript": {"file": "a.srt", "format": "srt", "words": 3, "inside": 3, "known": 0.67},
        "streams": {
            "sound": {
                "track": 2,
                "tracks": 3,
                "title": "<Mic>",
                "language": "eng",
                "codec": "aac",
                "used": ["FL", "-FR"],
            },
            "picture": None,
        },
        "faces": None,
        "speech": 9.25,
        "notices": ["no face is seen in it", "<one> more"],
    }


def valued(content: dict[str, Any]) -> dict[str, Any]:
    """The same answer by checkpoints of which one tells valence and arousal."""

    def told(part: dict[str, Any]) -> dict[str, Any]:
        if part["sentiment"] is None:
            return part
        return {**part, "values": {"valence": part["sentiment"] / 4, "arousal": -0.25}}

    return {**told(content), "timeline": [told(part) for part in content["timeline"]]}
