"""Several processes that do one piece of work together, and end with whoever asked for it."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist

from affuse.errors import InputError
from affuse.processes import begin_worker, worker_context
from affuse.training.compute import Compute
from affuse.training.hand_over import hand_over, take_over

Tell = Callable[..., None]
Work = Callable[[Any, Tell], Any]
"""What each process does with the content, and a way to tell whoever asked; the first is heard."""

# One that fails leaves the others waiting for it; that they complain is not what went wrong.
_OTHERS_SECONDS = 5.0
_TIMEOUT = timedelta(minutes=30)
_FAREWELL = timedelta(minutes=5)
# What the libraries say below torch of a process that is gone.
_LOST = re.compile("gloo|nccl|peer|process group", re.IGNORECASE)


def run_team(work: Work, content: Any, compute: Compute, hear: Tell) -> Any:
    """What `work` returns in the first process of this node.

    Args:
        work: a function of a module.
        content: what it is given, the same for all.
        compute: how many processes, and on what.
        hear: called here with what the first process tells. If it raises, all are ended.

    Raises:
        InputError: a process was killed.
        Exception: whatever went wrong in one of them.
    """
    context = worker_context(work.__module__)
    # Its advice is not for the users of a finished command; read when torch is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    members: dict[Connection, Any] = {}
    with tempfile.TemporaryDirectory(prefix="affuse-team-") as folder, _ended_by_signals():
        try:
            hand_over(content, Path(folder))
            with _nodes_meet(compute):
                for local in range(compute.devices):
                    ours, theirs = context.Pipe(duplex=False)
                    given = (work, Path(folder), compute, local, torch.get_num_threads(), theirs)
                    member = context.Process(target=_take_part, args=(*given, dict(os.environ)))
                    member.start()
                    theirs.close()
                    members[ours] = member
                return _hear(members, hear)
        finally:
            for member in members.values():
                member.kill()
            for connection, member in members.items():
                member.join()
                connection.close()


@contextmanager
def _nodes_meet(compute: Compute) -> Iterator[None]:
    """Where processes of several nodes find each other: the first node keeps it while it lasts.

    No node leaves before all are done, and no other before the first has closed the place: it
    would come back for its next piece of work while this one's is still open, and wait there alone.
    """
    if compute.nodes == 1:
        yield
        return
    place = _meeting_place(_TIMEOUT, keep=True) if compute.node == 0 else None
    yield
    # What was to be done is done: should another be gone, nothing is lost.
    with suppress(RuntimeError):
        if place is not None:
            place.wait([f"done {node}" for node in range(1, compute.nodes)], _FAREWELL)
        else:
            left = _meeting_place(_FAREWELL, keep=False)
            left.set(f"done {compute.node}", "")
            # The last thing that is heard of it is that it is gone.
            left.wait(["closed"], _FAREWELL)


def _meeting_place(patience: timedelta, *, keep: bool) -> Any:
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Any = dist.TCPStore  # type: ignore[attr-defined]
    return store(address, port, is_master=keep, timeout=patience, wait_for_workers=False)


def _hear(members: Mapping[Connection, Any], hear: Tell) -> Any:
    """Listen until the last is done; what the first came to."""
    first, working, results = next(iter(members)), set(members), {}
    while working:
        for connection in cast("list[Connection]", wait(list(working))):
            kind, said = _receive(connection)
            if kind == "tells":
                hear(*said)
                continue
            working.remove(connection)
            if kind == "failed":
                raise _cause([said, *_what_others_say(working)])
            results[connection] = said
    # What they hold together is not to be torn apart.
    for member in members.values():
        member.join()
    return results[first]


def _what_others_say(connections: set[Connection]) -> Iterator[Exception]:
    """What the others fail of, who may know better what went wrong."""
    until = time.monotonic() + _OTHERS_SECONDS
    while connections and (left := until - time.monotonic()) > 0:
        for connection in cast("list[Connection]", wait(list(connections), left)):
            kind, said = _receive(connection)
            if kind == "failed":
                yield said
            if kind != "tells":
                connections.remove(connection)


def _cause(errors: Sequence[Exception]) -> Exception:
    """The one that says most: a line for the user, a death, and last that others were lost."""

    def silence(error: Exception) -> int:
        if isinstance(error, InputError):
            return 0
        if isinstance(error, EOFError):
            return 1
        return 3 if _LOST.search(str(error)) else 2

    worst = min(errors, key=silence)
    return _killed() if isinstance(worst, EOFError) else worst


def _killed() -> InputError:
    remedy = "with --resume it goes on after the last whole epoch; if memory was short, give "
    remedy += "fewer --devices or another folder and a smaller --set batch_size=..."
    return InputError("a training process was killed", remedy=remedy)


def _receive(connection: Connection) -> tuple[str, Any]:
    """What a process says next; of one that is gone without a word, that it has failed."""
    try:
        return cast("tuple[str, Any]", pickle.loads(connection.recv_bytes()))
    except (EOFError, OSError):
        return "failed", EOFError()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Processes end with this one, so that a signal ends it as it does where it trains itself."""
    ours = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if ours else None
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(1)
    finally:
        if ours:
            signal.signal(signal.SIGTERM, before)


def _terminate(number: int, _: object) -> None:
    sys.exit(128 + number)


def _take_part(
    work: Work,
    folder: Path,
    compute: Compute,
    local: int,
    threads: int,
    parent: Connection,
    environment: Mapping[str, str],
) -> None:
    """The whole life of a process of the team."""
    begin_worker()
    os.environ.update(environment)
    rank = compute.node * compute.devices + local
    # Lightning leaves alone what is set.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.update(LOCAL_RANK=str(local), NODE_RANK=str(compute.node))
    torch.set_num_threads(threads)

    def say(kind: str, said: Any) -> None:
        # Not by `send`: torch would lend its tensors, of a process that is about to end.
        parent.send_bytes(pickle.dumps((kind, said)))

    def tell(*said: Any) -> None:
        if local == 0:
            say("tells", said)

    try:
        _meet(compute, rank, folder / "meeting")
        content = take_over(folder)
        result = work(content, tell)
        say("done", None if local else result)
    except Exception as error:
        error.add_note(traceback.format_exc())
        with suppress(OSError):
            say("failed", error)
        # Others may wait for it in vain; it must not wait for them.
        os._exit(1)
    dist.destroy_process_group()


def _meet(compute: Compute, rank: int, file: Path) -> None:
    """Join the others: by a file on one machine, by the address of the first of several."""
    place = compute.places()[rank % compute.devices]
    if place.type == "cuda":
        torch.cuda.set_device(place)
    sizes: dict[str, Any] = {"rank": rank, "world_size": compute.processes, "timeout": _TIMEOUT}
    if compute.nodes == 1:
        if sys.platform == "linux":
            # Nobody else has business with what they say.
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        sizes["store"] = dist.FileStore(str(file), compute.processes)  # type: ignore[attr-defined]
    else:
        sizes["store"] = _meeting_place(_TIMEOUT, keep=False)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", **sizes)
