"""Many clips: found, done once, and none stops the rest."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

import affuse
from affuse.errors import InputError
from affuse.extract.folder import Clip, find_clips, require_distinct
from affuse.extract.media.live import Follower
from affuse.runtime.many_clips import ClipReader, predict_clips


@pytest.fixture
def media(tmp_path: Path) -> Path:
    for name in ("a.MP4", "b/c.wav", "b/notes.txt", ".hidden/d.mp4", "b/.e.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_folders_globs_and_files_are_found(media) -> None:
    names = [str(clip.name) for clip in find_clips([str(media)])]
    assert names == ["a.MP4", "b/c.wav"]
    named = find_clips(
        [str(media / "b" / "notes.txt"), str(media / "**" / "*.wav"), str(media / "x")]
    )
    assert [clip.path.name for clip in named] == ["notes.txt", "c.wav", "x"]
    assert len(find_clips([str(media / "a.MP4"), str(media)])) == 2


@pytest.mark.parametrize(("given", "problem"), [("*.mkv", "matches no file"), (".hidden/..", None)])
def test_nothing_found_is_an_error(media, given, problem) -> None:
    if problem is None:
        (media / "empty").mkdir()
        given, problem = "empty", "holds no media files"
    with pytest.raises(InputError, match=problem):
        find_clips([str(media / given)])


def test_two_clips_of_one_name_are_not_written(media) -> None:
    clips = [Clip(media / "a.mp4", Path("a.mp4")), Clip(media / "b" / "a.mp4", Path("a.mp4"))]
    with pytest.raises(InputError, match="to the same file"):
        require_distinct(clips)


def test_what_is_done_is_skipped_until_something_changes(bundles, recording, tmp_path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(recording, folder / "tone.wav")
    (folder / "broken.mp4").write_bytes(b"no media")
    predictor = affuse.load(bundles / "sentiment")

    def run() -> list[tuple[bool, bool]]:
        found = predict_clips(predictor, find_clips([str(folder)]), out=out)
        return [(done.content is not None, done.known) for done in found]

    assert run() == [(False, False), (True, False)]
    assert run() == [(False, False), (True, True)]
    content = json.loads((out / "tone.wav.json").read_text())
    assert content["sentiment"] is None
    (folder / "tone.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nlovely\n")
    assert run()[1] == (True, False)
    assert json.loads((out / "tone.wav.json").read_text())["sentiment"] is not None
    (out / "tone.wav.json").write_text("{")
    assert run()[1] == (True, False)
    # A copy is the same, and what has another size is not.
    os.utime(folder / "tone.wav", ns=(0, 0))
    assert run()[1] == (True, True)
    (folder / "tone.wav").write_bytes(recording.read_bytes()[:-2000])
    assert run()[1] == (True, False)


def test_what_is_kept_is_known_without_reading_the_clip(
    bundles, recording, tmp_path, monkeypatch
) -> None:
    reader = ClipReader(affuse.load(bundles / "sentiment"))
    clip = Clip(recording, Path("a"))
    assert not reader.read(clip, out=tmp_path).known
    monkeypatch.setattr("affuse.runtime.many_clips.digest_file", None)
    assert reader.read(clip, out=tmp_path).known


def test_a_growing_file_is_read_to_its_end(tmp_path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"one ")

    def grow() -> None:
        time.sleep(0.05)
        with path.open("ab") as file:
            file.write(b"two")

    writer = threading.Thread(target=grow)
    writer.start()
    with Follower(path, idle=1.0) as follower:
        assert follower.read(100) == b"one "
        assert follower.read(100) == b"two"
        assert follower.read(100) == b""
    writer.join()
