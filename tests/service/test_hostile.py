"""Whatever is sent, it is refused in one line, nothing of it stays, and others get their answer."""

from __future__ import annotations

import errno
import random
import socket
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from asking import BOUNDARY, FORM, form
from services import Pretence, started

from affuse.service import ledger, serving
from affuse.service.job import Request, Sent, new_id

CLIP = ("a.wav", b"sound")


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Any:
    """A service with small limits, whose workers are a pretence."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_HEADER_SECONDS", 0.5)
        patch.setattr(ledger, "_PATIENCE", 0.2)
        limits = {"max_upload": 1, "idle": 0.5, "public_hosts": ("answers.example",), "rate": 0}
        with pytest.MonkeyPatch.context() as workers:
            # Other services of the module have real ones.
            workers.setattr("affuse.service.app.Crew", Pretence)
            running = started(tmp_path_factory.mktemp("hostile"), **limits)
        yield running
        running.stop()


def said(one: Any, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What the service answers to bytes, until it hangs up or has answered."""
    with socket.create_connection(("127.0.0.1", one.port), 10) as line:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(pause)
        heard = b""
        while b"}" not in heard and (piece := line.recv(65536)):
            heard += piece
        return heard


def files(one: Any) -> list[Path]:
    return sorted(Path(one.service.places.folder).iterdir())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:1"}, 202),
        ({"Host": "192.168.1.7:8000"}, 202),
        ({"Host": "answers.example"}, 202),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_only_our_names_and_our_page_may_ask(one, headers, status) -> None:
    answer = one.ask("/v1/jobs", form(file=CLIP), Content_Type=FORM, **headers)
    assert answer.status == status
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", FORM, 400),
        (b"not a form", FORM, 400),
        (form(file=CLIP)[:-30], FORM, 400),
        (form(file=CLIP), "multipart/form-data", 400),
        (form(file=CLIP), "multipart/form-data; boundary=other", 400),
        (form(text="so"), FORM, 422),
        (form(file="no file"), FORM, 422),
        (form(file=("a.wav", b"")), FORM, 422),
        (form(file=CLIP) + form(file=CLIP), FORM, 202),
        (form(file=CLIP, text="a", transcript=("a.srt", b"1")), FORM, 422),
        (form(file=CLIP, colour="red"), FORM, 422),
        (form(file=CLIP, language="klingon"), FORM, 422),
        (form(file=CLIP, audio_track="0"), FORM, 422),
        (form(file=CLIP, recognise="perhaps"), FORM, 422),
        (form(file=CLIP, checkpoint="../../etc"), FORM, 422),
        (form(file=CLIP, text="a" * 1_100_000), FORM, 413),
        (form(file=("a.wav", bytes(1_000_001))), FORM, 413),
        (form(**{f"f{n}": "a" for n in range(40)}), FORM, 400),
        (form(file=CLIP).replace(b"form-data; name", b"attachment; name"), FORM, 400),
        (form(file=CLIP).replace(b'"file"', b'"fi\xff\xfe"'), FORM, 400),
        (form(file=CLIP, text="so").replace(b"so", b"\xff\xfe"), FORM, 400),
        (form(file=CLIP), "text/plain", 415),
        (b'{"urls": ' + b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"1" * 300_000, "application/json", 413),
    ],
)
def test_bodies_that_are_no_clip_are_one_line(one, body, kind, status) -> None:
    before = files(one)
    answer = one.ask("/v1/jobs", body, Content_Type=kind)
    assert answer.status == status, answer.body
    if status != 202:
        assert set(answer.json) == {"error"}
        assert "\n" not in answer.json["error"]
        assert files(one) == before


@pytest.mark.parametrize(
    "name",
    ["../../evil.sh", "/etc/passwd", "..\\..\\evil.bat", "a\x07b.wav", "CON", ".", "x" * 999, "é"],
)
def test_names_are_shown_and_never_used(one, name) -> None:
    made = one.ask("/v1/jobs", form(file=(name, b"sound")), Content_Type=FORM)
    assert made.status == 202
    job = made.json["id"]
    shown = one.ask.ended(job)["file"]
    assert not set("/\\\x07") & set(shown)
    (kept,) = one.service.places.of(job).iterdir()
    assert kept.name.startswith("clip")
    assert len(kept.name) < 14


