"""Many clips: the same answers however they are shared out, and nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clip_files import write_clips

import affuse
from affuse.errors import InputError
from affuse.process_pool import Limits
from affuse.runtime.many_clips import Reading
from affuse.scale.prediction import Outcome, Prediction, Request
from affuse.scale.shards import Shard

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def clips(recording: Path, tmp_path: Path) -> Path:
    write_clips(tmp_path / "in", 5, recording)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    return tmp_path / "in"


def _run(request: Request) -> tuple[Prediction, list[Outcome]]:
    prediction = Prediction(request)
    return prediction, list(prediction.run())


def _rows(folder: Path, kind: str = "clips") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(folder / kind).to_pylist()
    return sorted(rows, key=lambda row: (row["file"], row.get("start", 0)))


def test_shares_in_one_folder_are_the_whole_and_nothing_is_done_twice(clips, tmp_path) -> None:
    whole = Request((str(clips),), "sentiment", parquet=tmp_path / "whole", jobs=1)
    one, outcomes = _run(whole)
    assert (one.total, one.answered, one.failed, one.known) == (6, 5, 1, 0)
    assert len(outcomes) == 6
    for number in (2, 1):
        _run(replace(whole, shard=Shard(number, 2), parquet=tmp_path / "shares"))
    for kind in ("clips", "windows", "errors"):
        assert _rows(tmp_path / "shares", kind) == _rows(tmp_path / "whole", kind)
    again, outcomes = _run(replace(whole, parquet=tmp_path / "shares"))
    assert (again.known, again.answered, again.failed) == (5, 0, 1)
    (error,) = _rows(tmp_path / "whole", "errors")
    assert error["error"].startswith(f"{clips / 'bad.wav'}: nothing in it can be read")
    assert [row["text"] for row in _rows(tmp_path / "whole", "windows")] == [
        "what a lovely day terrible"
    ] * 5
    content = json.loads((tmp_path / "whole" / "parts-1-of-1.json").read_text())
    assert content["finished"]


def test_a_clip_that_changes_is_answered_again_in_its_place(clips, tmp_path) -> None:
    request = Request((str(clips),), "sentiment", parquet=tmp_path / "t", jobs=1)
    _run(request)
    before = _rows(tmp_path / "t")
    (clips / "clip001.wav").write_bytes((clips / "clip004.wav").read_bytes())
    os.utime(clips / "clip002.wav", ns=(5, 5))
    (clips / "bad.wav").unlink()
    again, _ = _run(request)
    assert (again.known, again.answered, again.failed) == (3, 2, 0)
    after = _rows(tmp_path / "t")
    assert [row["file"] for row in after] == [row["file"] for row in before]
    assert after[1]["duration"] == after[4]["duration"] != before[1]["duration"]
    assert not (tmp_path / "t" / "errors").exists() or not list((tmp_path / "t/errors").iterdir())


@pytest.mark.slow
def test_a_clip_is_answered_again_where_what_is_said_changes(recording, tmp_path) -> None:
    write_clips(tmp_path, 2, recording)
    (tmp_path / "l.csv").write_text("path,transcript\nclip000.wav,\nclip001.wav,said.srt\n")
    shutil.copy(recording.with_suffix(".srt"), tmp_path / "said.srt")
    table = tmp_path / "l.csv"
    request = Request((str(table),), "sentiment", parquet=tmp_path / "t", jobs=1)

    def answered() -> int:
        return _run(request)[0].answered

    assert (answered(), answered()) == (2, 0)
    (tmp_path / "said.srt").write_text("1\n00:00:00,000 --> 00:00:00,900\nhorrible\n")
    assert answered() == 1
    assert _rows(tmp_path / "t", "windows")[1]["text"] == "horrible"
    (tmp_path / "clip000.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.900\ngreat\n")
    assert answered() == 1
    table.write_text("path,text\nclip000.wav,so bad\nclip001.wav,so good\n")
    assert answered() == 2
    assert [row["text"] for row in _rows(tmp_path / "t", "windows")] == ["so bad", "so good"]


def test_what_a_killed_run_left_does_not_count(clips, tmp_path) -> None:
    folder = tmp_path / "t"
    request = Request((str(clips / "clip*.wav"),), "sentiment", parquet=folder, jobs=1)
    _run(request)
    (part,) = (folder / "clips").iterdir()
    (folder / "clips" / "part-1-of-1-000007.parquet").write_bytes(part.read_bytes())
    again, _ = _run(request)
    assert again.known == 5
    assert len(_rows(folder)) == 5


def test_answers_are_those_of_predict_whatever_a_manifest_says_of_words(clips, tmp_path) -> None:
    (clips / "list.jsonl").write_text(
        '{"path": "clip000.wav"}\n'
        '{"path": "clip001.wav", "text": "so sad"}\n'
        '{"path": "clip002.wav", "transcript": "clip000.srt"}\n'
        '{"path": "clip003.wav", "text": "sehr traurig", "language": "de"}\n'
        '{"path": "clip004.wav", "transcript": "none.srt"}\n'
        '{"path": "in.mp4"}\n{"path": "folder.mp4"}\n{"path": "clip000.wav"}\n'
    )
    (clips / "folder.mp4").mkdir()
    found = affuse.predict(clips / "list.jsonl", "sentiment", out=tmp_path / "out", jobs=1)
    assert (found.answered, found.failed, found.answers) == (4, 3, [])
    kept = [json.loads((tmp_path / "out" / f"clip00{n}.wav.json").read_text()) for n in range(4)]
    words = [" ".join(word["word"] for word in content["words"]) for content in kept]
    assert words == ["what a lovely day terrible", "so sad", words[0], "sehr traurig"]
    alone = affuse.load("sentiment").predict(clips / "clip000.wav").to_dict()
    assert {key: kept[0][key] for key in alone} == alone
    assert kept[3]["gate"] == {}
    told = " ".join(sorted(found.errors))
    assert "folder.mp4: cannot be read (Is a directory)" in told
    assert "in.mp4: cannot be read (No such file" in told
    assert "none.srt: cannot be read" in told


def test_processes_write_the_same_bytes_and_limits_hold(clips, tmp_path) -> None:
    request = Request((str(clips),), "sentiment", out=tmp_path / "one", jobs=1)
    _, one = _run(request)
    limits = Limits(seconds=60, megabytes=2000)
    _, two = _run(replace(request, out=tmp_path / "two", jobs=2, limits=limits))
    assert sorted(str(o.error) for o in one) == sorted(str(o.error) for o in two)
    kept = [{p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 5


def test_outcomes_come_in_order_where_that_is_asked(clips) -> None:
    names = sorted(clips.glob("*.wav"), reverse=True)
    prediction = Prediction(Request(tuple(map(str, names)), "sentiment", jobs=1))
    outcomes = list(prediction.run(ordered=True))
    assert [outcome.number for outcome in outcomes] == list(range(6))
    records = affuse.predict([clips / "clip001.wav", clips], "sentiment", jobs=1).to_records()
    assert Path(records[0]["file"]).name == "clip001.wav"
    assert len(records) == 5


def test_the_rest_is_given_up_after_too_many_errors(clips, tmp_path) -> None:
    for number in range(3):
        (clips / f"bad{number}.wav").write_bytes(b"no sound")
    request = Request((str(clips),), "sentiment", parquet=tmp_path / "t", jobs=1, max_errors=2)
    with pytest.raises(InputError, match="3 clips could not be answered, more than --max-errors 2"):
        _run(request)
    assert len(_rows(tmp_path / "t", "errors")) == 3


def test_a_folder_of_other_answers_is_left_alone(clips, tmp_path) -> None:
    request = Request((str(clips / "clip000.wav"),), "sentiment", parquet=tmp_path / "t")
    _run(request)
    with pytest.raises(InputError, match="holds answers made with another recognise"):
        Prediction(replace(request, reading=Reading(recognise=True)))
    with pytest.raises(InputError, match=r"holds answers made with another models\."):
        Prediction(replace(request, checkpoint="emotion"))
    with pytest.raises(InputError, match="in: holds something else; give a new"):
        Prediction(replace(request, parquet=clips))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"engine": "rey"}, "unknown engine 'rey'; did you mean 'ray'?"),
        ({"sources": ()}, "no clips are named"),
    ],
)
def test_requests_that_cannot_be_met(clips, changes, problem) -> None:
    with pytest.raises(InputError) as told:
        Prediction(replace(Request((str(clips),), "sentiment"), **changes))
    assert problem in str(told.value)


def test_a_clip_behind_a_url_has_no_credentials_in_its_answer(recording, tmp_path) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe("/store/a.wav", recording.read_bytes())
    files.pipe("/store/a.srt", recording.with_suffix(".srt").read_bytes())
    files.pipe("/store/bad.wav", b"no sound")
    (tmp_path / "l.csv").write_text(
        "path,transcript\nmemory://store/a.wav,memory://store/a.srt\n"
        "memory://store/none.wav?token=secret,\nmemory://store/bad.wav,\n"
    )
    for folder in ("one", "one"):
        place, out = tmp_path / folder, tmp_path / "out"
        request = Request((str(tmp_path / "l.csv"),), "sentiment", out=out, parquet=place, jobs=1)
        _, outcomes = _run(request)
    kept = json.loads((tmp_path / "out" / "store" / "a.wav.json").read_text())
    assert kept["file"] == "memory://store/a.wav"
    assert kept["transcript"]["file"] == "memory://store/a.srt"
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in (".json",))
    assert b"secret" not in written + repr([_rows(place, k) for k in ("clips", "errors")]).encode()
    assert sorted(str(o.error) for o in outcomes) == [
        "memory://store/bad.wav: nothing in it can be read as sound or pictures; give a whole "
        "media file, such as mp4, mkv, mov, wav or mp3",
        "memory://store/none.wav: cannot be fetched (no such file); check the address, the "
        "connection and your credentials",
    ]


@pytest.mark.slow
def test_parts_of_a_recording_are_answered_as_if_they_were_cut_out(recording, tmp_path) -> None:
    write_clips(tmp_path, 1, recording)
    table = tmp_path / "l.csv"
    table.write_text(
        "path,start,end,text\nclip000.wav,,,\nclip000.wav,0.95,2,\nclip000.wav,0,0.95,so sad\n"
        "clip000.wav,7,8,\n"
    )
    kept = {"out": tmp_path / "out", "parquet": tmp_path / "t", "jobs": 1}
    _, outcomes = _run(Request((str(table),), "sentiment", **kept))
    assert "clip000.wav: has nothing from 7 s on" in str(outcomes[3].error)
    whole, late, early = (
        json.loads((tmp_path / "out" / f"clip000.wav{label}.json").read_text())
        for label in ("", "[0.95-2]", "[0-0.95]")
    )
    assert "segment" not in whole
    assert late["segment"] == [0.95, 2.0]
    assert (late["timeline"][0]["start"], late["timeline"][-1]["end"]) == (0.95, 2.0)
    assert late["duration"] == pytest.approx(1.05)
    assert [word["word"] for word in late["words"]] == ["terrible"]
    assert [word["word"] for word in early["words"]] == ["so", "sad"]
    assert early["words"][-1]["end"] == pytest.approx(0.95)
    again, _ = _run(Request((str(table),), "sentiment", **kept))
    assert (again.known, again.failed) == (3, 1)
    assert sorted(row["start"] for row in _rows(tmp_path / "t")) == [0.0, 0.0, 0.95]
