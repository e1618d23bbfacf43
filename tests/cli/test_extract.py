"""`affuse extract`, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from media_files import pictures, tone, write_media
from typer.testing import CliRunner

from affuse.cli.main import app
from affuse.errors import InputError
from affuse.extract.store import read_clip


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["extract", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    (folder / "monday").mkdir(parents=True)
    write_media(folder / "monday" / "a.wav", (), tone(1))
    (folder / "monday" / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nvery good\n")
    write_media(folder / "b.mkv", pictures(10), tone(1))
    (folder / "broken.mp4").write_text("not a film")
    (folder / "notes.md").write_text("not media")
    return folder


def test_a_folder_with_a_bad_file(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(recordings, "--out", out, "--json")
    assert done.exit_code == 2
    found = {Path(entry["file"]).name: entry for entry in json.loads(done.stdout)}
    assert set(found) == {"a.wav", "b.mkv", "broken.mp4"}
    assert found["broken.mp4"]["error"] is not None
    assert found["broken.mp4"]["out"] is None
    (error,) = [line for line in done.stderr.splitlines() if ": notice: " not in line]
    assert "broken.mp4" in error
    assert "broken.mp4: nothing in it" in done.stderr
    assert found["a.wav"]["modalities"] == {"text": 1, "audio": 0, "vision": 0}
    clip = read_clip(out / "monday" / "a.wav.npz")
    assert [word.text for word in clip.windows[0].words] == ["very", "good"]
    assert (clip.file, round(clip.duration)) == ("a.wav", 1)
    assert (out / "b.mkv.npz").is_file()


def test_what_is_done_is_skipped_until_something_changes(recordings: Path, tmp_path: Path) -> None:
    clip, out = recordings / "monday" / "a.wav", tmp_path / "out"

    def skipped(*options: str) -> bool:
        (entry,) = json.loads(run(clip, "--out", out, "--json", *options).stdout)
        return bool(entry["skipped"])

    assert not skipped()
    assert skipped()
    assert not skipped("--again")
    assert not skipped("--text", "very bad")
    assert not skipped("--text", "very bad", "--set", "cepstra=5")
    assert skipped("--text", "very bad", "--set", "cepstra=5")
    write_media(clip, (), tone(2))
    assert not skipped("--text", "very bad", "--set", "cepstra=5")
    (out / "a.wav.npz").write_bytes(b"damaged")
    assert not skipped("--text", "very bad", "--set", "cepstra=5")


def test_the_table_names_each_file(recordings: Path, tmp_path: Path) -> None:
    done = run(recordings / "b.mkv", "--out", tmp_path / "out", "--text", "very good")
    assert done.exit_code == 0
    assert "b.mkv" in done.stdout
    again = run(recordings / "b.mkv", "--out", tmp_path / "out", "--text", "very good")
    assert "as before" in again.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "a", "--transcript", "b.srt"], "give one"),
        (["--transcript", "none.srt"], r"none\.srt: cannot be read"),
        (["--text", "a"], "one transcript for 3 files"),
        (["--set", "fpz=3"], "did you mean 'fps'"),
        (["--set", "window=0"], "window"),
    ],
)
def test_bad_options_are_one_line(recordings: Path, options: list[str], message: str) -> None:
    done = run(recordings, "--out", recordings / "out", *options)
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match=message):
        raise done.exception


def test_paths_without_media(tmp_path: Path) -> None:
    missing = run(tmp_path / "none", "--out", tmp_path)
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    assert "no media files" in str(run(tmp_path, "--out", tmp_path).exception)


def test_an_output_that_cannot_be_written_stops_nothing(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = run(recordings / "b.mkv", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "out" in done.stderr
