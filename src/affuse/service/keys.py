"""Keys of the service: a file of names and hashes, and whose key a request bears."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from affuse.errors import InputError, file_error

COOKIE = "affuse_key"
NOBODY = ""
_LINE = re.compile(r"([\w.-]{1,64})\s+([0-9a-f]{64})")
_LONGEST = 256


class Keys:
    """The keys that are known, by the names of their owners.

    A key is 256 random bits, which nobody can guess from a hash; so one round of SHA-256 will do.
    """

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes = dict(hashes)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read lines of a name and a hash; empty ones and those that begin with # are none.

        Raises:
            InputError: the file cannot be read, or a line is something else.
        """
        hashes: dict[str, bytes] = {}
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise file_error(error, "cannot be read", path) from None
        except UnicodeDecodeError:
            raise InputError("is no text", remedy="give a file of keys", source=path) from None
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None or found[1] in hashes:
                problem = f"line {number} is no name with a hash, or a name again"
                remedy = "add keys by affuse serve --keys FILE --new-key NAME"
                raise InputError(problem, remedy=remedy, source=path)
            hashes[found[1]] = bytes.fromhex(found[2])
        if not hashes:
            remedy = "add one by affuse serve --keys FILE --new-key NAME"
            raise InputError("holds no keys", remedy=remedy, source=path)
        return cls(hashes)

    def owner(self, key: str | None) -> str | None:
        """Whose key it is; None for nobody's. All are compared, whichever fits."""
        given = hashlib.sha256((key or "")[:_LONGEST].encode()).digest()
        found: str | None = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(known, given):
                found = name
        return found


def add_key(path: Path, name: str) -> str:
    """Make a key for a name, and write its hash to the file; the key itself is nowhere.

    Raises:
        InputError: a name that cannot stand there, or is there already.
    """
    if not re.fullmatch(r"[\w.-]{1,64}", name):
        remedy = "use letters, digits, dots and hyphens"
        raise InputError(f"'{name}' is no name for a key", remedy=remedy)
    key = secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"
    try:
        known = path.read_text() if path.exists() else ""
        if re.search(rf"^{re.escape(name)}\s", known, re.MULTILINE):
            remedy = "remove its line first, or choose another name"
            raise InputError(f"has a key for '{name}'", remedy=remedy, source=path)
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(line if known.endswith("\n") or not known else f"\n{line}")
    except OSError as error:
        raise file_error(error, "cannot be written", path) from None
    return key


def bearer(header: str | None, cookie: str | None) -> str | None:
    """The key that a request bears: `Authorization: Bearer KEY`, or the page's cookie."""
    kind, _, key = (header or "").partition(" ")
    return key.strip() if kind.lower() == "bearer" and key.strip() else cookie
