"""What the service asks of others: named hosts at public addresses, and nothing else."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import InputError
from affuse.service import outward
from affuse.service.outward import MOMENT, SIGNATURE, Outward, public_address, signature

CLIP = b"sound" * 1000


class Host(BaseHTTPRequestHandler):
    """A host with a clip, and with other things."""

    taken: list[tuple[dict[str, str], bytes]]

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1/")
            self.end_headers()
            return
        self.send_response(200 if self.path.startswith("/a.wav") else 404)
        if self.path != "/a.wav?cut":
            self.send_header("Content-Length", str(len(CLIP)))
        self.end_headers()
        self.wfile.write(CLIP)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def host(monkeypatch) -> Iterator[str]:
    """A host that is taken for one at a public address."""
    Host.taken = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(outward, "public_address", lambda *_: "127.0.0.1")
    yield f"media.example:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1"),
        *("::ffff:127.0.0.1", "fc00::1", "100.64.0.1", "224.0.0.1", "2002:7f00:1::"),
    ],
)
def test_hosts_in_networks_of_their_own_are_not_asked(monkeypatch, address) -> None:
    def found(*_: Any, **__: Any) -> Any:
        public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))
        return [public, (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 80))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(InputError, match="in a network of its own"):
        public_address("media.example", 80)


@pytest.mark.parametrize(
    "url",
    [
        *("http://other.example/a", "file:///etc/passwd", "ftp://media.example/a", "http://"),
        *("http://media.example:22/a", "http://ann:secret@media.example/a", "http://[::1/a"),
        *("http://media.example@other.example/a", "http://media.example.other.example/a", "//a"),
    ],
)
def test_only_named_hosts_are_asked(url) -> None:
    with pytest.raises(InputError, match=r"is not allowed|cannot be"):
        Outward(["media.example"], most_bytes=10).require_allowed(url)
    Outward(["media.example"], most_bytes=10).require_allowed("https://media.example:443/a")


def test_a_clip_is_fetched_whole_or_not_at_all(host, tmp_path) -> None:
    asks, place = Outward([host], most_bytes=len(CLIP)), tmp_path / "clip.wav"
    asks.fetch(f"http://{host}/a.wav", place)
    assert place.read_bytes() == CLIP
    place.unlink()
    for path, line in (("gone", "answers 404"), ("moved", "answers 302")):
        with pytest.raises(InputError, match=line):
            asks.fetch(f"http://{host}/{path}", place)
    with pytest.raises(InputError, match="too large"):
        Outward([host], most_bytes=100).fetch(f"http://{host}/a.wav?cut", place)
    assert list(tmp_path.iterdir()) == []


def test_urls_become_jobs_whose_end_is_called_back(host, start) -> None:
    one = start(allowed_hosts=(host,), secret="a secret of letters")
    asked = {"urls": [f"http://{host}/a.wav", f"http://{host}/gone"], "text": "so"}
    asked["callback"] = f"http://{host}/told"
    answer = one.ask("/v1/jobs", json.dumps(asked).encode(), Content_Type="application/json")
    assert answer.status == 202
    first, second = (job["id"] for job in answer.json["jobs"])
    assert one.ask.ended(first)["file"] == "a.wav"
    assert "answers 404" in one.ask.ended(second)["error"]
    last = time.monotonic() + 10
    while len(Host.taken) < 2 and time.monotonic() < last:
        time.sleep(0.05)
    headers, body = next(taken for taken in Host.taken if first in taken[1].decode())
    assert json.loads(body) == {"id": first, "state": "done"}
    assert headers[SIGNATURE] == "sha256=" + signature("a secret of letters", headers[MOMENT], body)


def test_urls_of_other_hosts_make_no_job(start) -> None:
    one = start()
    for asked in ({"urls": ["http://127.0.0.1/"]}, {"urls": []}, {"urls": "a"}, [], {"url": "a"}):
        body = json.dumps(asked).encode()
        assert one.ask("/v1/jobs", body, Content_Type="application/json").status in (400, 422)
    refused = one.ask.send(("a.wav", b"sound"), callback="http://127.0.0.1:9/")
    assert refused.status == 422
    assert not list(Path(one.service.places.folder).iterdir())
