"""`affuse export` and `affuse predict`, through their entry point."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from affuse.runtime.bundle import read_config


@pytest.fixture
def clips(recording, tmp_path) -> Path:
    """A folder with a clip and its captions, and one that is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for path in (recording, recording.with_suffix(".srt")):
        shutil.copy(path, folder / path.name)
    (folder / "broken.mp4").write_bytes(b"no media")
    return folder


def test_one_bad_file_has_its_line_and_stops_nothing(affuse, bundles, clips) -> None:
    done = affuse("predict", str(clips), "--checkpoint", str(bundles), "--json")
    assert done.status == 2
    error, notice = done.err.splitlines()
    assert "broken.mp4: nothing in it can be read" in error
    assert notice.endswith("tone.wav: notice: nobody is heard to speak in it")
    content = json.loads(done.out)
    assert content["file"] == str(clips / "tone.wav")
    assert -3 <= content["sentiment"] <= 3
    assert sum(content["emotion"].values()) == pytest.approx(1, abs=1e-3)


def test_answers_are_kept_and_shown_in_other_forms_later(affuse, bundles, clips) -> None:
    common = (
        "predict",
        str(clips / "*.wav"),
        "--checkpoint",
        str(bundles),
        "--out",
        str(clips / "o"),
    )
    assert affuse(*common).status == 0
    kept = clips / "o" / "tone.wav.json"
    before = kept.stat().st_mtime_ns
    done = affuse(*common, "--csv", "--srt", "--html")
    assert done.status == 0
    assert kept.stat().st_mtime_ns == before
    assert "tone.wav" in done.out
    written = {p.name: p.read_text() for p in (clips / "o").iterdir()}
    assert set(written) == {f"tone.wav.{ending}" for ending in ("json", "csv", "srt", "html")}
    assert "what a lovely day" in written["tone.wav.srt"]
    assert written["tone.wav.html"].startswith("<!doctype html>")


def test_the_page_plays_its_clip_from_where_it_lies_or_from_a_copy(affuse, bundles, clips) -> None:
    common = ("predict", str(clips / "tone.wav"), "--checkpoint", str(bundles), "--html")
    out = ("--out", str(clips / "o"))
    assert affuse(*common, *out, "--with-media").status == 0
    page = clips / "o" / "tone.wav.html"
    assert '"media": "../tone.wav"' in page.read_text()
    assert affuse(*common, *out, "--copy-media").status == 0
    (copy,) = (clips / "o" / "tone.wav-media").iterdir()
    assert f'"media": "tone.wav-media/{copy.name}"' in page.read_text()
    assert copy.read_bytes() == (clips / "tone.wav").read_bytes()


def test_csv_on_standard_output(affuse, bundles, clips) -> None:
    clip = str(clips / "tone.wav")
    done = affuse("predict", clip, "--checkpoint", str(bundles), "--csv", "--text", "so sad")
    header, row = done.out.splitlines()
    assert header.startswith("file,start,end,sentiment,sentiment_low,sentiment_high,emotion,")
    assert row.startswith(f"{clip},0.0,")
    assert row.endswith("so sad,nobody is heard to speak in it")


def test_a_stream_tells_its_latency(affuse, bundles, clips) -> None:
    command = ("predict", str(clips / "tone.wav"), "--checkpoint", str(bundles), "--stream")
    captions = ("--transcript", str(clips / "tone.srt"), "--idle", "0")
    done = affuse(*command, *captions, "--json")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["end"] for answer in answers] == pytest.approx([1, 2], abs=0.05)
    assert all(answer["latency"] >= 0 for answer in answers)
    assert "later)" in affuse(*command, *captions).out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nosuch.mp4",), "nosuch.mp4: cannot be read"),
        (("tone.wav", "--json", "--csv"), "--json and --csv both; choose one"),
        (("tone.wav", "--text", "a", "--transcript", "b"), "--text and --transcript both"),
        (("tone.wav", "broken.mp4", "--text", "a"), "one transcript for 2 clips"),
        (("tone.wav", "--transcript", "nosuch.srt"), "nosuch.srt: cannot be read"),
        (("tone.wav", "--stream", "--html"), "--html of a stream"),
        (("tone.wav", "--with-media"), "--with-media without a page; add --html"),
        (("tone.wav", "broken.mp4", "--stream"), "several streams"),
        (("-",), "read as a stream only; add --stream (an mp4 must then be fragmented"),
        (("tone.wav", "--audio-track", "2"), "tone.wav: has no audio track 2, but 1; choose 1"),
        (("tone.wav", "--strict"), "tone.wav: nobody is heard to speak in it; mend it, or do"),
        (("nosuch.mp4", "--stream"), "nosuch.mp4: cannot be read"),
        (("tone.wav", "../clips/tone.wav", "--srt"), "to the same file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    affuse, bundles, clips, monkeypatch, arguments, problem
) -> None:
    monkeypatch.chdir(clips)
    done = affuse("predict", *arguments, "--checkpoint", str(bundles))
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert problem in done.err


def test_export_of_what_train_wrote(affuse, tmp_path) -> None:
    small = ("train=12", "valid=6", "test=6", "width=8", "heads=2", "epochs=1")
    options = [part for option in small for part in ("--set", option)]
    assert affuse("train", "controlled", "--out", str(tmp_path / "run"), *options).status == 0
    place = tmp_path / "exported"
    done = affuse("export", str(tmp_path / "run"), "--out", str(place), "--corpus", "controlled")
    assert done.status == 0
    assert "hct_mg" in done.out
    assert "float32" in done.out
    config = read_config(place)
    assert config.conflict["any"]["samples"] == 6
    assert config.name == "exported"
    done = affuse("predict", "x.wav", "--checkpoint", str(place))
    assert "reads text as 'controlled-16' (width 16); this affuse extracts" in done.err
    done = affuse("predict", "x.wav", "--checkpoint", str(tmp_path / "run"))
    assert "export it first: affuse export DIR --out FOLDER" in done.err


def test_what_is_kept_is_made_from_its_tracks_and_told_again(affuse, bundles, clips) -> None:
    out = clips / "o"
    common = ("predict", str(clips / "tone.wav"), "--checkpoint", str(bundles), "--out", str(out))
    first = affuse(*common)
    kept = out / "tone.wav.json"
    before = kept.stat().st_mtime_ns
    again = affuse(*common)
    assert again.err == first.err != ""
    assert kept.stat().st_mtime_ns == before
    strict = affuse(*common, "--strict", "--json")
    assert (strict.status, strict.out) == (2, "")
    assert affuse(*common, "--audio-track", "1").status == 0
    assert kept.stat().st_mtime_ns > before


def test_the_screen_says_what_was_read(affuse, bundles, clips) -> None:
    done = affuse("predict", str(clips / "tone.wav"), "--checkpoint", str(bundles))
    assert "5 of 5 words inside" in " ".join(done.out.split())
    assert "audio track 1 of 1 (pcm_s16le)" in " ".join(done.out.split())
