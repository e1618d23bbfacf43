"""The JSON of speech recognisers: whoever wrote it, words come out at their times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import InputError
from affuse.extract.text.transcript import Transcript, Word, read_transcript

HELLO = [("hello", 0.0, 0.5), ("you", 0.6, 1.0)]


def read(folder: Path, content: Any, name: str = "a.json") -> Transcript:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_transcript(path)


def said(found: Transcript) -> list[tuple[str, float, float]]:
    return [(w.text, round(w.start, 3), round(w.end, 3)) for w in found.words]


def words(text: str = "word", start: str = "start", end: str = "end", unit: float = 1) -> list[Any]:
    return [{text: w, start: s * unit, end: e * unit} for w, s, e in HELLO]


def ticks(seconds: float) -> int:
    return round(seconds * 1e7)


OFFSETS = [{"offsets": {"from": s * 1000, "to": e * 1000}, "text": f" {w}"} for w, s, e in HELLO]
GOOGLE = [
    {"word": "hello", "endTime": "0.500s"},
    {"word": "you", "startTime": "0.6s", "endTime": "1s"},
]
AZURE = [{"Word": w, "Offset": ticks(s), "Duration": ticks(e - s)} for w, s, e in HELLO]
ITEMS = [
    {
        "start_time": "0.0",
        "end_time": "0.5",
        "type": "pronunciation",
        "alternatives": [{"content": "hello"}],
    },
    {
        "start_time": "0.6",
        "end_time": "1.0",
        "type": "pronunciation",
        "alternatives": [{"content": "you"}],
    },
]
FORMS: dict[str, Any] = {
    "words": [{"word": " hello", "start": 0, "end": 0.5}, {"word": "you", "start": 0.6, "end": 1}],
    "out of order": {"words": words("text", "s", "e")[::-1]},
    "lists": [["hello", 0, 0.5], ["you", 0.6, 1.0]],
    "segments and words": {
        "text": "hello you",
        "segments": [
            {"text": "hello", "start": 0.0, "end": 0.5, "words": None, "tokens": [1, 2]},
            {"start": 0.6, "end": 1.0, "words": [{"word": "you", "start": 0.6, "end": 1.0}]},
        ],
    },
    "whisperx": {"segments": [{"start": 0, "end": 1, "words": words()}], "word_segments": words()},
    "openai": {
        "task": "transcribe",
        "language": "english",
        "words": words(),
        "segments": [{"start": 0, "end": 1, "text": "hello you", "tokens": [4]}],
    },
    "whisper.cpp": {"result": {"language": "en"}, "transcription": OFFSETS},
    "whisper.cpp tokens": {
        "transcription": [
            {
                "offsets": {"from": 0, "to": 1000},
                "text": " hello you",
                "tokens": [
                    {"text": "[_BEG_]", "offsets": {"from": 0, "to": 0}},
                    {"text": " hel", "offsets": {"from": 0, "to": 200}},
                    {"text": "lo", "offsets": {"from": 200, "to": 500}},
                    {"text": " you", "offsets": {"from": 600, "to": 1000}},
                ],
            }
        ]
    },
    "transformers": {"text": "", "chunks": [{"text": w, "timestamp": [s, e]} for w, s, e in HELLO]},
    "vosk": {"result": words(), "text": "hello you"},
    "vosk list": [{"result": words()[:1]}, {"text": ""}, {"result": words()[1:]}],
    "vosk alternatives": {"alternatives": [{"result": words(), "confidence": 1}, {"result": []}]},
    "deepgram": {"results": {"channels": [{"alternatives": [{"words": words()}]}]}},
    "deepgram utterances": {
        "results": {
            "channels": [{"alternatives": [{"words": []}]}],
            "utterances": [{"start": 0, "end": 1, "words": words()}],
        }
    },
    "aws": {
        "jobName": "a",
        "results": {"transcripts": [{"transcript": "hello you"}], "items": ITEMS},
    },
    "assemblyai": {
        "id": "a",
        "text": "hello you",
        "utterances": None,
        "words": words("text", unit=1000),
    },
    "google": {"results": [{"alternatives": [{"transcript": "hello you", "words": GOOGLE}]}]},
    "google long running": {"response": {"results": [{"alternatives": [{"words": GOOGLE}]}]}},
    "azure": {
        "RecognitionStatus": "Success",
        "Offset": 0,
        "Duration": ticks(1),
        "NBest": [{"Display": "hello you", "Words": AZURE}],
    },
    "azure batch": {
        "recognizedPhrases": [
            {
                "offset": "PT0S",
                "duration": "PT1S",
                "nBest": [
                    {
                        "words": [
                            {
                                "word": w,
                                "offset": f"PT{s}S",
                                "duration": f"PT{e - s:g}S",
                                "offsetInTicks": ticks(s),
                                "durationInTicks": ticks(e - s),
                            }
                            for w, s, e in HELLO
                        ]
                    }
                ],
            }
        ]
    },
    "azure fast": {
        "phrases": [
            {
                "offsetMilliseconds": 0,
                "durationMilliseconds": 1000,
                "words": [
                    {
                        "text": w,
                        "offsetMilliseconds": s * 1000,
                        "durationMilliseconds": (e - s) * 1000,
                    }
                    for w, s, e in HELLO
                ],
            }
        ]
    },
    "rev": {
        "monologues": [
            {
                "speaker": 0,
                "elements": [
                    {"type": "text", "value": "hello", "ts": 0.0, "end_ts": 0.5},
                    {"type": "punct", "value": " "},
                    {"type": "text", "value": "you", "ts": 0.6, "end_ts": 1.0},
                ],
            }
        ]
    },
    "speechmatics": {
        "results": [
            {"type": "word", "start_time": s, "end_time": e, "alternatives": [{"content": w}]}
            for w, s, e in HELLO
        ]
    },
    "watson": {"results": [{"alternatives": [{"transcript": "hello you", "timestamps": HELLO}]}]},
    "elevenlabs": {
        "language_code": "en",
        "words": [
            {**words("text")[0], "type": "word"},
            {"text": " ", "start": 0.5, "end": 0.6, "type": "spacing"},
            {**words("text")[1], "type": "word"},
        ],
    },
    "json3": {
        "events": [
            {"tStartMs": 0, "dDurationMs": 900},
            {"tStartMs": 0, "dDurationMs": 500, "segs": [{"utf8": "hello"}]},
            {"tStartMs": 600, "dDurationMs": 400, "segs": [{"utf8": "you"}]},
        ]
    },
    "podcast": {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Ann", "startTime": s, "endTime": e, "body": w} for w, s, e in HELLO
        ],
    },
    "fetched": [{"text": w, "start": s, "duration": e - s} for w, s, e in HELLO],
    "gladia": {
        "result": {"transcription": {"utterances": [{"start": 0, "end": 1, "words": words()}]}}
    },
    "gentle": {
        "transcript": "hello you",
        "words": [
            {**w, "alignedWord": w["word"], "case": "success", "startOffset": 40, "endOffset": 45}
            for w in words()
        ],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_words_are_at_their_times(tmp_path: Path, form: str) -> None:
    found = read(tmp_path, FORMS[form])
    assert [(w, s, e) for w, s, e in said(found)] == HELLO
    assert (found.origin.format, found.notices) == ("json", ())


def test_a_json_a_line_and_several_in_a_row(tmp_path: Path) -> None:
    lines = [json.dumps(word) for word in words()]
    assert said(read(tmp_path, "\n".join(lines), "a.jsonl")) == HELLO
    results = [json.dumps({"result": [word]}, indent=2) for word in words()]
    assert said(read(tmp_path, "\n".join(results), "a.txt")) == HELLO


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (
            [("We", 0.4, 0.6), ("won", 0.7, 1.0), ("3", None, None), ("prizes", 1.6, 2.1)],
            [("We", 0.4, 0.6), ("won", 0.7, 1.0), ("3", 1.0, 1.6), ("prizes", 1.6, 2.1)],
        ),
        ([("3", None, None), ("won", 2.0, 3.0)], [("3", 0.0, 2.0), ("won", 2.0, 3.0)]),
        ([("won", 0.0, 1.0), ("3", None, None)], [("won", 0.0, 1.0), ("3", 1.0, 4.0)]),
        ([("a", None, None), ("bcd", None, None)], [("a", 0.0, 1.0), ("bcd", 1.0, 4.0)]),
        ([("a", 0.0, None), ("b", 2.0, None)], [("a", 0.0, 2.0), ("b", 2.0, 4.0)]),
        ([("a", float("nan"), 1.0), ("b", 2.0, 3.0)], [("a", 0.0, 1.0), ("b", 2.0, 3.0)]),
        ([("a", 1.0, 0.5), ("b", 2.0, 3.0)], [("a", 0.5, 1.0), ("b", 2.0, 3.0)]),
    ],
)
def test_times_that_lack_are_filled_in(
    tmp_path: Path, segment: list[Any], expected: list[Any]
) -> None:
    timed = [{"word": w, "start": s, "end": e} for w, s, e in segment]
    content = {"segments": [{"start": 0.0, "end": 4.0, "text": "", "words": timed}]}
    assert said(read(tmp_path, content)) == expected


def test_the_last_chunk_may_have_no_end(tmp_path: Path) -> None:
    chunks = [
        {"text": " I love", "timestamp": [0.0, 1.0]},
        {"text": " it", "timestamp": [1.0, None]},
    ]
    assert said(read(tmp_path, {"chunks": chunks}))[2] == ("it", 1.0, 1.15)


def test_speakers_are_kept_and_not_mixed(tmp_path: Path) -> None:
    one = [{"word": w, "start": 0.2 * n, "end": 0.2 * n + 0.1} for n, w in enumerate("abc")]
    two = [{"word": w, "start": 0.1 + 0.2 * n, "end": 0.2 * n + 0.2} for n, w in enumerate("xyz")]
    channels = [{"alternatives": [{"words": one}]}, {"alternatives": [{"words": two}]}]
    found = read(tmp_path, {"results": {"channels": channels}})
    assert [w.text for w in found.words] == list("abcxyz")
    assert [w.speaker for w in found.words] == ["channel 0"] * 3 + ["channel 1"] * 3
    labelled = [{**word, "speaker": 0} for word in one] + [{**word, "speaker": 1} for word in two]
    found = read(tmp_path, {"words": labelled})
    assert [w.text for w in found.words] == list("abcxyz")
    assert [w.speaker for w in found.words] == ["0"] * 3 + ["1"] * 3


def test_aws_marks_and_speakers(tmp_path: Path) -> None:
    items = [*ITEMS, {"type": "punctuation", "alternatives": [{"content": "."}]}]
    segments = [{"speaker_label": "spk_1", "items": [
        {"start_time": "0.6", "end_time": "1.0", "speaker_label": "spk_1"}]}]  # fmt: skip
    content = {"results": {"items": items, "speaker_labels": {"segments": segments}}}
    found = read(tmp_path, content)
    assert found.words == (Word("hello", 0, 0.5), Word("you.", 0.6, 1.0, "spk_1"))


def test_google_tells_speakers_in_a_second_round(tmp_path: Path) -> None:
    tagged = [{**word, "speakerTag": 2} for word in GOOGLE]
    results = [{"alternatives": [{"words": some}]} for some in (GOOGLE, tagged)]
    found = read(tmp_path, {"results": results})
    assert [(w.text, w.speaker) for w in found.words] == [("hello", "2"), ("you", "2")]


def test_what_is_not_speech_is_left_out_of_words_too(tmp_path: Path) -> None:
    parts = [("[Music]", 0), ("I", 1), ("*sighs*", 2), ("(upbeat", 3), ("music)", 4), ("*do*", 5)]
    timed = [{"word": w, "start": s, "end": s + 0.5} for w, s in parts]
    found = read(tmp_path, {"segments": [{"start": 0, "end": 6, "words": timed}]})
    assert [w.text for w in found.words] == ["I", "*do*"]
    assert "3 times (such as [Music])" in found.notices[0]


@pytest.mark.parametrize(
    "content",
    [
        {"camera": "front", "fps": 25},
        {"items": [{"name": "a", "value": "b"}]},
        {"events": [{"name": "start"}]},
        {"results": []},
        {"timestamps": [0, 1, 2]},
        [{"label": "angry", "score": 0.9}],
        [{"text": "angry", "score": 0.9}],
        {"words": 12},
        {"segments": 3},
        ["hello", "you"],
        {"file": "a", "timeline": [], "checkpoint": [], "extractors": {}, "words": words()},
        12,
        None,
    ],
)
def test_other_json_is_refused_by_what_is_read(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match=r"a\.json: is (not a transcript.*whisper|an answer)"):
        read(tmp_path, content)
