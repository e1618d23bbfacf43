"""The client: what it says of clips is what is said on the spot, word for word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from media_files import write_wav
from two_faces import two_faces

import affuse
from affuse.cli.main import app
from affuse.errors import InputError, RecordingWarning
from affuse.extract.voice.descriptors import read_audio
from affuse.service.client import Options, ServiceClient


@pytest.fixture(scope="module")
def folder(recording, tmp_path_factory) -> Path:
    """A clip with captions in a language that its name tells, and with a file left aside."""
    folder = tmp_path_factory.mktemp("clips")
    shutil.copy(recording, folder / "tone.wav")
    shutil.copy(recording.with_suffix(".srt"), folder / "tone.en.srt")
    (folder / "tone.json").write_text("{}")
    (folder / "broken.mp4").write_bytes(b"no media")
    return folder


def said(capsys, *words: str) -> tuple[str, list[str]]:
    """What the command prints, and its notices: how far it is shows where it takes long alone."""
    capsys.readouterr()
    app(["predict", *words], standalone_mode=False)
    out, err = capsys.readouterr()
    return out, [line for line in err.splitlines() if not line.startswith("predict: ")]


def test_the_command_says_the_same(service, folder, capsys) -> None:
    asked = (str(folder), "--json")
    here, before = said(capsys, *asked), service.ask("/v1/jobs").json
    there = said(capsys, *asked, "--server", service.address)
    assert there == here
    assert json.loads(there[0])["transcript"]["language"] == "en"
    assert any(f"{folder}/broken.mp4: nothing in it" in line for line in there[1])
    # Nothing of it is left there.
    assert service.ask("/v1/jobs").json == before


def test_python_gets_the_same_answer(service, folder) -> None:
    client, ways = affuse.connect(service.address), {"window": 1.5, "adapt": "none"}
    with pytest.warns(RecordingWarning, match="nobody is heard"):
        there = client.predict(folder / "tone.wav", "so sad", checkpoint="sentiment", **ways)
    with pytest.warns(RecordingWarning, match="nobody is heard"):
        here = affuse.load("sentiment").predict(folder / "tone.wav", "so sad", **ways)
    assert [w.end for w in here.timeline] == pytest.approx([1.5, 2.0])
    assert there.to_dict() == here.to_dict()
    assert there.answer.in_short() == here.answer.in_short()
    assert repr(there) == repr(here)
    assert [w.words for w in there.timeline] == [w.words for w in here.timeline]


@pytest.mark.slow
def test_the_settings_are_those_of_the_command(service, shared_data, tmp_path, capsys) -> None:
    """A speaker of several utterances, whom the transcript names."""
    files = sorted((shared_data / "ravdess/audio").glob("03-01-*-01.flac"))[:7]
    sound = np.concatenate([np.append(read_audio(f)[0], np.zeros(16_000, "f4")) for f in files])
    clip = write_wav(tmp_path / "ann.wav", sound)
    clip.with_suffix(".vtt").write_text(
        f"WEBVTT\n\n00:00:00.000 --> 00:00:{len(sound) // 16_000}.000\n<v Ann>kids are talking\n"
    )
    for words in (["--window", "4", "--adapt", "none"], ["--adapt", "speaker"]):
        here = said(capsys, str(clip), "--json", *words)
        assert said(capsys, str(clip), "--json", *words, "--server", service.address) == here
    assert json.loads(here[0])["adapted"]["to"] == "speaker"


@pytest.mark.slow
def test_of_two_faces_the_same_one_is_read(service, shared_data, tmp_path) -> None:
    talks = sorted((shared_data / "clips").glob("*.mpg"))
    clip = two_faces(tmp_path / "two.mkv", talks[0], talks[1])
    here = affuse.load().predict(clip, faces="all")
    there = affuse.connect(service.address).predict(clip, faces="all")
    assert there.to_dict() == here.to_dict()
    assert [face["person"] for face in there.to_dict()["by_face"]] == [1, 2]


def test_what_needs_several_clips_is_told(folder, capsys) -> None:
    with pytest.raises(InputError, match=r"--server of clips that are adapted together.*leave it"):
        said(capsys, str(folder), "--adapt", "folder", "--server", "http://127.0.0.1:9")


def test_what_is_asked_wrongly_is_one_line(service, folder, tmp_path) -> None:
    client = ServiceClient(service.address, patience=1)
    for path, line in (("gone.wav", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=line):
            client.predict(path)
    with pytest.raises(InputError, match="unknown checkpoint 'emotoin'; did you mean 'emotion'"):
        client.predict(folder / "tone.wav", checkpoint="emotoin")
    with pytest.raises(InputError, match="a service reads each clip by itself; send recording"):
        client.predict(folder / "tone.wav", adapt="folder")
    with pytest.raises(InputError, match=r"option 'window' = '0\.5'"):
        client.predict(folder / "tone.wav", window=0.5)
    with pytest.raises(InputError, match="no service answers; start affuse serve"):
        ServiceClient("http://127.0.0.1:9", patience=1).checkpoints()
    with pytest.raises(InputError, match="'ftp://x' is no address"):
        ServiceClient("ftp://x")


def test_a_full_service_is_asked_again(start, folder) -> None:
    one = start(rate=1)
    client = ServiceClient(one.address, patience=0.1)
    one.ask.send(("a.wav", b"sound"))
    with pytest.raises(InputError, match=r"too many jobs a minute.*try again later"):
        client.predict(folder / "tone.wav")


def test_fields_are_those_that_were_chosen() -> None:
    assert Options().fields() == {}
    assert Options("a", True, 2, window=5.0, adapt="none").fields() == {
        "checkpoint": "a",
        "recognise": "true",
        "audio_track": "2",
        "window": "5.0",
        "adapt": "none",
    }
