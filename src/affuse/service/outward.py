"""What the service itself asks of others: clips at URLs, and callbacks; of named hosts alone."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from affuse.errors import InputError, file_error

SIGNATURE, MOMENT = "X-Affuse-Signature", "X-Affuse-Timestamp"
_PATIENCE, _PIECE = 20.0, 1 << 16
_PORTS = {"http": 80, "https": 443}


class Outward:
    """Asks hosts that the operator allowed, at public addresses, and follows no redirect.

    Args:
        hosts: names, or names with a port, that may be asked; without a port its scheme's own.
        most_bytes: of a clip.
        seconds: that fetching a clip may take.
        secret: that callbacks are signed with.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        most_bytes: int,
        seconds: float = 600.0,
        secret: str | None = None,
    ) -> None:
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._most, self._seconds, self._secret = most_bytes, seconds, secret

    def require_allowed(self, url: str) -> SplitResult:
        """The parts of a URL; `InputError` where its host may not be asked."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, (parts.hostname or "").rstrip(".")
        except ValueError:
            raise InputError("a URL cannot be read", remedy="check it") from None
        if parts.scheme not in _PORTS or parts.username is not None or not host:
            remedy = "give http:// or https:// and a host, without a name or password"
            raise InputError("a URL cannot be asked", remedy=remedy)
        usual = _PORTS[parts.scheme]
        named = {f"{host}:{port or usual}", *([host] if port in (None, usual) else [])}
        if not named & self._hosts:
            remedy = "ask the operator to allow it (--allow-host)"
            raise InputError(f"the host '{host[:80]}' is not allowed", remedy=remedy)
        return parts

    def fetch(self, url: str, place: Path) -> None:
        """Bring the clip at a URL to a place on disk, whole or not at all.

        Raises:
            InputError: it is not there, too large, too slow, or the host is not to be asked.
        """
        draft = place.with_name(f".{place.name}")
        try:
            with self._asked("GET", url) as answer, draft.open("wb") as file:
                if answer.status != 200:
                    problem = f"the clip's host answers {answer.status}"
                    raise InputError(problem, remedy="give the URL of the file itself")
                for piece in self._pieces(answer):
                    file.write(piece)
            draft.replace(place)
        except OSError as error:
            raise file_error(error, "cannot be kept", None) from None
        finally:
            draft.unlink(missing_ok=True)

    def call_back(self, url: str, body: bytes) -> bool:
        """Post to whoever wanted to be told; whether they took it."""
        moment = str(int(time.time()))
        headers = {"Content-Type": "application/json", MOMENT: moment}
        if self._secret is not None:
            headers[SIGNATURE] = f"sha256={signature(self._secret, moment, body)}"
        try:
            with self._asked("POST", url, headers, body) as answer:
                return 200 <= answer.status < 300
        except InputError:
            return False

    def _pieces(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        last, total = time.monotonic() + self._seconds, 0
        while True:
            try:
                piece = answer.read(_PIECE)
            except (OSError, http.client.HTTPException):
                raise _unanswered() from None
            if not piece:
                if answer.length:
                    raise InputError("the clip breaks off", remedy="try again")
                return
            total += len(piece)
            if total > self._most:
                raise InputError("the clip is too large", remedy="send a smaller one")
            if time.monotonic() > last:
                raise InputError("the clip comes too slowly", remedy="send it as a file")
            yield piece

    @contextmanager
    def _asked(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Iterator[http.client.HTTPResponse]:
        parts = self.require_allowed(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        connection = _Pinned(host, port, public_address(host, port), tls=parts.scheme == "https")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        told = {"User-Agent": "affuse", "Accept-Encoding": "identity", **(headers or {})}
        try:
            try:
                connection.request(method, target, body or None, told)
                answer = connection.getresponse()
            except (OSError, ValueError, http.client.HTTPException):
                raise _unanswered() from None
            yield answer
        finally:
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was looked at, whatever the name means meanwhile."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=_PATIENCE)
        self.default_port = _PORTS["https" if tls else "http"]
        self._address, self._tls = address, tls

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), _PATIENCE)
        if self._tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def public_address(host: str, port: int) -> str:
    """An address of a host; `InputError` where any of them is of a network of one's own."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(f"the host '{host[:80]}' is not found", remedy="check it") from None
    addresses = [str(place[0]) for *_, place in found]
    if not addresses or not all(_is_public(address) for address in addresses):
        problem = f"the host '{host[:80]}' is in a network of its own"
        raise InputError(problem, remedy="send the clip as a file")
    return addresses[0]


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None) or found
    return bool(inner.is_global and not inner.is_multicast and found.is_global)


def signature(secret: str, moment: str, body: bytes) -> str:
    """HMAC-SHA256 of a callback's moment, a dot and its body, in hexadecimal digits."""
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def _unanswered() -> InputError:
    return InputError("the host does not answer", remedy="check the URL, or try again")
