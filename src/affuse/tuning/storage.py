"""Where a study is kept: an SQLite file, or a database server that many machines share."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from platformdirs import user_state_path
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from affuse.errors import InputError
from affuse.files import make_folder

WAIT = 10
"""Seconds that a database server may take to answer."""

LOCKED = 60
"""Seconds to wait for an SQLite file that another process writes."""

_ATTEMPTS = 5


@dataclass(frozen=True)
class Place:
    """The database of studies; `shown` is what a user may read, without the password."""

    url: URL
    shown: str

    def __str__(self) -> str:
        return self.shown


def find_place(given: str | None, out: Path | None) -> Place:
    """The database that a user means.

    Args:
        given: a URL or the path of an SQLite file.
        out: where the settings go; without `given` an SQLite file is kept beside them, and without
            both in the user's state folder.

    Raises:
        InputError: no URL of a database.
    """
    if given is None or "://" not in given:
        state = user_state_path("affuse", appauthor=False) / "tune.db"
        chosen = Path(given) if given else out.with_suffix(".db") if out else state
        return Place(URL.create("sqlite", database=str(chosen.absolute())), str(chosen))
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # What was given is not repeated: it may hold a password.
        raise InputError(
            "the storage is no URL of a database",
            remedy="write, for example, postgresql://user:password@host:5432/name",
        ) from None
    if "@" in (url.host or ""):
        raise InputError("the storage's password holds an @", remedy="write %40 for it")
    # SQLAlchemy would look for psycopg2 under the plain name.
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    shown = url.set(query={}, drivername=url.get_backend_name())
    return Place(url, shown.render_as_string())


def open_storage(place: Place) -> RDBStorage:
    """Connect, and make the tables where there are none.

    Raises:
        InputError: it cannot be reached or used.
    """
    if place.url.get_backend_name() == "sqlite" and place.url.database:
        make_folder(Path(place.url.database).parent)
    with reaching(place):
        try:
            storage = _connect(place)
        except NoSuchModuleError:
            raise InputError(
                "is of no known kind", remedy="give a postgresql or sqlite URL", source=place.shown
            ) from None
        except ImportError as error:
            # Optuna hides which one under an error of its own.
            missing = getattr(error.__cause__ or error, "name", None)
            raise InputError(
                f"needs the package {missing}", remedy="install it", source=place.shown
            ) from None
        except RuntimeError as error:
            # Tables of another version of Optuna.
            raise InputError(str(error), remedy="or give another --storage") from None
    if place.url.get_backend_name() == "sqlite":
        _lock_before_reading(storage.engine)
    return storage


def _lock_before_reading(engine: Engine) -> None:
    """Let SQLite's transactions wait for each other from their first statement on.

    It has no lock on rows: two processes that read that a trial waits would both take it.
    """

    def connect(connection: Any, _: object) -> None:
        # The driver itself would begin at the first change.
        connection.isolation_level = None

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # Connections made so far know nothing of it.
    engine.dispose()
    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def _connect(place: Place) -> RDBStorage:
    url = place.url.render_as_string(hide_password=False)
    for _ in range(_ATTEMPTS):
        try:
            return RDBStorage(url, _engine(place))
        except SQLAlchemyError as error:
            # Another machine may be making the same tables.
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
            time.sleep(random.random())
    return RDBStorage(url, _engine(place))


def _engine(place: Place) -> dict[str, Any]:
    if place.url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCKED}}
    # Trials may last hours: a connection that died meanwhile is noticed before it is used.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if "psycopg" in place.url.get_driver_name():
        options["connect_args"] = {"connect_timeout": WAIT}
    return options


@contextmanager
def reaching(place: Place) -> Iterator[None]:
    """Turn what a database raises into one line without its password."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise InputError(
            f"cannot be used as storage ({_reason(error, place)})",
            remedy="see that it is there and yours, and repeat: finished trials are kept",
            source=place.shown,
        ) from None


def _reason(error: BaseException, place: Place) -> str:
    """The innermost cause's first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return line.replace(place.url.password, "***") if place.url.password else line
