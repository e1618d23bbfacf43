"""Requests to a service, as a program makes them: real HTTP, one connection each."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "a-boundary"


class Answer:
    """What a service said."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asking:
    """Asks one service.

    Args:
        address: of it.
        headers: of every request.
    """

    def __init__(self, address: str, **headers: str) -> None:
        self.place, self.headers = urlsplit(address).netloc, headers

    def __call__(
        self, path: str, body: bytes | None = None, method: str = "", **headers: str
    ) -> Answer:
        """Ask for a path; names of headers may have _ for -."""
        sent = {key.replace("_", "-"): text for key, text in {**self.headers, **headers}.items()}
        connection = http.client.HTTPConnection(self.place, timeout=30)
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def send(self, clip: Path | tuple[str, bytes], **fields: Any) -> Answer:
        """Make a job of a clip, of other fields, and of files as (name, content)."""
        named = clip if isinstance(clip, tuple) else (clip.name, clip.read_bytes())
        return self("/v1/jobs", form(file=named, **fields), Content_Type=FORM)

    def ended(self, job: str, seconds: float = 60.0) -> Any:
        """The state of a job once it has ended."""
        last = time.monotonic() + seconds
        while (state := self(f"/v1/jobs/{job}").json)["state"] not in ("done", "failed"):
            assert time.monotonic() < last, state
            time.sleep(0.05)
        return state


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(**fields: Any) -> bytes:
    """A form of texts, and of files as (name, content)."""
    parts = b""
    for field, given in fields.items():
        name, content = given if isinstance(given, tuple) else (None, str(given).encode())
        shown = "" if name is None else f'; filename="{name}"'
        told = f'Content-Disposition: form-data; name="{field}"{shown}'
        parts += f"--{BOUNDARY}\r\n{told}\r\n\r\n".encode()
        parts += content + b"\r\n"
    return parts + f"--{BOUNDARY}--\r\n".encode()
