"""Calls of a service over HTTP, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from affuse.errors import InputError, file_error

_PIECE, _TIMEOUT = 1 << 18, 120.0
_LATER = (429, 503, 507)
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 30.0


class Upload(NamedTuple):
    """A file of a form."""

    field: str
    name: str  # as it is called there
    path: Path


class Calls:
    """Calls of one service; they may be made from several threads.

    Args:
        url: of it; a path in it is a prefix.
        key: for it, or None.
        patience: seconds for which a service that is full, or away, is asked again.

    Raises:
        InputError: what is no URL of a service.
    """

    def __init__(self, url: str, key: str | None, *, patience: float) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            remedy = "give one such as http://localhost:8000"
            raise InputError(f"'{url}' is no address of a service", remedy=remedy)
        self.url, self._patience = url, patience
        self._host, self._port, self._secure = parts.hostname, port, parts.scheme == "https"
        self._prefix, self._met = parts.path.rstrip("/"), False
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def json(self, method: str, path: str) -> Any:
        """What the service answers to a call without a body; None where that is nothing.

        Raises:
            InputError: it refuses, or is not there.
        """
        return self._insist(lambda: self._once(method, path, {}, ()))

    def send(self, fields: Mapping[str, str], files: Sequence[Upload]) -> str:
        """Make a job of a form; its id.

        Raises:
            InputError: a file that cannot be read; a service that refuses, or is not there.
        """
        form = _Form(fields, files)
        made = self._insist(lambda: self._once("POST", "v1/jobs", form.headers, form))
        return str(made["id"])

    def _insist(self, call: Any) -> Any:
        """Call again where the service says later, or does not answer."""
        last, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            try:
                return call()
            except _LaterError as error:
                wait = pause if error.seconds is None else min(error.seconds, _LAST_PAUSE)
                if time.monotonic() + wait > last:
                    raise InputError(str(error), remedy="try again later") from None
                time.sleep(wait)
                pause = min(2 * pause, _LAST_PAUSE)

    def _once(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> Any:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_TIMEOUT)
        told = {**self._headers, **headers, "Accept-Encoding": "identity"}
        try:
            # Who hangs up early may have said why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, f"{self._prefix}/{path}", body or None, told)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            if not self._met and not isinstance(error, TimeoutError):
                remedy = "start affuse serve there, or check the address"
                raise InputError("no service answers", remedy=remedy, source=self.url) from None
            problem = f"{self.url}: the service does not answer ({type(error).__name__})"
            raise _LaterError(problem, None) from None
        finally:
            connection.close()
        self._met = True
        return self._understood(answer, content)

    def _understood(self, answer: http.client.HTTPResponse, content: bytes) -> Any:
        try:
            told = json.loads(content) if content else None
        except ValueError:
            told = None
        if 200 <= answer.status < 300 and (told is not None or not content):
            return told
        line = told.get("error") if isinstance(told, dict) else None
        line = line or f"the service answers {answer.status}"
        if answer.status in _LATER:
            seconds = answer.headers.get("Retry-After", "")
            raise _LaterError(str(line), int(seconds) if seconds.isdecimal() else None)
        if answer.status == 401:
            remedy = "set AFFUSE_KEY to a key of it"
            raise InputError("the service wants a key", remedy=remedy, source=self.url)
        problem, _, remedy = str(line).partition("; ")
        raise InputError(problem, remedy=remedy or "check the address", source=self.url)


class _LaterError(Exception):
    """A service that may answer later, in so many seconds."""

    def __init__(self, line: str, seconds: int | None) -> None:
        super().__init__(line)
        self.seconds = seconds


class _Form:
    """A form as bytes, whose files are read while it is sent; it may be sent again."""

    def __init__(self, fields: Mapping[str, str], files: Sequence[Upload]) -> None:
        self._boundary = secrets.token_hex(16)
        texts = (self._head(name, None) + text.encode() + b"\r\n" for name, text in fields.items())
        self._texts, self._files = b"".join(texts), files
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        size = len(self._texts) + len(self._end)
        for file in self._files:
            try:
                size += len(self._head(file.field, file.name)) + file.path.stat().st_size + 2
            except OSError as error:
                raise file_error(error, "cannot be read", file.path) from None
        kind = f"multipart/form-data; boundary={self._boundary}"
        return {"Content-Type": kind, "Content-Length": str(size)}

    def __iter__(self) -> Iterator[bytes]:
        yield self._texts
        for file in self._files:
            yield self._head(file.field, file.name)
            try:
                with file.path.open("rb") as content:
                    while piece := content.read(_PIECE):
                        yield piece
            except OSError as error:
                raise file_error(error, "cannot be read", file.path) from None
            yield b"\r\n"
        yield self._end

    def _head(self, field: str, name: str | None) -> bytes:
        shown = ""
        if name is not None:
            # As browsers do it.
            clean = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
            shown = f'; filename="{clean}"'
        told = f'Content-Disposition: form-data; name="{field}"{shown}'
        return f"--{self._boundary}\r\n{told}\r\n\r\n".encode(errors="surrogateescape")
