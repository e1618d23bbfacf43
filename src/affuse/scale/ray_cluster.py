"""A Ray cluster to work on: one that is named, or one on this machine as long as it is needed."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affuse.errors import InputError, first_line, unknown_name
from affuse.optional import require

ENGINES = ("local", "ray")
"""What has work done: this machine, or a cluster."""
_LISTENS = 10.0  # seconds within which a cluster must answer


def require_engine(engine: str, address: str | None) -> None:
    """Raise `InputError` for an engine that there is not, or the address of none."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "local" and address is not None:
        raise InputError("--address without a cluster", remedy="add --engine ray, or leave it out")


def require_ray() -> Any:
    """Ray itself; `InputError` where it is not installed."""
    return require("ray", extra="ray")


@contextmanager
def joined_cluster(address: str | None) -> Iterator[Any]:
    """Ray, as long as it is connected to a cluster; a connection that is there already is used.

    Args:
        address: of the cluster; by default that of RAY_ADDRESS, or one on this machine alone.

    Raises:
        InputError: Ray is missing (extra `ray`), or no cluster answers.
    """
    ray = require_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    _require_listening(address)
    with _handler_kept():
        try:
            # Without an address, Ray would look for whatever ran here last, for minutes.
            own: dict[str, Any] = {} if address else {"include_dashboard": False}
            ray.init(address or "local", log_to_driver=False, logging_level="error", **own)
        except Exception as error:  # a cluster that is not there raises one of many
            raise _silent(first_line(error), address) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def room_of(ray: Any, needs: Mapping[str, Any]) -> int:
    """For how many actors there is room on the machines of the cluster, of one at least.

    Args:
        needs: of an actor, as Ray's `options` take it.
    """
    scarce = "GPU" if needs.get("num_gpus") else "CPU"
    return max(1, int(ray.cluster_resources().get(scarce, 1)))


@contextmanager
def _handler_kept() -> Iterator[None]:
    """Whoever handles SIGTERM still does: Ray would exit where rows wait to be written."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _require_listening(address: str | None) -> None:
    """Ray would wait for minutes, and end this process, where nobody listens."""
    if (address or "").startswith("ray://"):
        problem = "is Ray's client, through which nothing is told on the way"
        remedy = "start on a machine of the cluster, with --address auto or HOST:6379"
        raise InputError(problem, remedy=remedy, source=address)
    found = re.fullmatch(r"([^/:]+):(\d+)", (_last() if address == "auto" else address) or "")
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_LISTENS).close()
    except OSError as error:
        raise _silent(str(error.strerror or error), address) from None


def _last() -> str:
    """The address of the cluster that was begun here last, which may be gone."""
    place = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    try:
        return place.read_text().strip()
    except OSError:
        return ""


def _silent(why: str, address: str | None) -> InputError:
    if address is None:
        remedy = "repeat when this machine has less to do, or name one with --address"
        return InputError(f"Ray does not start here ({why})", remedy=remedy)
    remedy = "check --address, or leave it out for one on this machine"
    return InputError(f"no Ray cluster answers ({why})", remedy=remedy, source=address)
