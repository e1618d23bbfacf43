"""What stands before every answer: who may ask by which name, what browsers are told, the log."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affuse.service.telemetry import Telemetry

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Of what strangers sent, which must not run here.
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
_READS = frozenset(("GET", "HEAD", "OPTIONS"))


class Guards:
    """Refuses what comes by a foreign name or from a foreign page, and marks every answer.

    Args:
        names: under which the service may be reached, beside localhost and addresses: a page of
            elsewhere whose name is pointed here (DNS rebinding) has neither.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry
        self._names = frozenset(name.lower().rstrip(".") for name in names) | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        line = self._foreign(scope)
        try:
            if line is None:
                await self._app(scope, receive, marked)
            elif scope["type"] == "http":
                await JSONResponse({"error": line}, 403)(scope, receive, marked)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": line})
        finally:
            if scope["type"] == "http":
                self._telemetry.asked(scope, status, time.monotonic() - began)

    def _foreign(self, scope: Scope) -> str | None:
        """Why a request is not for us, if it is not."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._ours(_name_of(hosts[0])):
            return "the service is not reached by this name; see --public-host"
        changes = scope["type"] == "websocket" or scope["method"] not in _READS
        if not changes:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return "another site's page may not ask this"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return "another site's page may not ask this"
        return None

    def _ours(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


def _name_of(host: str) -> str:
    """The name or address in a Host header, without its port."""
    bracket = host.rfind("]")
    colon = host.rfind(":")
    return host[:colon] if colon > bracket else host
