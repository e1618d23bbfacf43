"""Small files of each format that affuse reads, and ways to spoil them, for `fuzz_files.py`."""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.readers import load_corpus
from affuse.readers.stored_write import store_corpus

COUNTS = {"train": 4, "valid": 2, "test": 2}
EXECUTED = "executed"
"""The file that a payload makes where it is run."""


@dataclass(frozen=True)
class Seed:
    """A sound corpus.

    Attributes:
        corpus: what `affuse` is asked to read: a name, or `path`.
        path: of the corpus.
        files: those that are spoiled, one at a time.
        options: of the reader.
    """

    corpus: str
    path: Path
    files: tuple[Path, ...]
    options: dict[str, Any]


def _arrays(count: int, seed: int, **shapes: tuple[int, int]) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    made = {m: rng.standard_normal((count, *shape), np.float32) for m, shape in shapes.items()}
    for array in made.values():
        array[::2, -2:] = 0
    return made


def _pickled(make: Callable[[int, int], dict[str, Any]], protocol: int) -> Callable[[Path], Seed]:
    def write(folder: Path) -> Seed:
        path = folder / "data.pkl"
        parts = {name: make(count, seed) for seed, (name, count) in enumerate(COUNTS.items())}
        path.write_bytes(pickle.dumps(parts, protocol))
        return Seed(str(path), path, (path,), {})

    return write


def _mult(count: int, seed: int) -> dict[str, Any]:
    arrays = _arrays(count, seed, text=(5, 6), audio=(9, 5), vision=(8, 20))
    ids = [[f"v{seed}".encode(), b"%d" % i, b"%d" % (i + 1)] for i in range(count)]
    return {**arrays, "labels": np.linspace(-3, 3, count).reshape(-1, 1, 1), "id": ids}


def _iemocap(count: int, seed: int) -> dict[str, Any]:
    flags = np.random.default_rng(seed).integers(0, 2, (count, 4))
    arrays = _arrays(count, seed, text=(5, 6), audio=(5, 4), vision=(5, 3))
    return {**arrays, "labels": np.stack([1 - flags, flags], axis=2)}


def _mmsa(count: int, seed: int) -> dict[str, Any]:
    tokens = np.ones((count, 3, 5), np.int64)
    return {
        **_arrays(count, seed, text=(5, 6), audio=(9, 5), vision=(8, 4)),
        "text_bert": tokens,
        "raw_text": np.array([f"words {i}" for i in range(count)]),
        "id": np.array([f"v{seed}$_${i}" for i in range(count)], dtype=object),
        "regression_labels": np.linspace(-1, 1, count),
        "audio_lengths": list(range(1, count + 1)),
        "vision_lengths": [3] * count,
    }


def _multibench(count: int, seed: int) -> dict[str, Any]:
    arrays = _arrays(count, seed, text=(5, 6), audio=(5, 4), vision=(5, 3))
    return {**arrays, "labels": np.arange(count).reshape(-1, 1) % 2}


def _stored(folder: Path) -> Seed:
    options = {**COUNTS, "truth": "mixed"}
    store_corpus(load_corpus("controlled", options=options), folder / "stored")
    files = tuple(sorted((folder / "stored").iterdir()))
    return Seed(str(folder / "stored"), folder / "stored", files, {})


def _npz(compressed: bool) -> Callable[[Path], Seed]:
    def write(folder: Path) -> Seed:
        path, count = folder / "utterances.npz", 12
        parts = np.array(["train"] * 8 + ["test"] * 4)
        official = np.array(["train"] * 6 + ["val"] * 2 + ["test"] * 4)
        save = np.savez_compressed if compressed else np.savez
        save(
            path,
            ids=np.array([f"v{i // 2}_{i}" for i in range(count)]),
            video_id=np.array([f"v{i // 2}" for i in range(count)]),
            transcript=np.array([f"the film number {i}" for i in range(count)]),
            audio=np.random.default_rng(0).standard_normal((count, 7), np.float32),
            y_real=np.linspace(-3, 3, count),
            split_bc=parts,
            split_official=official,
        )
        return Seed("mosi", path, (path,), {"text": "glove"})

    return write


def _csd(latest: bool) -> Callable[[Path], Seed]:
    def write(folder: Path) -> Seed:
        import h5py

        folds = {name: [f"v{name}{i}" for i in range(2)] for name in COUNTS}
        videos = [video for part in folds.values() for video in part]
        words = np.array([[b"the"], [b"sp"], [b"film"], [b"is"]])
        features = {
            "words": lambda _: words,
            "COVAREP": lambda seed: _arrays(1, seed, x=(4, 3))["x"][0],
            "FACET": lambda seed: _arrays(1, seed, x=(4, 2))["x"][0],
            "Labels": lambda _: np.linspace(-3, 3, 4).reshape(4, 1),
        }
        intervals = np.stack([np.arange(4.0), np.arange(1.0, 5)], axis=1)
        for number, (root, make) in enumerate(features.items()):
            kept = {"compression": "gzip"} if number % 2 else {}
            path = folder / f"CMU_{root}.csd"
            with h5py.File(path, "w", libver="latest" if latest else None) as file:
                for seed, video in enumerate(videos):
                    file.create_dataset(f"{root}/data/{video}/features", data=make(seed), **kept)
                    file.create_dataset(f"{root}/data/{video}/intervals", data=intervals, **kept)
                file[f"{root}/metadata/creator"] = json.dumps("a stranger")
        (folder / "folds.json").write_text(json.dumps(folds))
        files = tuple(sorted(folder.glob("*.csd")))
        return Seed(str(folder), folder, (*files, *files, folder / "folds.json"), {})

    return write


