"""Files are written whole or not at all, wherever they lie."""

from __future__ import annotations

import json
import math
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.files import make_folder, null_to_nan, to_strict_json, write_atomic


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"before")
    with path.open("rb") as reader:
        write_atomic(path, b"after")
        assert reader.read() == b"before"
    assert path.read_bytes() == b"after"
    assert names(tmp_path) == ["result.json"]


def test_what_does_not_fit_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"before")
    with room_for(1000), pytest.raises(InputError, match="make room there"):
        write_atomic(path, b"x" * 5000)
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["result.json"]


def test_a_full_device_is_an_error_and_stays_a_device() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no device that is always full")
    with pytest.raises(InputError, match=r"/dev/full: cannot be written .*; make room"):
        write_atomic(full, b"x")
    assert full.is_char_device()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"content")
    reader.join(timeout=10)
    assert received == [b"content"]
    assert pipe.is_fifo()


def test_a_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, b"content")
    assert link.is_symlink()
    assert target.read_bytes() == b"content"


@pytest.mark.parametrize("place", ["absent/file", "file/below", "folder"])
def test_an_impossible_place_is_an_error_that_names_it(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"cannot be written .*; give a path") as caught:
        write_atomic(tmp_path / place, b"x")
    assert str(caught.value).startswith(str(tmp_path / place))
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("write", [make_folder, lambda path: write_atomic(path / "a", b"1")])
def test_a_url_is_no_folder(tmp_path: Path, monkeypatch, write) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="s3://: is a URL, and results are written to disks"):
        write(Path("s3://me:secret@bucket/answers"))
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/c: cannot be made"):
        make_folder(tmp_path / "file" / "c")


def test_json_has_null_for_what_it_cannot_hold() -> None:
    content = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": None, "d": "é", "e": 10**20}}
    text = to_strict_json(content)
    assert "é" in text
    read = json.loads(text, parse_constant=pytest.fail)
    assert read == {"a": [1.5, None, [None, None]], "b": {"c": None, "d": "é", "e": 10**20}}
    assert math.isnan(null_to_nan(read)["a"][1])
    assert null_to_nan(read)["a"][0] == 1.5
