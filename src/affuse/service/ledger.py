"""The list of jobs, in SQLite: what was begun is known after a crash, and each ends once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.files import make_folder
from affuse.service.job import Job, Request, State

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, request TEXT NOT NULL,
  made REAL NOT NULL, started REAL, ended REAL, error TEXT, result BLOB,
  starts INTEGER NOT NULL DEFAULT 0, endings INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0, place INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS waiting ON jobs (state, place);
CREATE INDEX IF NOT EXISTS owned ON jobs (owner, made);
CREATE INDEX IF NOT EXISTS untold ON jobs (ended) WHERE told = 0;
"""
_COLUMNS = "id, owner, state, request, made, started, ended, error, starts"
_PATIENCE = 5.0


class Unavailable(Exception):  # noqa: N818 - no fault of a program
    """The list cannot be read or written now: the disk is full, or another program holds it."""


class Ledger:
    """The jobs of one folder. Its methods may be called from any thread.

    Raises:
        InputError: the folder cannot be used, or another service works in it.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._lock = threading.Lock()
        self._held = _hold(folder / "in_use.sqlite")
        place = folder / "jobs.sqlite"
        try:
            self._database = sqlite3.connect(
                place, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_TABLES)
        except sqlite3.Error as error:
            self._held.close()
            remedy = "make room there, or give another --data"
            raise InputError(f"cannot be used ({error})", remedy=remedy, source=place) from None

    def close(self) -> None:
        with self._lock:
            self._database.close()
            self._held.close()

    def add(self, job: str, owner: str, request: Request, *, most: int) -> bool:
        """Put a job at the end of the queue; False where `most` wait there already."""
        told = request.callback is None
        values = (job, owner, State.QUEUED, request.model_dump_json(), time.time(), told)
        with self._writing() as database:
            waiting = _count(database, State.QUEUED)
            if waiting >= most:
                return False
            database.execute(
                "INSERT INTO jobs (id, owner, state, request, made, told, place) VALUES "
                "(?, ?, ?, ?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM jobs))",
                values,
            )
        return True

    def take(self) -> Job | None:
        """The job that waits longest, which is running from now on."""
        with self._writing() as database:
            row = database.execute(
                "UPDATE jobs SET state = 'running', started = ?, starts = starts + 1 WHERE id = "
                "(SELECT id FROM jobs WHERE state = 'queued' ORDER BY place LIMIT 1) "
                f"RETURNING {_COLUMNS}",
                (time.time(),),
            ).fetchone()
        return None if row is None else _job(row)

    def put_back(self, job: str | None = None) -> int:
        """Let a job that was running wait again, at its place; all such without a name."""
        with self._writing() as database:
            done = database.execute(
                "UPDATE jobs SET state = 'queued', started = NULL "
                "WHERE state = 'running' AND (?1 IS NULL OR id = ?1)",
                (job,),
            )
        return done.rowcount

    def end(self, job: str, *, result: bytes | None = None, error: str | None = None) -> bool:
        """Write the end of a running job; False where it is not running any more."""
        state = State.DONE if error is None else State.FAILED
        with self._writing() as database:
            done = database.execute(
                "UPDATE jobs SET state = ?, ended = ?, result = ?, error = ?, "
                "endings = endings + 1 WHERE id = ? AND state = 'running'",
                (state, time.time(), result, error, job),
            )
        return done.rowcount == 1

    def job(self, job: str, owner: str) -> Job | None:
        """A job of an owner."""
        with self._reading() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND owner = ?", (job, owner)
            ).fetchone()
        return None if row is None else _job(row)

    def jobs(self, owner: str, *, most: int) -> list[Job]:
        """The latest jobs of an owner, the latest first."""
        with self._reading() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? ORDER BY place DESC LIMIT ?",
                (owner, most),
            ).fetchall()
        return [_job(row) for row in rows]

    def result(self, job: str) -> bytes | None:
        """The answer of a job that is done."""
        with self._reading() as database:
            row = database.execute("SELECT result FROM jobs WHERE id = ?", (job,)).fetchone()
        return None if row is None else row[0]

    def remove(self, job: str) -> bool:
        """Forget a job, whatever its state."""
        with self._writing() as database:
            return database.execute("DELETE FROM jobs WHERE id = ?", (job,)).rowcount == 1

    def ended_before(self, moment: float) -> list[str]:
        """The jobs that ended before a moment."""
        with self._reading() as database:
            rows = database.execute("SELECT id FROM jobs WHERE ended < ?", (moment,)).fetchall()
        return [row[0] for row in rows]

    def holds(self, job: str) -> bool:
        """Whether a job is in the list."""
        with self._reading() as database:
            query = "SELECT 1 FROM jobs WHERE id = ?"
            return database.execute(query, (job,)).fetchone() is not None

    def known(self) -> set[str]:
        """The names of all jobs."""
        with self._reading() as database:
            return {row[0] for row in database.execute("SELECT id FROM jobs")}

    def to_tell(self) -> list[Job]:
        """Jobs that have ended, and whose callback has not been told."""
        with self._reading() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE ended IS NOT NULL AND told = 0"
            ).fetchall()
        return [_job(row) for row in rows]

    def told(self, job: str) -> None:
        """A callback was told, or given up."""
        with self._writing() as database:
            database.execute("UPDATE jobs SET told = 1 WHERE id = ?", (job,))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._reading() as database:
            rows = database.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall()
        return {str(state): 0 for state in State} | dict(rows)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._database
        except sqlite3.Error as error:
            raise Unavailable(str(error)) from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first statement on."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _count(database: sqlite3.Connection, state: State) -> int:
    query = "SELECT count(*) FROM jobs WHERE state = ?"
    return int(database.execute(query, (state,)).fetchone()[0])


def _job(row: tuple[Any, ...]) -> Job:
    name, owner, state, request, *rest = row
    return Job(name, owner, State(state), Request.model_validate_json(request), *rest)


def _hold(place: Path) -> sqlite3.Connection:
    """A lock that ends with this process, on every system: two services would share their jobs."""
    held = sqlite3.connect(place, timeout=0.2, isolation_level=None, check_same_thread=False)
    try:
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        held.close()
        busy = "locked" in str(error)
        problem = "another service works in it" if busy else f"cannot be used ({error})"
        remedy = "stop that one, or give another --data" if busy else "give another --data"
        raise InputError(problem, remedy=remedy, source=place.parent) from None
    return held
