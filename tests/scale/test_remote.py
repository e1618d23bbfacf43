"""Clips behind URLs, and that nothing says what opened them."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import InputError
from affuse.scale import remote
from affuse.scale.remote import fetched, find_remote, shown_url, state_of
from affuse.scale.sources import Sources

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pass@host/a.mp4", "https://host/a.mp4"),
        ("https://me:p@ss@host:80/a.mp4", "https://host:80/a.mp4"),
        ("s3://bucket/a b.mp4", "s3://bucket/a b.mp4"),
        ("https://h/a.mp4?X-Amz-Signature=1&X-Amz-Credential=me", "https://h/a.mp4"),
        ("https://h/a.mp4?sv=2020&sig=abc&se=9&sp=r", "https://h/a.mp4"),
        ("https://h/a.mp4?access_token=abc", "https://h/a.mp4"),
        ("zip://a.mp4::https://me:pass@host/x.zip", "zip://a.mp4::https://host/x.zip"),
    ],
)
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_what_a_query_asks_for_tells_clips_apart() -> None:
    one, two = (shown_url(f"https://h/get?id={n}&token=secret{n}") for n in (1, 2))
    assert one != two
    assert one == shown_url("https://h/get?token=new&id=1")
    assert "id" not in one


class _Handler(http.server.SimpleHTTPRequestHandler):
    """A server of files, which breaks off the first answers."""

    broken = 0

    def do_GET(self) -> None:
        if type(self).broken:
            type(self).broken -= 1
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"some")
            self.close_connection = True
            return
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote, "_PAUSE", 0.01)
    handler = partial(_Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def test_a_file_is_fetched_again_where_the_connection_breaks(server: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a.wav").write_bytes(content)
    _Handler.broken = 1
    with fetched(f"{server}/a.wav") as file:
        assert file.read_bytes() == content
        assert file.suffix == ".wav"
    assert not file.exists()
    assert state_of(f"{server}/a.wav").size == len(content)


def test_what_cannot_be_fetched_is_told_without_credentials(server: str) -> None:
    url = server.replace("://", "://me:secret@") + "/none.wav?token=secret"
    with pytest.raises(InputError) as told, fetched(url):
        pass
    assert "/none.wav: cannot be fetched (no such file)" in str(told.value)
    assert "secret" not in str(told.value)
    with pytest.raises(InputError, match=r"cannot be fetched \(ClientConnectorError\)"):
        state_of("http://127.0.0.1:1/a.wav")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nosuch://x/a.mp4", "nosuch://x/a.mp4: is of no known storage"),
        ("s3://b/a.mp4", r"s3:// needs a package that is not installed; pip install .*s3fs"),
    ],
)
def test_storage_that_cannot_be_reached_names_what_is_missing(
    url: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=problem), fetched(url):
        pass


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match=r"pip install 'affuse\[remote\]'"):
        list(Sources(["s3://b/*.mp4"]))


def test_folders_globs_and_manifests_of_storage() -> None:
    files = fsspec.filesystem("memory")
    for name in ("clips/b/x.mp4", "clips/a.wav", "clips/notes.txt"):
        files.pipe(f"/store/{name}", b"1")
    files.pipe("/store/list.csv", b"path,transcript\nclips/a.wav,a.srt\nhttp://u:p@h/z.mp4,\n")
    names = [name for _, name in find_remote("memory://store/clips")]
    assert names == ["a.wav", "b/x.mp4"]
    assert [place for place, _ in find_remote("memory://store/clips/*.wav")] == [
        "memory://store/clips/a.wav"
    ]
    first, second = Sources(["memory://store/list.csv"])
    assert (first.place, first.name) == ("memory://store/clips/a.wav", "clips/a.wav")
    assert first.row is not None
    assert first.row.transcript == "memory://store/a.srt"
    assert (second.shown, second.name) == ("http://h/z.mp4", "h/z.mp4")
    with pytest.raises(InputError, match="holds no media files"):
        list(Sources(["memory://store/*.mkv"]))
    files.rm("/store", recursive=True)
