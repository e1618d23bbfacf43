"""Forms with files, written to disk while they come: never whole in memory, never too slow."""

from __future__ import annotations

import asyncio
import errno
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import IO, Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from affuse.service.job import Places, Sent, shown_name
from affuse.service.refusal import Refused, later
from affuse.service.settings import ServiceSettings

TRANSCRIPT_BYTES = 1 << 26
FIELD_BYTES = 1 << 20
_MOST_PARTS, _MOST_HEADERS = 32, 8
# Written at once, in bytes.
_PIECE = 1 << 20


class Form:
    """A form as it came: texts by field, and names of files by field."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.files: dict[str, Sent] = {}


async def read_body(request: HttpRequest, settings: ServiceSettings) -> AsyncIterator[bytes]:
    """The pieces of a body; `Refused` for one that is too large, too slow or breaks off."""
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated[:18]) > settings.most_bytes + FIELD_BYTES:
        raise _too_large(settings)
    pieces, total, began = request.stream().__aiter__(), 0, time.monotonic()
    while True:
        try:
            piece = await asyncio.wait_for(anext(pieces), settings.idle)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:
            raise Refused(400, "the upload broke off; send it again") from None
        total += len(piece)
        if total > settings.most_bytes + FIELD_BYTES:
            raise _too_large(settings)
        if time.monotonic() - began > settings.idle + total / max(settings.slowest, 1e-9):
            raise _too_slow()
        yield piece


async def read_form(
    request: HttpRequest, settings: ServiceSettings, job: str, places: Places
) -> Form:
    """Read a form with the files of a job, which are in their places then.

    Raises:
        Refused: it is none, or too much, or there is no room; then nothing is left on disk.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary or len(boundary) > 200:
        raise Refused(400, "the form has no boundary; send multipart/form-data")
    reading = _Reading(settings, job, places)
    try:
        parser = MultipartParser(boundary, reading.callbacks(), max_header_count=_MOST_HEADERS)
        async for piece in read_body(request, settings):
            parser.write(piece)
            if reading.waiting >= _PIECE:
                await run_in_threadpool(reading.flush)
        parser.finalize()
        await run_in_threadpool(reading.flush)
        reading.require_whole()
    except BaseException as error:
        reading.close()
        await run_in_threadpool(shutil.rmtree, places.of(job), ignore_errors=True)
        raise _refusal_of(error) from None
    reading.close()
    return reading.form


def _refusal_of(error: BaseException) -> BaseException:
    if isinstance(error, MultipartParseError):
        return Refused(400, "the form is damaged; send multipart/form-data")
    if isinstance(error, UnicodeError | ValueError):
        return Refused(400, "the form has letters that are not UTF-8")
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full:
            return later(507, "there is no room for the upload now; try again later", 60)
        return later(503, "the upload cannot be written now; try again later", 30)
    return error


class _Reading:
    """The state of one form while it comes."""

    def __init__(self, settings: ServiceSettings, job: str, places: Places) -> None:
        self.form = Form()
        self._settings, self._job, self._places = settings, job, places
        self._limits = {"file": settings.most_bytes, "transcript": TRANSCRIPT_BYTES}
        self._parts, self._ended = 0, False
        self._field = ""
        self._header, self._value, self._headers = b"", b"", dict[bytes, bytes]()
        self._file: IO[bytes] | None = None
        self._held, self._size = bytearray(), 0

    @property
    def waiting(self) -> int:
        """Bytes of a file that are not written yet."""
        return len(self._held) if self._file is not None else 0

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def flush(self) -> None:
        if self._file is not None and self._held:
            self._file.write(self._held)
            self._held = bytearray()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def require_whole(self) -> None:
        if not self._ended:
            raise Refused(400, "the form breaks off; send it again")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise Refused(400, "the form has too many parts")
        self._headers, self._held, self._size = {}, bytearray(), 0

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        """What a part is, is known: a text, or a file, which has a name."""
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise Refused(400, "a part of the form has no name")
        self._field = options[b"name"].decode()
        name = options.get(b"filename")
        if self._field in self.form.files or self._field in self.form.texts:
            raise Refused(422, f"the form has two fields '{self._field[:40]}'; send one")
        if self._field in self._limits and name is not None:
            sent = Sent(name=shown_name(name.decode(errors="replace")))
            self.form.files[self._field] = sent
            choose = self._places.clip if self._field == "file" else self._places.transcript
            place = choose(self._job, sent)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._file = place.open("xb")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        most = FIELD_BYTES if self._file is None else self._limits[self._field]
        if self._size > most:
            if self._field == "file":
                raise _too_large(self._settings)
            raise Refused(413, f"field '{self._field[:40]}' is too large")
        self._held += data[start:end]

    def _end(self) -> None:
        if self._file is None:
            self.form.texts[self._field] = self._held.decode()
        else:
            self.flush()
            self.close()

    def _finish(self) -> None:
        self._ended = True


def _too_large(settings: ServiceSettings) -> Refused:
    return Refused(413, f"more than {settings.max_upload} MB; send a shorter or smaller clip")


def _too_slow() -> Refused:
    return Refused(408, "the upload is too slow; send it again")