@pytest.mark.parametrize(
    "path",
    [
        *("/../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../x"),
        *("/v1/jobs/..%2f..", "/v1/jobs/../../etc/passwd/media", "/v1/jobs/" + "0" * 32),
        *("/v1/jobs/%00", "/v1/jobs/" + "é", "/v1/jobs/' OR 1=1 --/result", "//etc/passwd"),
    ],
)
def test_paths_lead_nowhere(one, path) -> None:
    from urllib.parse import quote

    answer = one.ask(quote(path, safe="/%'="))
    assert answer.status == 404
    assert b"root:" not in answer.body


def test_what_is_too_large_is_refused_before_it_is_sent(one) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    answer = said(one, f"{head}Content-Length: 99999999999999999999\r\n\r\n".encode())
    assert b" 413 " in answer or b" 400 " in answer
    assert b" 413 " in said(one, f"{head}Content-Length: 2100000\r\n\r\n".encode())
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    begun = form(file=CLIP)[:-18]
    size = f"{len(begun):x}\r\n".encode()
    sent = [f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), size + begun + b"\r\n"]
    assert b" 413 " in said(one, *sent, *([chunk] * 17))


def test_what_is_too_slow_is_hung_up_on(one) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    begun = form(file=CLIP)[:-30]
    slow = f"{head}Content-Length: 1000\r\n\r\n".encode() + begun
    assert b" 408 " in said(one, slow)
    assert said(one, b"GET /healthz HTTP/1.1\r\nHost: local", pause=1.0) == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_heads_that_are_none(one, head) -> None:
    answer = b""
    with suppress(ConnectionError):
        answer = said(one, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert one.ask("/healthz").status == 200


def test_a_full_disk_is_told(one, monkeypatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files(one)
    monkeypatch.setattr("affuse.service.uploads._Reading.flush", full)
    answer = one.ask("/v1/jobs", form(file=CLIP), Content_Type=FORM)
    assert (answer.status, "no room" in answer.json["error"]) == (507, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert files(one) == before


def test_a_list_that_another_program_holds_is_told(one) -> None:
    place = one.service.settings.data / "jobs.sqlite"
    before = files(one)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = one.ask("/v1/jobs", form(file=CLIP), Content_Type=FORM)
    assert (answer.status, one.ask("/healthz").status) == (503, 200)
    assert int(answer.headers["Retry-After"]) > 0
    assert files(one) == before
    holder.execute("ROLLBACK")
    assert one.ask("/v1/jobs", form(file=CLIP), Content_Type=FORM).status == 202


def test_a_clip_that_vanished_is_a_failure_with_its_name(service) -> None:
    job = new_id()
    service.service.office.submit(job, "", Request(clip=Sent(name="gone.wav")), most=10)
    state = service.ask.ended(job)
    assert state["state"] == "failed"
    assert state["error"].startswith("gone.wav: ")


@pytest.mark.slow
def test_a_thousand_malformed_bodies(one) -> None:
    """Forms with bytes changed, moved, doubled and lost: 4xx, or a job where nothing mattered."""
    draw = random.Random(0)
    whole = form(file=CLIP, text="so it is", language="en", transcript=("a.srt", b"1\n"))
    statuses = set()
    for _ in range(1000):
        body = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            at = draw.randrange(len(body))
            kind = draw.randrange(4)
            if kind == 0:
                body[at] = draw.randrange(256)
            elif kind == 1:
                del body[at : at + draw.randint(1, 20)]
            elif kind == 2:
                body[at:at] = body[at : at + draw.randint(1, 60)]
            else:
                body[at:at] = draw.choice([b"\r\n", b"\0", f"--{BOUNDARY}".encode(), b'"', b";"])
        statuses.add(one.ask("/v1/jobs", bytes(body), Content_Type=FORM).status)
    assert statuses <= {202, 400, 413, 415, 422}
    assert one.ask("/healthz").status == 200
