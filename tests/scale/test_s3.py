"""A real S3 server: clips and tables there, connections that break, and credentials unsaid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from breaking_proxy import BreakingProxy, a_breaking_proxy
from clip_files import write_clips

from affuse.errors import InputError
from affuse.scale.prediction import Outcome, Prediction, Request
from affuse.scale.remote import fetched, find_remote, state_of

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow

_SECRET = "wJalrXUtnFEMISECRET"
_KEY = "AKIAKEYOFNOBODY"


@pytest.fixture(scope="module")
def way() -> Iterator[BreakingProxy]:
    """The way to a server of the storage."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with a_breaking_proxy(*server.get_host_and_port()) as proxy:
        yield proxy
    server.stop()


@pytest.fixture
def storage(way: BreakingProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket `corpus`, as whoever has its credentials sees it."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", way.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("corpus")
    yield files
    files.rm("corpus", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def clips(storage: Any, recording: Path, tmp_path: Path) -> Path:
    """Three clips, here and there, with a table there that names them."""
    write_clips(tmp_path / "in", 3, recording)
    rows = "\n".join(f"clip00{number}.wav,clip00{number}.srt" for number in range(3))
    (tmp_path / "in" / "list.csv").write_text(f"path,transcript\n{rows}\n")
    for place in (tmp_path / "in").iterdir():
        storage.put(str(place), f"corpus/in/{place.name}")
    return tmp_path / "in"


def _run(request: Request) -> tuple[Prediction, list[Outcome]]:
    prediction = Prediction(request)
    return prediction, list(prediction.run(ordered=True))


def _said(outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
    assert [one.error for one in outcomes] == [None] * len(outcomes)
    contents = [one.content or {} for one in outcomes]
    return [(c["sentiment"], c["timeline"], c["words"], c["duration"]) for c in contents]


def test_a_table_there_is_answered_as_here(clips: Path, tmp_path: Path) -> None:
    # By this process: a server of workers may have begun before the key was in the environment.
    kept = {"out": tmp_path / "out", "parquet": tmp_path / "t", "jobs": 1}
    _, here = _run(Request((str(clips / "list.csv"),), "sentiment", jobs=1))
    _, there = _run(Request(("s3://corpus/in/list.csv",), "sentiment", **kept))
    assert _said(there) == _said(here)
    assert [one.file for one in there] == [f"s3://corpus/in/clip00{n}.wav" for n in range(3)]
    again, _ = _run(Request(("s3://corpus/in/list.csv",), "sentiment", **kept))
    assert (again.known, again.answered) == (3, 0)


def test_an_object_of_another_etag_is_answered_again(storage: Any, clips: Path, tmp_path) -> None:
    request = Request(("s3://corpus/in/*.wav",), "sentiment", out=tmp_path / "out", jobs=1)
    _, before = _run(request)
    storage.put(str(clips / "clip002.wav"), "corpus/in/clip000.wav")
    storage.invalidate_cache()
    _, after = _run(request)
    assert _said(after)[0] == _said(before)[2]
    assert _said(after)[1:] == _said(before)[1:]
    kept = json.loads((tmp_path / "out" / "clip000.wav.json").read_text())
    assert kept["made_from"]["modified"] == state_of("s3://corpus/in/clip000.wav").version


@pytest.mark.usefixtures("clips")
def test_what_lies_there_is_found() -> None:
    names = [name for _, name in find_remote("s3://corpus/in")]
    assert names == [f"clip00{number}.wav" for number in range(3)]
    with (
        pytest.raises(InputError, match=r"s3://corpus/out: .*no such file"),
        fetched("s3://corpus/out"),
    ):
        pass
    with pytest.raises(InputError, match=r"s3://nobody/a\.wav: cannot be fetched"):
        state_of("s3://nobody/a.wav")


def test_broken_connections_are_tried_again(way: BreakingProxy, clips: Path) -> None:
    content = (clips / "clip000.wav").read_bytes()
    for breaking in (1, 2):
        way.broken, way.breaking = 0, breaking
        with fetched("s3://corpus/in/clip000.wav") as file:
            assert file.read_bytes() == content
        assert way.broken >= 1
    way.breaking = 0


@pytest.mark.usefixtures("clips")
def test_credentials_are_nowhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "affuse", "predict", "--checkpoint", "sentiment"]
    command += ["--out", str(tmp_path / "out"), "--parquet", str(tmp_path / "t")]
    written = b""
    for given in (
        ["s3://corpus/in/list.csv", "s3://corpus/in/none.wav"],
        [f"s3://{_KEY}:{_SECRET}@corpus/in/none.wav"],
    ):
        ended = subprocess.run([*command, *given], capture_output=True, timeout=300, check=False)
        assert ended.returncode == 2
        assert b"none.wav: cannot be fetched" in ended.stderr
        assert b"Traceback" not in ended.stderr
        written += ended.stdout + ended.stderr
    written += b"".join(p.read_bytes() for p in tmp_path.rglob("*.json"))
    tables = [parquet.read_table(tmp_path / "t" / kind) for kind in ("clips", "windows", "errors")]
    written += repr([table.to_pylist() for table in tables]).encode()
    assert len(tables[0]) == 3
    assert _SECRET.encode() not in written
    assert _KEY.encode() not in written


@pytest.mark.parametrize("option", ["--out", "--parquet"])
def test_answers_are_kept_on_disks_alone(option: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "affuse", "predict", "a.wav", option, f"s3://{_KEY}@corpus/t"]
    ended = subprocess.run(words, capture_output=True, cwd=tmp_path, check=False, timeout=100)
    assert ended.returncode == 2
    assert b"s3://: is a URL, and results are written to disks alone" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("storage")
def test_storage_that_is_not_there_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # of each of ours
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InputError, match=r"s3://corpus/a\.wav: cannot be fetched"):
        state_of("s3://corpus/a.wav")
    monkeypatch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
