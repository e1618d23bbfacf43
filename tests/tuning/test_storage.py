"""Databases that a user names: where they are, how they are shown, how they fail."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.tuning.storage import find_database, open_storage


def test_a_file_beside_the_settings_is_the_default(tmp_path: Path) -> None:
    database = find_database(None, tmp_path / "tuned.yaml")
    assert (database.url.drivername, database.url.database) == (
        "sqlite",
        str(tmp_path / "tuned.db"),
    )
    assert str(find_database("new/studies.db", None)) == "new/studies.db"
    assert find_database(f"sqlite:///{tmp_path}/a.db", None).url.database == f"{tmp_path}/a.db"


@pytest.mark.skipif(sys.platform != "linux", reason="asks for Linux' state folder")
def test_without_a_file_it_is_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    database = find_database(None, None)
    open_storage(database)
    assert (tmp_path / "affuse" / "tune.db").stat().st_size > 0


def test_a_password_is_not_shown() -> None:
    database = find_database(
        "postgresql://ada:s3cret@db.example:5432/studies?sslpassword=t0p", None
    )
    assert database.url.drivername == "postgresql+psycopg"
    assert database.url.password == "s3cret"
    assert str(database) == "postgresql://ada:***@db.example:5432/studies"
    assert database.url.query["sslpassword"] == "t0p"


@pytest.mark.parametrize(
    "given",
    ["postgresql://ada:s3cret@host:port/x", "://s3cret", "postgresql://ada:x@s3cret@host/x"],
)
def test_no_url_is_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(InputError, match=r"the storage('s password)? (is no URL|holds an @)") as no:
        find_database(given, None)
    assert "s3cret" not in str(no.value)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("postgresql://ada:s3cret@127.0.0.1:{port}/x", r"refused.*: finished trials are kept"),
        ("oddsql://ada:s3cret@host/x", "of no known kind"),
        ("mysql://ada:s3cret@host/x", "needs the package MySQLdb"),
        ("{folder}/notes.txt", "file is not a database"),
        ("{folder}/notes.txt/studies.db", "cannot be made"),
    ],
)
def test_what_cannot_be_reached_is_one_line(tmp_path: Path, given: str, match: str) -> None:
    (tmp_path / "notes.txt").write_text("Chapter 1" * 100)
    database = find_database(given.format(port=closed_port(), folder=tmp_path), None)
    with pytest.raises(InputError, match=match) as refused:
        open_storage(database)
    assert "s3cret" not in str(refused.value)
    assert "sqlalche.me" not in str(refused.value)


def test_tables_may_be_made_by_several_at_once(tmp_path: Path) -> None:
    database, made, start = find_database(str(tmp_path / "new.db"), None), [], threading.Barrier(4)

    def connect() -> None:
        start.wait()
        made.append(open_storage(database).get_all_studies())

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [[]] * 4
