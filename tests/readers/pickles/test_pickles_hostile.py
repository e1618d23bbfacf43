"""Hostile pickles: none of them runs, crashes or fills the memory; each gives one error."""

from __future__ import annotations

import functools
import os
import pickle
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.pickles import load_pickle
from affuse.readers.registry import load_corpus


def _write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "data.pkl"
    path.write_bytes(data)
    return path


class _Calls:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _touch(path: Path) -> str:
    return f"touch {path}"


EXECUTING: dict[str, tuple[Callable[[Path], Any], str]] = {
    "system": (lambda p: _Calls(os.system, _touch(p)), "posix.system"),
    "popen": (lambda p: _Calls(os.popen, _touch(p)), "os.popen"),
    "subprocess": (lambda p: _Calls(subprocess.call, ["touch", str(p)]), "subprocess.call"),
    "eval": (lambda p: _Calls(eval, f"open({str(p)!r}, 'w').close()"), "builtins.eval"),
    "exec": (lambda p: _Calls(exec, f"open({str(p)!r}, 'w').close()"), "builtins.exec"),
    "open": (lambda p: _Calls(open, str(p), "w"), "io.open"),
    "partial": (lambda p: _Calls(functools.partial(os.system, _touch(p))), "functools.partial"),
    "map": (lambda p: _Calls(list, _Calls(map, os.system, [_touch(p)])), "builtins.map"),
    "numpy savetxt": (lambda p: _Calls(np.savetxt, p, [1]), "numpy.savetxt"),
    "numpy memmap": (lambda p: _Calls(np.memmap, str(p), "u1", "w+", 0, (1,)), "numpy.memmap"),
    "in a container": (lambda p: {"train": [_Calls(os.system, _touch(p))]}, "posix.system"),
    "in an object array": (
        lambda p: np.array([_Calls(os.system, _touch(p)), None], dtype=object),
        "posix.system",
    ),
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", EXECUTING)
def test_nothing_runs(tmp_path: Path, name: str, protocol: int) -> None:
    make, refused = EXECUTING[name]
    sentinel = tmp_path / "executed"
    path = _write(tmp_path, pickle.dumps(make(sentinel), protocol))
    with pytest.raises(InputError) as caught:
        load_pickle(path)
    assert not sentinel.exists()
    assert str(path) in str(caught.value)
    assert refused.rpartition(".")[2] in str(caught.value)


@pytest.mark.parametrize("name", EXECUTING)
def test_the_hostile_pickles_do_run_in_python(tmp_path: Path, name: str) -> None:
    sentinel = tmp_path / "executed"
    result: Any = pickle.loads(pickle.dumps(EXECUTING[name][0](sentinel)))
    if name == "popen":
        result.close()
    assert sentinel.exists()


def _proto(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def _array_of(shape: bytes, code: bytes, raw: bytes, state: bytes = b"I1\n") -> bytes:
    """A protocol 0 array with chosen shape, type code and raw data (each an instruction)."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR("
        + state
        + shape
        + b"cnumpy\ndtype\n(V"
        + code
        + b"\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntbI00\n"
        + raw
        + b"tb."
    )


HUGE = b"I1000000000000\n"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "getattr": (b"cbuiltins\ngetattr\n(VX\nVy\ntR.", "builtins.getattr"),
    "python 2 names": (b"c__builtin__\neval\n(V1\ntR.", "__builtin__.eval"),
    "instance": (b"(Vecho\nios\nsystem\n.", "os.system"),
    "instance of a builtin": (b"(ibuiltins\nset\n.", "instance of a class"),
    "OBJ": (b"(cbuiltins\nset\no.", "instance of a class"),
    "NEWOBJ": (_proto(b"cbuiltins\nbytes\n)\x81"), "instance of a class"),
    "NEWOBJ_EX": (_proto(b"cbuiltins\nbytes\n)}\x92"), "instance of a class"),
    "dotted name": (_proto(b"\x8c\x05numpy\x8c\x0edtype.__init__\x93"), "numpy.dtype.__init__"),
    "name in colour": (b"cos\n\x1b[31msystem\n.", "os.\\x1b[31msystem"),
    "name that is no text": (_proto(b"K\x01K\x02\x93"), "a global without a name"),
    "persistent id": (b"Pid\n.", "outside the file"),
    "binary persistent id": (_proto(b"K\x01Q"), "outside the file"),
    "out-of-band buffer": (_proto(b"\x97"), "outside the file"),
    "extension 1": (_proto(b"\x82\x01"), "extension code"),
    "extension 2": (_proto(b"\x83\x01\x00"), "extension code"),
    "extension 4": (_proto(b"\x84\x01\x00\x00\x00"), "extension code"),
    "array subclass": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nmatrix\n(I0\ntVb\ntR.",
        "numpy.matrix",
    ),
    "array of no class": (
        b"cnumpy.core.multiarray\n_reconstruct\n(N(I0\ntVb\ntR.",
        "an array of another class",
    ),
    "array by its class": (b"cnumpy\nndarray\n((" + HUGE + b"ttR.", "without numpy's own steps"),
    "structured type": (b"cnumpy\ndtype\n((lI0\nI1\ntR.", "the numpy type"),
    "void type": (b"cnumpy\ndtype\n(VV8\nI0\nI1\ntR.", "the numpy type 'V8'"),
    "type with fields": (
        b"cnumpy\ndtype\n(Vf4\nI0\nI1\ntR(I3\nV<\nN(Va\nt(dI-1\nI-1\nI0\ntb.",
        "a numpy type with fields",
    ),
    "object scalar": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO8\nI0\nI1\ntRV12345678\ntR.",
        "without a plain type",
    ),
    "objects over raw bytes": (
        b"cnumpy.core.numeric\n_frombuffer\n(C\x08\x01\x01\x01\x01\x01\x01\x01\x01"
        b"cnumpy\ndtype\n(VO8\nI0\nI1\ntR(I1\ntVC\ntR.",
        "without a plain type",
    ),
    "objects without a list": (_array_of(b"(I1\nt", b"O8", b"V12345678\n"), "without its list"),
    "objects in a short list": (_array_of(b"(I9\nt", b"O8", b"(l"), "does not fill its shape"),
    "huge array": (
        _array_of(b"(" + b"I1000000000\n" + b"t", b"f8", b"Vx\n"),
        "does not fill its shape",
    ),
    "huge empty array": (_array_of(b"(I0\n" + HUGE * 3 + b"t", b"f8", b"V\n"), "damaged"),
    "huge array of empty text": (
        _array_of(b"(" + HUGE + b"t", b"S0", b"V\n"),
        "the numpy type 'S0'",
    ),
    "negative shape": (_array_of(b"(I-1\nt", b"f8", b"V\n"), "impossible shape"),
    "shape of 100 dimensions": (
        _array_of(b"(" + b"I1\n" * 100 + b"t", b"b1", b"Vx\n"),
        "without a shape",
    ),
    "characters that there are not": (
        _array_of(b"(I1\nt", b"U1", b"V\xff\xff\xff\xff\n"),
        "characters that there are not",
    ),
    "a scalar of such characters": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VU1\nI0\nI1\ntRV\x00\x00\x11\x00\ntR.",
        "characters that there are not",
    ),
    "huge bytearray": (b"cbuiltins\nbytearray\n(" + HUGE + b"tR.", "damaged"),
    "huge bytes": (b"cbuiltins\nbytes\n(" + HUGE + b"tR.", "damaged"),
    "huge frame": (_proto(b"\x95" + b"\xff" * 8), "damaged"),
    "huge byte string": (_proto(b"\x8e" + struct.pack("<Q", 2**40)), "ends too soon"),
    "huge bytearray instruction": (_proto(b"\x96" + struct.pack("<Q", 2**62)), "ends too soon"),
    "huge text": (_proto(b"\x8d" + struct.pack("<Q", 2**63)), "ends too soon"),
    "negative length": (_proto(b"T" + struct.pack("<i", -5)), "ends too soon"),
    "huge memo index": (_proto(b"Nr\xff\xff\xff\x7fj\xfe\xff\xff\x7f"), "damaged"),
    "gigantic integer": (_proto(b"\x8b" + struct.pack("<i", 2**20) + b"\x7f" * 2**20), "64 bits"),
    "gigantic integer in text": (b"L" + b"9" * 2**20 + b"L\n.", "damaged"),
    "gigantic float in text": (b"F" + b"9" * 2**20 + b"\n.", "damaged"),
    "gigantic index in text": (b"Ng" + b"9" * 2**20 + b"\n.", "damaged"),
    "deeply nested key": (_proto(b"})" + b"\x85" * 200_000 + b"Ns"), "a tuple is a key"),
    "deeply nested member": (_proto(b"\x8f()" + b"\x85" * 200_000 + b"\x90"), "a tuple is a key"),
    "unhashable key": (_proto(b"}]Ns"), "a list is a key"),
    "integers that collide": (
        _proto(b"}(" + b"".join(b"\x8a\x0c" + struct.pack("<QI", 0, i) + b"N" for i in range(9)))
        + b"u",
        "64 bits",
    ),
    "repeated copies": (
        _proto(
            b"c_codecs\nencode\n\x94B"[:-1]
            + b"X"
            + struct.pack("<I", 10**5)
            + b"x" * 10**5
            + b"\x8c\x06latin1\x86\x94("
            + b"h\x00h\x01R" * 10**4
            + b"l"
        ),
        "many times its size",
    ),
    "endless marks": (_proto(b"(" * 1000), "damaged"),
    "no value": (b".", "damaged"),
    "empty stack": (_proto(b"\x86"), "a tuple without its items"),
    "append to a number": (_proto(b"K\x01K\x02a"), "not a list"),
    "items for a number": (_proto(b"K\x01K\x02K\x03s"), "not a dict"),
    "members for a number": (_proto(b"K\x01(K\x02\x90"), "not a set"),
    "odd dictionary": (_proto(b"(K\x01d"), "damaged"),
    "state of a list": (_proto(b"])b"), "sets the state of a list"),
    "state that is a number": (_proto(b"]K\x01b"), "a state that is not a tuple"),
    "call of a number": (_proto(b"K\x01)R"), "cannot be called"),
    "other encoding": (b"c_codecs\nencode\n(V1\nVidna\ntR.", "other than latin1"),
    "unquoted string": (b"Sabc\n.", "without its quotes"),
    "invalid UTF-8": (_proto(b"\x8c\x01\xff"), "damaged"),
    "text file": (b"id,label\n1,2\n", "damaged"),
    "zip archive": (b"PK\x03\x04" + bytes(100), "outside the file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged"),
    "zeros": (bytes(1000), "unknown instruction"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_give_one_error(tmp_path: Path, name: str) -> None:
    data, expected = HOSTILE[name]
    path = _write(tmp_path, data)
    with pytest.raises(InputError) as caught:
        load_pickle(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_deep_nesting_is_read(tmp_path: Path) -> None:
    value: Any = load_pickle(_write(tmp_path, _proto(b"]" * 10**5 + b"a" * (10**5 - 1))))
    depth = 1
    while value:
        value, depth = value[0], depth + 1
    assert depth == 10**5


DEEP = 10**5
STRANGE = {
    "dictionaries in dictionaries": b"}" + b"K\x00}" * DEEP + b"s" * DEEP,
    "lists in lists": b"]" * DEEP + b"a" * (DEEP - 1),
    "tuples in tuples": b")" + b"\x85" * DEEP,
    "a list in itself": b"]q\xffh\xffa",
    "a dictionary in itself": b"}q\xff\x8c\x01xh\xffs",
}


def _text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("key", ["labels", "id", "text"])
def test_strange_content_is_no_corpus(tmp_path: Path, name: str, key: str) -> None:
    sound = {m: np.ones((2, 3, 2), np.float32) for m in ("text", "audio", "vision")}
    part = pickle.dumps({**sound, "labels": np.zeros((2, 1))}, 4)[11:-1]  # after frame, before end
    whole = b"}" + b"".join(_text(name) + part + b"s" for name in ("train", "valid", "test"))
    assert len(load_corpus(str(_write(tmp_path, _proto(whole)))).folds[0].train) == 2
    spoiled = whole.replace(part, part + _text(key) + STRANGE[name] + b"s", 1)
    with pytest.raises(InputError, match=rf"train: .*'{key}'|train: id \d is"):
        load_corpus(str(_write(tmp_path, _proto(spoiled))))


def test_steps_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affuse.readers.pickles.steps.MAX_STEPS", 1000)
    with pytest.raises(InputError, match="more than 1000 steps"):
        load_pickle(_write(tmp_path, _proto(b"N0" * 1000)))
