"""The safe reader of pickles: it reads what Python wrote, and survives damage."""

from __future__ import annotations

import mmap
import os
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.pickles import load_pickle
from affuse.readers.pickles.values import LongString


def _write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "data.pkl"
    path.write_bytes(data)
    return path


def _corpus() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "train": {
            "text": rng.normal(size=(3, 20, 30)).astype(np.float32),
            "audio": rng.normal(size=(3, 20, 5)),
            "labels": np.array([[[-1.5]], [[0.0]], [[3.0]]], dtype=np.float32),
            "id": [(b"abc", b"0.5", b"\xff\x00"), ("d\u00e9f", 1.5, 2), ("\ud800", None, True)],
            "extra": {"set": {1, 2}, "frozen": frozenset({"a"}), "buffer": bytearray(b"xy")},
        }
    }


def _assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray) and expected.dtype != object:
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            _assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple | np.ndarray):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _assert_same(one, other)
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", range(6))
def test_reads_what_python_wrote(tmp_path: Path, protocol: int) -> None:
    expected = _corpus()
    _assert_same(load_pickle(_write(tmp_path, pickle.dumps(expected, protocol))), expected)


VALUES: list[Any] = [
    None,
    [True, False, 0, -1, 255, 65535, -(2**31), 2**63, -(2**63), 1.5, float("inf"), 1 + 2j],
    {"nested": [[], (), {}, set(), "", b"", (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]},
    "x" * 70_000,
    b"y" * 70_000,
    np.float32(3.5),
    np.int64(-4),
    np.bool_(True),
    np.str_("word"),
    np.zeros((0, 3), np.float32),
    np.float64(2.0).reshape(()),
    np.arange(600, dtype=">f8").reshape(2, 300),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.arange(12)[::2],
    np.array(["one", "three"]),
    np.array([[b"one"], [b"three"]]),
    np.array([b"video", None, 1.5, [1, 2]], dtype=object),
    np.array([["a", 1], ["b", 2], ["c", None]], dtype=object),
    np.asfortranarray(np.array([["a", 1], ["b", 2], ["c", None]], dtype=object)),
    np.array([True, False]),
    np.array([1.5, np.nan, -np.inf], np.float16)[:1],
]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{type(v).__name__}")
def test_reads_each_kind_of_value(tmp_path: Path, value: Any, protocol: int) -> None:
    found = load_pickle(_write(tmp_path, pickle.dumps(value, protocol)))
    if isinstance(value, np.ndarray):
        value = value.astype(value.dtype.newbyteorder("="))
        found = found.astype(value.dtype)  # type: ignore[attr-defined]
    _assert_same(found, value)


def test_reads_a_dtype_and_shared_and_cyclic_values(tmp_path: Path) -> None:
    shared = np.ones(3)
    cycle: list[Any] = [shared, shared, np.dtype("<f4")]
    cycle.append(cycle)
    found: Any = load_pickle(_write(tmp_path, pickle.dumps(cycle)))
    assert found[0] is found[1]
    assert found[2] == np.dtype("<f4")
    assert found[3] is found


def test_reads_the_paths_of_numpy_1(tmp_path: Path) -> None:
    array = np.arange(300, dtype=np.float32)
    data = pickle.dumps([array, array[0]], 2).replace(b"numpy._core.", b"numpy.core.")
    assert b"numpy.core.multiarray" in data
    found: Any = load_pickle(_write(tmp_path, data))
    np.testing.assert_array_equal(found[0], array)
    assert found[1] == 0.0


def _python2(binary: bool) -> bytes:
    """`{'id': (video, start), 'x': array([1, -2], '<f4')}` as Python 2 wrote it."""
    raw = struct.pack("<2f", 1, -2)

    def string(data: bytes) -> bytes:
        if binary:
            return b"U" + bytes([len(data)]) + data
        # In Python 2 the repr of a string has no b before its quotes.
        return b"S" + repr(data).encode()[1:] + b"\n"

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt" + string(b"b") + b"tR"
        b"(I1\n(L2L\ntcnumpy\ndtype\n(" + string(b"f4") + b"I0\nI1\ntR(I3\n" + string(b"<") + b"NNN"
        b"I-1\nI-1\nI0\ntbI00\n" + string(raw) + b"tb"
    )
    ids = b"(" + string(b"v\xe9d'\\x") + string(b"1.5\n") + b"t"
    return b"(d" + string(b"id") + ids + b"s" + string(b"x") + array + b"s."


