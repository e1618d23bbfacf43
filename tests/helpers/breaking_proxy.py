"""A way to a server on which connections break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_FORWARDED = 600  # bytes of an answer that come through before a connection breaks


class BreakingProxy:
    """Forwards connections, and breaks the next `breaking` of them in the middle of the answer."""

    def __init__(self, host: str, port: int) -> None:
        self._there = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = "http://{}:{}".format(*self._listening.getsockname())
        self.breaking = self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                breaks = self.broken < self.breaking
                self.broken += breaks
                far = socket.create_connection(self._there)
                for source, target, most in ((near, far, None), (far, near, _FORWARDED)):
                    args = source, target, most if breaks else None
                    threading.Thread(target=_forward, args=args, daemon=True).start()


def _forward(source: socket.socket, target: socket.socket, most: int | None) -> None:
    left = most
    with suppress(OSError):
        while content := source.recv(65536):
            if left is not None:
                content, left = content[:left], left - len(content)
            target.sendall(content)
            if left is not None and left <= 0:
                break
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_breaking_proxy(host: str, port: int) -> Iterator[BreakingProxy]:
    proxy = BreakingProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
