"""Files that are not the user's, full disks, full memory: one line, and training goes on after."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from forked import run_forked, typed

# As in the runs that `place` holds.
SETTINGS = [
    f"--set={s}"
    for s in ("train=12", "valid=6", "test=6", "width=8", "heads=2", "members=1", "epochs=2")
]
TRAIN = ("train", "controlled", *SETTINGS)
EVALUATE = ("evaluate", "run", "controlled")
BENCHMARK = ("benchmark", "controlled", "--out", "new", *SETTINGS)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Where the tests run as root, whom no permission stops, act as nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.usefixtures("place")
def test_nobody_may_do_what_is_allowed(affuse) -> None:
    with unprivileged():
        assert affuse(*EVALUATE).status == 0


@pytest.mark.parametrize(
    ("closed", "arguments", "says"),
    [
        ("good.pkl", ("train", "good.pkl", "--out", "new"), ("good.pkl", "Permission denied")),
        ("run/config.json", EVALUATE, ("run/config.json", "Permission denied")),
        ("run/model.safetensors", EVALUATE, ("model.safetensors", "Permission denied")),
        ("notes", (*TRAIN, "--out", "notes/new"), ("notes/new", "Permission denied")),
        ("notes", ("train", "notes/a.pkl", "--out", "new"), ("notes/a.pkl", "Permission denied")),
        ("notes", (*BENCHMARK, "--out", "notes/new"), ("notes/new", "Permission denied")),
        ("notes", (*EVALUATE, "--json", "notes/a.json"), ("notes/a.json", "Permission denied")),
    ],
)
def test_what_is_not_the_users(
    place: Path,
    affuse,
    contents,
    assert_one_line,
    closed: str,
    arguments: tuple[str, ...],
    says: tuple[str, ...],
) -> None:
    before = contents()
    mode = (place / closed).stat().st_mode
    (place / closed).chmod(0)
    with unprivileged():
        done = affuse(*arguments)
    (place / closed).chmod(mode)
    assert_one_line(done.status, done.err, says)
    assert contents() == before


@contextmanager
def limited(kind: int, size: int) -> Iterator[None]:
    """No more than `size` bytes: of any one file (RLIMIT_FSIZE), of memory (RLIMIT_AS)."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def test_no_memory_for_a_model(affuse, contents, assert_one_line) -> None:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("this system does not tell how much memory a process has")
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = contents()
    with limited(resource.RLIMIT_AS, used + 300_000_000):
        done = affuse(*TRAIN, "--out", "new", "--set", "width=20000")
    assert_one_line(done.status, done.err, ("out of memory", "use a smaller"))
    assert contents() == before


@pytest.mark.usefixtures("place")
def test_no_room_for_a_result(affuse, assert_one_line) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no device that is always full")
    done = affuse(*EVALUATE, "--json", "/dev/full")
    assert_one_line(done.status, done.err, ("/dev/full", "No space left on device", "make room"))
    assert Path("/dev/full").is_char_device()


@pytest.mark.usefixtures("place")
def test_no_room_for_a_claim(affuse, assert_one_line) -> None:
    with limited(resource.RLIMIT_FSIZE, 10):
        done = affuse(*TRAIN, "--out", "new")
    assert_one_line(done.status, done.err, ("new/run.json", "make room"))
    assert affuse(*TRAIN, "--out", "new").status == 0


def test_no_room_for_training_state_then_resumed(place: Path, affuse, assert_one_line) -> None:
    with limited(resource.RLIMIT_FSIZE, 5000):
        done = affuse(*TRAIN, "--out", "new")
    assert_one_line(done.status, done.err, ("new/training/last.ckpt", "make room"))
    assert affuse(*TRAIN, "--out", "new", "--resume").status == 0
    for file in ("model.safetensors", "config.json"):
        assert (place / "new" / file).read_bytes() == (place / "run" / file).read_bytes()


NEW_MOUNTS, NEW_USERS = 0x20000, 0x10000000
"""Of unshare(2); Python names them from 3.12 on."""


def _in_its_own_space(action: Callable[[], None]) -> Callable[[], None]:
    """`action` in a name space of its own, where anybody may mount."""
    maps = {"setgroups": "deny", "uid_map": f"0 {os.geteuid()} 1", "gid_map": f"0 {os.getegid()} 1"}

    def begin() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS | NEW_USERS):
            raise OSError(ctypes.get_errno(), "no name space")
        for name, content in maps.items():
            Path(f"/proc/self/{name}").write_text(content)
        action()

    return begin


def _train_on_a_disk_of(size: int) -> None:
    """With room for one state, not for two; then on a larger one."""
    mount = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*mount, f"size={size}", "none", "disk"], check=True)
    with pytest.raises(SystemExit) as first:
        typed(*TRAIN, "--out", "disk/run")()
    assert first.value.code == 2
    left = {str(path.relative_to("disk/run")) for path in Path("disk/run").rglob("*")}
    assert left == {"run.json", "training", "training/last.ckpt"}
    subprocess.run([*mount, "remount,size=50m", "none", "disk"], check=True)
    with pytest.raises(SystemExit) as second:
        typed(*TRAIN, "--out", "disk/run", "--resume")()
    assert not second.value.code
    shutil.copytree("disk/run", "after")


@pytest.mark.slow
def test_a_disk_that_fills_up_in_training(place: Path, assert_one_line) -> None:
    if run_forked(_in_its_own_space(lambda: None), place).code:
        pytest.skip("this system gives nobody a name space of its own")
    (place / "disk").mkdir()
    state = (place / "stopped" / "training" / "last.ckpt").stat().st_size
    ended = run_forked(_in_its_own_space(lambda: _train_on_a_disk_of(3 * state // 2)), place)
    assert ended.code == 0, ended.output
    assert_one_line(2, ended.err, ("disk/run/training/last.ckpt", "No space left", "make room"))
    for file in ("model.safetensors", "config.json"):
        assert (place / "after" / file).read_bytes() == (place / "run" / file).read_bytes()