SEEDS: dict[str, Callable[[Path], Seed]] = {
    **{f"mult, protocol {p}": _pickled(_mult, p) for p in (0, 2, 4, 5)},
    "mult, emotions": _pickled(_iemocap, 4),
    "mmsa": _pickled(_mmsa, 4),
    "multibench": _pickled(_multibench, 3),
    "programs": _pickled(_mult, 4),
    "stored": _stored,
    "npz": _npz(compressed=False),
    "npz, compressed": _npz(compressed=True),
    "csd": _csd(latest=False),
    "csd, latest": _csd(latest=True),
}


NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
# Where the structure of HDF5 and of zip lies, most of the other bytes being values.
_MARKS = re.compile(rb"\x89HDF|OHDR|OCHK|TREE|HEAP|SNOD|FRHP|FHDB|FHIB|BTHD|BTLF|FADB|FAHD|PK..")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to four changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_CHANGES)(changed, rng)
    return bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    marks = [found.start() for found in _MARKS.finditer(data)]
    if marks and rng.random() < 0.7:
        return min(rng.choice(marks) + rng.randrange(96), len(data))
    at_an_end = rng.random() < 0.4
    return rng.randrange(min(len(data), 400) + 1) if at_an_end else rng.randrange(len(data) + 1)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        place = _place(data, rng)
        if place < len(data):
            data[place] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    place, size = _place(data, rng), rng.choice((1, 2, 4, 8))
    number = rng.choice(NUMBERS) & (256**size - 1)
    data[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _noise(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    data[place : place + rng.randint(0, 16)] = rng.randbytes(rng.randint(0, 16))


def _splice(data: bytearray, rng: random.Random) -> None:
    begin, place = rng.randrange(len(data) + 1), _place(data, rng)
    piece = data[begin : begin + rng.randint(1, 400)]
    data[place : place + (len(piece) if rng.random() < 0.5 else 0)] = piece


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


_CHANGES = (_flip, _flip, _overwrite, _overwrite, _noise, _splice, _truncate)


def mutate_program(data: bytes, rng: random.Random, sentinel: Path) -> bytes:
    """A pickle with instructions of others between its own, or nothing but such."""
    pieces = [_instruction(rng, sentinel) for _ in range(rng.randint(1, 40))]
    if rng.random() < 0.4:
        return b"\x80\x04" + b"".join(pieces) + rng.choice((b".", b"", b"a.", b"R.", b"b."))
    places = [place for _, _, place in pickletools.genops(data) if place is not None]
    changed = bytearray(data)
    for place in sorted(
        rng.choices(places, k=min(len(pieces), rng.choice((1, 1, 3)))), reverse=True
    ):
        changed[place:place] = pieces.pop()
    return bytes(changed)


GLOBALS = (
    *("os system", "posix system", "builtins eval", "builtins exec", "builtins getattr"),
    *("builtins bytearray", "builtins bytes", "builtins set", "_codecs encode"),
    *("numpy dtype", "numpy ndarray", "numpy.core.multiarray _reconstruct"),
    *("numpy._core.multiarray scalar", "numpy._core.numeric _frombuffer", "numpy.core x"),
)


def _instruction(rng: random.Random, sentinel: Path) -> bytes:
    if rng.random() < 0.15:
        return rng.choice(_payloads(sentinel))
    code = rng.choice(pickletools.opcodes)
    first = code.code.encode("latin-1")
    if code.arg is None:
        return first * (rng.choice((10, 10**5)) if rng.random() < 0.02 else 1)
    if "pair" in code.arg.name:
        return first + rng.choice(GLOBALS).replace(" ", "\n").encode() + b"\n"
    text = rng.choice((b"1", b"-1", b"01", b"1e999", b"9" * 5000, b"'x'", b"\\u1234", b"nan", b""))
    if code.arg.n == pickletools.UP_TO_NEWLINE:
        return first + text + b"\n"
    if code.arg.n >= 0:
        small = bytes([rng.randrange(4)]) + bytes(7)
        return first + (small[: code.arg.n] if rng.random() < 0.7 else rng.randbytes(code.arg.n))
    layout = {-2: "<B", -3: "<i", -4: "<I", -5: "<Q"}[code.arg.n]
    body = rng.choice((text, rng.randbytes(rng.randint(0, 300))))
    length, most = len(body), 256 ** struct.calcsize(layout) // 2 - 1
    if rng.random() < 0.3:
        length = rng.choice((-1 if layout == "<i" else most, most, length + 1, 2**20))
    return first + struct.pack(layout, min(length, most)) + body


def _payloads(sentinel: Path) -> tuple[bytes, ...]:
    """Programs that make a file, or fill the memory, where they are run."""
    touch = f"touch {os.fspath(sentinel)}".encode()
    write = f"open({os.fspath(sentinel)!r}, 'w')".encode()
    return (
        b"cos\nsystem\n(S'" + touch + b"'\ntR",
        b"cbuiltins\neval\n(V" + write + b"\ntR",
        b"(V" + touch + b"\nios\nsystem\n",
        b"\x8c\x05posix\x8c\x06system\x93\x8c" + bytes([len(touch)]) + touch + b"\x85R",
        b"cbuiltins\nbytearray\n(I9999999999\ntR",
        b"cnumpy\nndarray\n((I99999\nI99999\nI99999\nttR",
        b"]q\x00h\x00a",  # a list in itself
        b"(" * 10**4 + b"t" * 10**4,
        b"\x8f(" + b"]\x94" * 1000 + b"\x90",
        b"}" + b"(Va\n}" * 10**4 + b"u" * 10**4,
        b"X\xff\xff\xff\x7fx",
        b"\x8b\xff\xff\xff\x7f" + b"\x01" * 99,
        b"Vx\n0" * 10**5,
    )
