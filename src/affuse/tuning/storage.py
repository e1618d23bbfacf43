"""Where a study is kept: an SQLite file, or a database server that many machines share."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial
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

HEARTBEAT = 5
"""Seconds from one sign of life of a trial to the next."""

GRACE = 60
"""Seconds without one after which a trial is taken for dead."""

_ATTEMPTS = 6


@dataclass(frozen=True)
class Database:
    """The database of studies; `shown` is what a user may read, without the password."""

    url: URL
    shown: str

    def __str__(self) -> str:
        return self.shown


def find_database(given: str | None, out: Path | None) -> Database:
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
        return Database(URL.create("sqlite", database=str(chosen.absolute())), str(chosen))
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
    return Database(url, shown.render_as_string())


def open_storage(database: Database) -> RDBStorage:
    """Connect, and make the tables where there are none.

    Raises:
        InputError: it cannot be reached or used.
    """
    if database.url.get_backend_name() == "sqlite" and database.url.database:
        make_folder(Path(database.url.database).parent)
    with database_errors(database):
        try:
            storage = _connect(database)
        except NoSuchModuleError:
            remedy = "give a postgresql or sqlite URL"
            raise InputError("is of no known kind", remedy=remedy, source=database.shown) from None
        except ImportError as error:
            # Optuna hides which one under an error of its own.
            problem = f"needs the package {getattr(error.__cause__ or error, 'name', None)}"
            raise InputError(problem, remedy="install it", source=database.shown) from None
        except RuntimeError as error:
            # Tables of another version of Optuna.
            raise InputError(str(error), remedy="or give another --storage") from None
    if database.url.get_backend_name() == "sqlite":
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


def _connect(database: Database) -> RDBStorage:
    url, attempts = database.url.render_as_string(hide_password=False), _ATTEMPTS
    while True:
        try:
            with quiet_heartbeat():
                return RDBStorage(
                    *(url, _engine(database)),
                    heartbeat_interval=HEARTBEAT,
                    grace_period=GRACE,
                    heartbeat_stale_trial_callback=_retry,
                )
        except SQLAlchemyError as error:
            attempts -= 1
            # Another machine may be making the same tables.
            there = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not (there and attempts):
                raise
            time.sleep(random.random())


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Begin anew a trial whose process died, once only: it may be what killed it.

    Of one that had drawn nothing and was given nothing there is nothing to begin anew.
    """
    if trial.params or trial.user_attrs:
        with quiet_heartbeat():
            RetryHeartbeatStaleTrialCallback(max_retry=1)(study, trial)


@contextmanager
def quiet_heartbeat() -> Iterator[None]:
    """Optuna warns that its heartbeat may change, and is meant for `Study.optimize` alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
        yield


def _engine(database: Database) -> dict[str, Any]:
    if database.url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCKED}}
    # Trials may last hours: a connection that died meanwhile is noticed before it is used.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if "psycopg" in database.url.get_driver_name():
        options["connect_args"] = {"connect_timeout": WAIT}
    return options


@contextmanager
def database_errors(database: Database) -> Iterator[None]:
    """Turn what a database raises into one line without its password."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        if database.url.password:
            reason = reason.replace(database.url.password, "***")
        problem = f"cannot be used as storage ({reason})"
        remedy = "see that it is there and yours, and repeat: finished trials are kept"
        raise InputError(problem, remedy=remedy, source=database.shown) from None