@pytest.mark.parametrize("binary", [False, True])
def test_reads_python_2_strings_as_latin1(tmp_path: Path, binary: bool) -> None:
    data = _python2(binary)
    # Python's own reader agrees that the bytes are what the docstring says.
    if binary:
        assert pickle.loads(data, encoding="latin1")["id"] == ("v\xe9d'\\x", "1.5\n")
    found: Any = load_pickle(_write(tmp_path, data))
    assert found["id"] == ("v\xe9d'\\x", "1.5\n")
    np.testing.assert_array_equal(found["x"], np.array([1, -2], np.float32))


@pytest.mark.parametrize("protocol", range(6))
def test_long_arrays_lie_over_the_file(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(1)
    long = rng.normal(size=(2, 140_000)).astype(np.float32)
    expected = {
        "first": long,
        "again": [long, long],
        "bytes": rng.integers(0, 256, 2**20 + 3).astype(np.uint8),
        "big-endian": long.astype(">f8"),
        "by column": np.asfortranarray(long),
    }
    path = _write(tmp_path, pickle.dumps(expected, protocol))
    found: Any = load_pickle(path)
    _assert_same(found["first"], long)
    assert found["again"][0] is found["again"][1] is found["first"]
    _assert_same(found["bytes"], expected["bytes"])
    np.testing.assert_array_equal(found["big-endian"], long)
    np.testing.assert_array_equal(found["by column"], long)
    if protocol > 2:  # the others write bytes as text, which has to be decoded
        assert _of_the_file(found["first"])
        assert not _of_the_file(np.array(found["first"]))
    path.unlink()
    np.testing.assert_array_equal(found["first"], long)


def _of_the_file(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_long_strings_of_python_2(tmp_path: Path) -> None:
    raw = np.arange(300_000, dtype="<f4").tobytes()
    head, tail = _python2(binary=True).split(b"U\x08" + struct.pack("<2f", 1, -2))
    head = head.replace(b"(L2L\nt", b"(L300000L\nt")
    path = _write(tmp_path, head + b"T" + struct.pack("<i", len(raw)) + raw + tail)
    found: Any = load_pickle(path)
    np.testing.assert_array_equal(found["x"], np.arange(300_000))
    assert _of_the_file(found["x"])


@pytest.mark.parametrize("protocol", range(6))
def test_long_strings_that_are_not_of_arrays_are_not_read(tmp_path: Path, protocol: int) -> None:
    found: Any = load_pickle(_write(tmp_path, pickle.dumps(["x" * 2**20, 1], protocol)))
    assert found[1] == 1
    assert protocol == 0 or isinstance(found[0], LongString)


def test_reading_leaves_numpy_s_own_types_alone(tmp_path: Path) -> None:
    for protocol in (2, 3, 4, 5):
        load_pickle(_write(tmp_path, pickle.dumps(np.zeros(4000, ">f8"), protocol)))
        assert np.dtype("f8").str == "<f8"


def test_every_truncation_gives_an_error(tmp_path: Path) -> None:
    data = pickle.dumps({"text": np.zeros((2, 3), np.float32), "id": [(b"a", b"0", b"1")]})
    for length in range(1, len(data)):
        with pytest.raises(InputError):
            load_pickle(_write(tmp_path, data[:length]))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_mutations_load_or_give_an_error(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(_corpus(), protocol)
    # Only the instructions matter: most of the bytes are the values of arrays.
    places = [i for i in range(len(data)) if i < 200 or i > len(data) - 1500]
    rng = random.Random(protocol)
    loaded = refused = 0
    for _ in range(200):
        mutated = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            place = min(rng.choice(places), len(mutated) - 1)
            kind = rng.randrange(3)
            if kind == 0:
                mutated[place] = rng.randrange(256)
            elif kind == 1:
                del mutated[place : place + rng.randint(1, 8)]
            else:
                mutated[place:place] = rng.randbytes(rng.randint(1, 8))
        try:
            load_pickle(_write(tmp_path, bytes(mutated)))
            loaded += 1
        except InputError:
            refused += 1
    assert loaded > 0
    assert refused > 100


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        load_pickle(_write(tmp_path, b""))
    with pytest.raises(InputError, match="it is not a file"):
        load_pickle(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        load_pickle(tmp_path / "absent.pkl")
    loop = tmp_path / "loop.pkl"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="it cannot be read"):
        load_pickle(loop)
    pipe = tmp_path / "pipe.pkl"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="it is not a file"):
        load_pickle(pipe)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = _write(tmp_path, pickle.dumps(1))
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load_pickle(path)
