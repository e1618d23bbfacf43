"""Clips in storage that fsspec reaches: s3://, gs://, az://, https:// and what else is installed.

Credentials are those of the user's own drivers, from the environment or a URL; nothing that affuse
shows or writes holds them, and so no word of what a driver says does.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

from affuse.errors import InputError
from affuse.extract.folder import MEDIA
from affuse.files import digest
from affuse.optional import require

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# Parameters by which URLs are signed, in letters alone.
_SECRET = re.compile(
    r"xamz.*|xgoog.*|.*(token|secret|password|passwd|pwd|signature|credentials?|apikey|accesskey)|"
    r"awsaccesskeyid|googleaccessid|sig|expires|policy|auth|authorization|key|keypairid|jwt|"
    r"s[epvtr]|sk[a-z]+"
)
_USER = re.compile(r"//[^/]*@")
_TRIES = 3
_PAUSE = 0.5  # seconds before it is tried again, doubled each time
_BLOCK = 1 << 20
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}

T = TypeVar("T")


class State(NamedTuple):
    """What tells that a file has changed."""

    size: int | None
    version: str | None  # its etag, or the time of its last change


def is_url(place: str) -> bool:
    return "://" in place and _URL.match(place) is not None


def shown_url(place: str) -> str:
    """A URL without user, password and signature; anything else as it is.

    What a query asks for beside them is told by a digest of it, so that two clips stay two.
    """
    if not is_url(place):
        return place
    parts = urlsplit(_USER.sub("//", place))
    asked = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _secret(k)]
    query = f"?{digest(repr(sorted(asked)).encode(), 8)}" if asked else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def _secret(key: str) -> bool:
    return _SECRET.fullmatch(re.sub(r"[^a-z]", "", key.lower())) is not None


def find_remote(url: str) -> Iterator[tuple[str, str]]:
    """The URLs of the clips that a URL means, and the name of each: a file, a glob or a folder."""
    if url.lower().startswith(("http://", "https://")):
        yield url, posixpath.basename(urlsplit(url).path) or "clip"
        return
    files, path = _storage(url)
    begin = url.rstrip("/").removesuffix(path)
    if any(mark in path for mark in "*?["):
        found = {
            place: posixpath.basename(place) for place in _tried(url, lambda: files.glob(path))
        }
    elif _tried(url, lambda: files.isdir(path)):
        below = _tried(url, lambda: files.find(path))
        media = (one for one in below if posixpath.splitext(one)[1].lower() in MEDIA)
        found = {one: posixpath.relpath(f"/{one}", f"/{path}") for one in media}
    else:
        found = {path: posixpath.basename(path)}
    if not found:
        remedy = "give another place"
        raise InputError("holds no media files", remedy=remedy, source=shown_url(url))
    yield from ((f"{begin}{place}", name) for place, name in sorted(found.items()))


def state_of(url: str) -> State:
    """What tells whether the file of a URL has changed, without reading it."""
    files, path = _storage(url)
    info = _tried(url, lambda: files.info(path))
    named = ("ETag", "etag", "md5Hash", "md5", "mtime", "LastModified", "last_modified", "updated")
    version = next((str(info[key]).strip('"') for key in named if info.get(key)), None)
    size = info.get("size")
    return State(None if size is None else int(size), version)


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """The file of a URL, on this machine's disk as long as it is needed."""
    files, path = _storage(url)
    suffix = posixpath.splitext(urlsplit(url).path)[1]
    with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
        place = Path(folder) / f"clip{suffix}"
        _tried(url, lambda: _copy(files, path, place))
        yield place


def _copy(files: Any, path: str, place: Path) -> None:
    with files.open(path, "rb") as source, place.open("wb") as out:
        while block := source.read(_BLOCK):
            out.write(block)


def _storage(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    fsspec = require("fsspec", extra="remote")
    scheme = url.partition("://")[0].lower()
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except ImportError:
        package = _PACKAGES.get(scheme)
        if package is None:
            extra = "pip install 'affuse[remote]'" if scheme in ("http", "https") else None
            remedy = extra or f"install the fsspec driver of {scheme}"
        else:
            remedy = f"pip install 'affuse[remote]' {package}"
        problem = f"{scheme}:// needs a package that is not installed"
        raise InputError(problem, remedy=remedy, source=shown_url(url)) from None
    except ValueError:
        remedy = "check what stands before ://"
        raise InputError("is of no known storage", remedy=remedy, source=shown_url(url)) from None
    except Exception as error:
        raise _refused(error, url) from None
    return found


def _tried(url: str, ask: Callable[[], T]) -> T:
    """Ask a storage, again where the connection breaks."""
    for number in range(_TRIES):
        try:
            return ask()
        except Exception as error:
            # Of HTTP, a file counts as absent whatever the reason is.
            cause = error.__cause__ if isinstance(error, FileNotFoundError) else None
            found = cause if isinstance(cause, Exception) else error
            final = number == _TRIES - 1 or isinstance(found, FileNotFoundError | PermissionError)
            if final or _status(found) in range(400, 500):
                raise _refused(found, url) from None
            time.sleep(_PAUSE * 2**number)
    raise AssertionError


def _status(error: Exception) -> int | None:
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _refused(error: Exception, url: str) -> InputError:
    """The error in a user's terms. What a driver says may hold credentials, and stays unsaid."""
    status = _status(error)
    why = type(error).__name__ if status is None else f"status {status}"
    if isinstance(error, FileNotFoundError) or status == 404:
        why = "no such file"
    remedy = "check the address, the connection and your credentials"
    return InputError(f"cannot be fetched ({why})", remedy=remedy, source=shown_url(url))
