"""Files that are not the user's, full disks, full memory: one line, and training goes on after."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


# In a name space of its own, where anybody may mount: a disk with room for one state, not for two.
FULL_DISK = """
import os, subprocess, sys
from affuse.cli.main import run

def affuse(*arguments):
    sys.argv = ["affuse", *arguments]
    try:
        run()
    except SystemExit as ended:
        return ended.code

subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={sys.argv[1]}", "none", "disk"], check=True)
command = sys.argv[2:]
status = affuse(*command, "--out", "disk/run")
print("first", status, sorted(os.listdir("disk/run")), os.listdir("disk/run/training"))
subprocess.run(["mount", "-o", "remount,size=50m", "disk"], check=True)
print("second", affuse(*command, "--out", "disk/run", "--resume"))
subprocess.run(["cp", "-r", "disk/run", "after"], check=True)
"""


def test_a_disk_that_fills_up_in_training(place: Path, assert_one_line) -> None:
    space = ["unshare", "-Urm"]
    if not shutil.which("unshare") or subprocess.run([*space, "true"], check=False).returncode:
        pytest.skip("this system gives nobody a name space of its own")
    (place / "disk").mkdir()
    state = (place / "stopped" / "training" / "last.ckpt").stat().st_size
    command = [*space, sys.executable, "-c", FULL_DISK, f"{3 * state // 2}", *TRAIN]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert_one_line(2, done.stderr, ("disk/run/training/last.ckpt", "No space left", "make room"))
    assert "first 2 ['run.json', 'training'] ['last.ckpt']\n" in done.stdout
    assert "second 0\n" in done.stdout
    for file in ("model.safetensors", "config.json"):
        assert (place / "after" / file).read_bytes() == (place / "run" / file).read_bytes()
