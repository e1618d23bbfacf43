"""The page's server: on this machine alone, for whoever knows the token in its address."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from affuse.annotation.byte_ranges import asked_range
from affuse.annotation.queue_of_clips import Queue
from affuse.annotation.shelf import Shelf
from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.media.playable import Playable, playable
from affuse.files import to_strict_json
from affuse.report.pages import render_page

HOST = "127.0.0.1"
_LARGEST, _PIECE = 1 << 16, 1 << 16
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGES = {
    "": ("labelling.html", "text/html; charset=utf-8"),
    "page.css": ("labelling.css", "text/css; charset=utf-8"),
    "page.js": ("labelling.js", "text/javascript; charset=utf-8"),
}


class LabelServer(ThreadingHTTPServer):
    """Serves one queue of clips.

    Args:
        port: 0 takes a free one.
        conversions: the folder of what browsers do not play as it is.

    Raises:
        InputError: the port is taken.
    """

    daemon_threads = True
    # Another program on the port must not be talked to by mistake.
    allow_reuse_address = False

    def __init__(self, shelf: Shelf, queue: Queue, port: int, conversions: Path) -> None:
        self.shelf, self.queue, self.conversions = shelf, queue, conversions
        self.token = secrets.token_urlsafe(24)
        self.lock, self._converting = threading.Lock(), threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            problem = f"port {port} cannot be used ({error.strerror})"
            raise InputError(problem, remedy="give another --port, or none") from None

    @property
    def address(self) -> str:
        """Of the page, with its token."""
        return f"http://{HOST}:{self.server_address[1]}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(f"{name}:{self.server_address[1]}" for name in (HOST, "localhost"))

    def media(self, number: int) -> Playable:
        """What is played of a clip, which is converted first where it must be."""
        clip = self.queue.clip(number)
        found = self.shelf.places.find(clip.row.file_name, clip.row.base)
        if found.path is None:
            problem = f"file '{clip.row.file_name}' {found.wrong}"
            raise InputError(problem, remedy="put it back", source=clip.row.place)
        with self._converting:
            return playable(found.path, clip.take.segment, self.conversions)

    def shown(self, number: int) -> dict[str, Any]:
        """What the page shows of a clip, as JSON content."""
        clip = self.queue.clip(number)
        about: dict[str, Any] = {"number": number, "name": clip.name, "label": clip.label}
        about |= {"why": clip.why, "words": self.shelf.words_of(clip)}
        try:
            media = self.media(number)
        except AffuseError as error:
            return {**about, "error": str(error)}
        seconds = {"start": media.start, "end": media.end, "notice": media.notice}
        return {**about, "type": media.type, "pictures": media.pictures, **seconds}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is printed: a player that hangs up is no fault, and others get their answer."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: LabelServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "affuse", ""
    timeout = 60

    def log_message(self, *_: object) -> None:
        """Nothing: the terminal is for what the user should know."""

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_HEAD(self) -> None:
        self._guarded(self._get)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def _guarded(self, answer: Callable[[str], None]) -> None:
        """Answer by the rest of the path, if host and token are ours; errors are one line."""
        try:
            token, _, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
            known = secrets.compare_digest(token.encode(), self.server.token.encode())
            if self.headers.get("Host") not in self.server.hosts or not known:
                self._refuse(HTTPStatus.FORBIDDEN, "open the address that affuse label printed")
                return
            answer(rest)
        except AffuseError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except ConnectionError:
            self.close_connection = True

    def _get(self, rest: str) -> None:
        kind, _, number = rest.partition("/")
        if rest in _PAGES:
            template, media_type = _PAGES[rest]
            self._send(render_page(template).encode(), media_type)
        elif rest == "state":
            with self.server.lock:
                state = self.server.queue.state()
            self._send_json(state)
        elif kind == "clips" and number.isdecimal():
            self._send_json(self.server.shown(int(number[:9])))
        elif kind == "media" and number.isdecimal():
            self._send_file(self.server.media(int(number[:9])))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self, rest: str) -> None:
        given = self._body()
        queue, undone = self.server.queue, None
        with self.server.lock:
            if rest == "label":
                queue.label(given.get("clip"), given.get("label"))
            elif rest == "skip":
                queue.skip(given.get("clip"))
            elif rest == "undo":
                undone = queue.undo()
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
                return
            state = queue.state()
        self._send_json({**state, "undone": undone})

    def _body(self) -> dict[str, Any]:
        """What was posted; `InputError` where it is not of our page."""
        origin = self.headers.get("Origin")
        ours = origin is None or origin.removeprefix("http://") in self.server.hosts
        plain = self.headers.get_content_type() == "application/json"
        length = self.headers.get("Content-Length", "")
        if ours and plain and length.isdecimal() and int(length[:9]) <= _LARGEST:
            try:
                content = json.loads(self.rfile.read(int(length)))
            except ValueError:
                content = None
            if isinstance(content, dict):
                return content
        # What was sent may be left unread.
        self.close_connection = True
        raise InputError("the request is not one of the page", remedy="load the page anew")

    def _send_file(self, media: Playable) -> None:
        try:
            with media.path.open("rb") as file:
                size = file.seek(0, 2)
                part = asked_range(self.headers.get("Range"), size)
                if part is None:
                    self._begin(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, media.type, 0,
                                {"Content-Range": f"bytes */{size}"})  # fmt: skip
                    return
                told = {"Accept-Ranges": "bytes"}
                status = HTTPStatus.OK
                if len(part) < size:
                    status = HTTPStatus.PARTIAL_CONTENT
                    told["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
                self._begin(status, media.type, len(part), told)
                file.seek(part.start)
                left = len(part) if self.command != "HEAD" else 0
                while left and (piece := file.read(min(left, _PIECE))):
                    self.wfile.write(piece)
                    left -= len(piece)
                # A file that became shorter meanwhile.
                self.close_connection |= left > 0
        except ConnectionError:
            raise
        except OSError as error:
            raise file_error(error, "cannot be read", media.path) from None

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(to_strict_json(content).encode(), "application/json", status)

    def _send(self, body: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._begin(status, media_type, len(body), {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, line: str) -> None:
        if self.command == "POST":
            self.close_connection = True
        self._send_json({"error": line}, status)

    def _begin(
        self, status: HTTPStatus, media_type: str, length: int, further: dict[str, str]
    ) -> None:
        self.send_response(status)
        headers = {**_HEADERS, **further}
        headers |= {"Content-Type": media_type, "Content-Length": str(length)}
        headers |= {"Connection": "close"} if self.close_connection else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
