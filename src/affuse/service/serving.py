"""A service that runs: its socket, its server, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from affuse.errors import InputError
from affuse.service.app import create_app, create_service
from affuse.service.settings import ServiceSettings
from affuse.service.state import Service
from affuse.service.telemetry import Telemetry

_HEADER_SECONDS = 20.0
_MOST_HEADER_BYTES = 1 << 15


class _Protocol(H11Protocol):
    """Hangs up on whoever has not said what they want after a while."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(_HEADER_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Tells the office at once that the end is near, so that streams of events end too."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.office.begin_to_stop()
        super().handle_exit(sig, frame)


class _Lines(logging.Handler):
    """Lines of other libraries in our log: which library and where, but not what they hold."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(logging.WARNING)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{record.module}:{record.lineno}"
        self._telemetry.say("library", record.levelname.lower(), name=record.name, where=where)


class Serving:
    """A service on its socket.

    Args:
        settings: of port 0 a free one is taken.

    Raises:
        InputError: the port or the folder cannot be used.
    """

    def __init__(self, settings: ServiceSettings, telemetry: Telemetry | None = None) -> None:
        self._socket = _bound(settings.host, settings.port)
        try:
            self.service = create_service(settings, telemetry)
        except BaseException:
            self._socket.close()
            raise
        config = uvicorn.Config(
            create_app(self.service),
            http=_Protocol,
            ws="websockets-sansio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=max(1, round(settings.grace)),
            ws_max_size=1 << 22,
            backlog=512,
        )
        self._server = _Server(config, self.service)

    @property
    def address(self) -> str:
        """Of the page."""
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}"

    @property
    def started(self) -> bool:
        """Whether it answers."""
        return bool(self._server.started)

    def run(self) -> None:
        """Serve until the process is asked to end."""
        for name in ("uvicorn", "python_multipart", "websockets", "asyncio"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [_Lines(self.service.telemetry)], False
        self._server.run(sockets=[self._socket])

    def run_beside(self) -> threading.Thread:
        """Serve in a thread, until `stop`."""
        thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), daemon=True
        )
        thread.start()
        return thread

    def stop(self) -> None:
        self.service.office.begin_to_stop()
        self._server.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
        except BaseException:
            made.close()
            raise
    except OSError as error:
        problem = f"{host}:{port} cannot be used ({error.strerror or error})"
        raise InputError(problem, remedy="give another --port or --host") from None
    return made
