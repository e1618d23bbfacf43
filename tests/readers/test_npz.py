"""Npz files from strangers: arrays as they were saved, or one error."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.npz import load_arrays

KINDS = {"ids": "U", "audio": "f"}
ARRAYS: dict[str, Any] = {"ids": np.array(["a", "bc"]), "audio": np.eye(2, 3, dtype=np.float32)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_as_they_were_saved(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "x.npz", more=np.ones(9), **ARRAYS)
    found = load_arrays(tmp_path / "x.npz", KINDS)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"audio": np.ones((3, 3), np.float32)}, "one row a sample: {'ids': 2, 'audio': 3}"),
        ({"audio": np.array(["x", "y"])}, "'audio' is of shape (2,) and type <U1"),
        ({"audio": np.float32(1)}, "'audio' is of shape () and type float32"),
        ({"audio": np.array([None, 1], dtype=object)}, "cannot be read (ValueError: Object arrays"),
        ({"audio": np.zeros((2, 10**7), np.float32)}, "audio.npy unfolds to many times its size"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    np.savez_compressed(tmp_path / "x.npz", **{**ARRAYS, **changes})
    with pytest.raises(InputError) as caught:
        load_arrays(tmp_path / "x.npz", KINDS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_characters_that_there_are_not(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **ARRAYS, id2=np.full(2, 0x110000, np.uint32).view("<U1"))
    assert set(load_arrays(tmp_path / "x.npz", KINDS)) == set(KINDS)
    with pytest.raises(InputError, match="has characters that there are not"):
        load_arrays(tmp_path / "x.npz", {"id2": "U"})


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (2,), }",
        b"(" * 9000,
        b"\xff" * 100,
        b"",
    ],
)
def test_headers_that_lie(tmp_path: Path, header: bytes) -> None:
    np.savez(tmp_path / "x.npz", **ARRAYS)
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as archive:
        for name, content in zipfile.ZipFile(tmp_path / "x.npz").NameToInfo.items():
            archive.writestr(name, zipfile.ZipFile(tmp_path / "x.npz").read(content))
        lie = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 24
        archive.writestr("liar.npy", lie)
    with pytest.raises(InputError, match=r"y\.npz: cannot be read"):
        load_arrays(tmp_path / "y.npz", {"liar": "f"})
    assert set(load_arrays(tmp_path / "y.npz", KINDS)) == set(KINDS)


def test_a_member_that_cannot_be_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **ARRAYS)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    central = content.index(b"PK\x01\x02")
    for place, value in ((central + 8, 1), (central + 10, 99)):  # encrypted, packed another way
        changed = bytearray(content)
        changed[place] = value
        (tmp_path / "y.npz").write_bytes(changed)
        with pytest.raises(InputError, match=r"y\.npz: cannot be read \((Runtime|NotImpl)"):
            load_arrays(tmp_path / "y.npz", KINDS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_mutations_load_or_give_an_error(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "x.npz", **ARRAYS)
    content, rng = (tmp_path / "x.npz").read_bytes(), random.Random(3)
    loaded = refused = 0
    for _ in range(300):
        changed = bytearray(content)
        place = rng.randrange(len(changed))
        changed[place : place + rng.randint(0, 4)] = rng.randbytes(rng.randint(1, 4))
        (tmp_path / "y.npz").write_bytes(changed)
        try:
            load_arrays(tmp_path / "y.npz", KINDS)
            loaded += 1
        except InputError:
            refused += 1
    assert loaded > 0
    assert refused > 100
