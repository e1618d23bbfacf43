"""What a pickle may build: builtin data, numpy arrays, types and scalars, each checked first.

Each name in `CONSTRUCTORS` stands for the function of that name, never is it: what runs is
written here, with arguments tested before numpy sees them. numpy's own `__setstate__` for arrays
trusts its caller (a short list for an object array reads beyond its end), so it is never called.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affuse.readers.npz import has_only_characters
from affuse.samples import release

_DTYPE = re.compile(r"b1|[iu][1248]|f2|f4|f8|f12|f16|c8|c16|[SU][1-9]\d{0,6}|O8?")
_MOST_DIMENSIONS = 32
Bytes = bytes | bytearray | memoryview
_PIECE = 1 << 22


class RefusedError(Exception):
    """The pickle asks for something that plain data does not need."""


class DamagedError(Exception):
    """The pickle contradicts itself or its format."""


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function that a pickle mentions, in today's spelling."""

    name: str


@dataclass(frozen=True, slots=True)
class LongString:
    """A string of many bytes, mapped and not read: the data of an array."""

    data: memoryview
    encoded: bool  # as text in UTF-8: protocols 0 to 2 write the bytes of Python 3 so


@dataclass(eq=False, slots=True)
class UnbuiltArray:
    """What stands for an array until its state is known, and the places of the memo it is in."""

    places: list[int] = field(default_factory=list)


def decode_int(data: bytes) -> int:
    """A little-endian signed integer of at most 64 bits: wider ones can be made to collide."""
    return _bounded(int.from_bytes(data, "little", signed=True))


def parse_int(line: bytes) -> int | bool:
    return line == b"01" if line in (b"00", b"01") else _bounded(int(line.removesuffix(b"L")))


def _bounded(number: int) -> int:
    if number.bit_length() > 64:
        raise RefusedError("it holds an integer of more than 64 bits")
    return number


def parse_quoted(line: bytes) -> str:
    """The repr of a Python 2 string: of escapes only \\xNN, \\n, \\\\ and the like occur in it."""
    if len(line) < 2 or line[0] not in b"'\"" or line[0] != line[-1]:
        raise DamagedError("a string without its quotes")
    return line[1:-1].decode("unicode_escape")


def set_of(members: object) -> set[Any]:
    if not isinstance(members, list | tuple):
        raise DamagedError("a set without a list of members")
    _require_plain_keys(members)
    return set(members)


def dict_of(items: list[Any]) -> dict[Any, Any]:
    """Keys and values in turn."""
    _require_plain_keys(items[::2])
    return dict(zip(items[::2], items[1::2], strict=True))


def _require_plain_keys(keys: Sequence[object]) -> None:
    # Only scalars are hashed: to hash a deeply nested tuple overflows the C stack.
    for key in keys:
        if not isinstance(key, str | bytes | int | float | None):
            raise RefusedError(f"a {type(key).__name__} is a key or the member of a set")


def find_global(module: str, name: str) -> Global:
    """The stand-in for `module.name`, one of the few that numpy arrays and builtin data need."""
    now = "builtins" if module == "__builtin__" else module.replace("numpy.core.", "numpy._core.")
    if f"{now}.{name}" not in CONSTRUCTORS:
        raise RefusedError(f"it asks for {ascii(f'{module}.{name}'[:80])[1:-1]}")
    return Global(f"{now}.{name}")


def cost(arguments: object) -> int:
    """How many bytes or elements `call` or `array_of` may read or copy."""
    if not isinstance(arguments, tuple):
        return 0
    sized = (str, bytes, bytearray, list, tuple, memoryview)
    parts = (a.data if isinstance(a, LongString) else a for a in arguments)
    return len(arguments) + sum(len(part) for part in parts if isinstance(part, sized))


def call(function: object, arguments: object) -> object:
    """The value of `function(*arguments)`, for the functions in `CONSTRUCTORS`."""
    if not isinstance(function, Global) or not isinstance(arguments, tuple):
        raise DamagedError("it calls what cannot be called")
    return CONSTRUCTORS[function.name](*arguments)


def array_of(state: object) -> NDArray[Any]:
    """The array whose state numpy saved; over the file itself where its data is a `LongString`."""
    if not isinstance(state, tuple):
        raise DamagedError("a state that is not a tuple")
    version, shape, dtype, fortran, raw = state
    if version != 1:
        raise DamagedError("an array of an unknown version")
    known, sizes = _require_dtype(dtype, objects=True), _shape(shape)
    if not known.hasobject:
        return _over(_raw_bytes(raw), known, sizes, "F" if fortran else "C")
    if not isinstance(raw, list):
        raise DamagedError("an object array without its list")
    if len(raw) != math.prod(sizes):
        raise DamagedError("an array whose data does not fill its shape")
    return np.fromiter(raw, known, len(raw)).reshape(sizes)


def restore_dtype(target: object, state: object) -> None:
    """Give a new dtype the byte order that numpy saved for it."""
    if not isinstance(state, tuple):
        raise DamagedError("a state that is not a tuple")
    if not isinstance(target, np.dtype):
        raise RefusedError(f"it sets the state of a {type(target).__name__}")
    # All but the byte order follows from the type's code: the rest of the file's word is dropped.
    version, order, subtype, names, fields, *_ = state
    if version != 3 or order not in ("<", ">", "|", "="):
        raise DamagedError("a numpy type of an unknown version")
    if subtype is not None or names is not None or fields is not None:
        raise RefusedError("a numpy type with fields")
    own: Any = target.__reduce__()[2]
    target.__setstate__((3, order, *own[2:]))  # type: ignore[attr-defined]


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS:
        raise DamagedError("an array without a shape")
    # numpy accepts any extent beside a zero, such as (0, 10**12).
    if any(type(n) is not int or not 0 <= n < 2**31 for n in shape):
        raise DamagedError("an array with an impossible shape")
    return shape


def _raw_bytes(raw: object) -> Bytes:
    if isinstance(raw, LongString):
        return _latin1(raw) if raw.encoded else raw.data
    # Python 2 saved bytes as its string, which the machine reads as Latin-1.
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not isinstance(data, bytes | bytearray):
        raise DamagedError("an array without its data")
    return data


def _latin1(text: LongString) -> bytearray:
    """UTF-8 to Latin-1 in pieces, because whole texts would need several times their size."""
    pieces = [text.data[i : i + _PIECE] for i in range(0, len(text.data), _PIECE)]
    encoded, end = bytearray(sum(map(_characters, pieces))), 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    for piece in pieces:
        part = decoder.decode(piece, final=piece is pieces[-1]).encode("latin-1")
        encoded[end : end + len(part)] = part
        end += len(part)
        release(piece)
    return encoded


def _characters(piece: memoryview) -> int:
    # In UTF-8 all bytes of a character but its first begin with the bits 10.
    count = int(np.count_nonzero(np.frombuffer(piece, np.uint8) & 0xC0 != 0x80))
    release(piece)
    return count


def _require_dtype(dtype: object, *, objects: bool = False) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or (dtype.hasobject and not objects):
        raise RefusedError("a numpy value without a plain type")
    return np.dtype(dtype.str)


def _over(
    data: Bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["F", "C"]
) -> NDArray[Any]:
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise DamagedError("an array whose data does not fill its shape")
    return _text_or_numbers(np.ndarray(shape, dtype, data, order=order))


def _text_or_numbers(array: NDArray[Any]) -> NDArray[Any]:
    if not has_only_characters(array):
        raise DamagedError("a text with characters that there are not")
    return array


def _new_dtype(code: object, *_: object) -> np.dtype[Any]:
    if not isinstance(code, str) or _DTYPE.fullmatch(code) is None:
        raise RefusedError(f"it asks for the numpy type {ascii(code)[:40]}")
    # A copy, because BUILD sets the byte order in place and numpy shares its types.
    return np.dtype(code, False, True)


def _unbuilt_array(kind: object, *_: object) -> UnbuiltArray:
    if kind != Global("numpy.ndarray"):
        raise RefusedError("it asks for an array of another class")
    return UnbuiltArray()


def _scalar(dtype: object, raw: object) -> object:
    known, data = _require_dtype(dtype), _raw_bytes(raw)
    if len(data) != known.itemsize:
        raise DamagedError("a numpy scalar of the wrong size")
    return _text_or_numbers(np.frombuffer(data, known))[0]


def _array_over(buffer: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
    known, sizes = _require_dtype(dtype), _shape(shape)
    return _over(_raw_bytes(buffer), known, sizes, "F" if order == "F" else "C")


def _encode(text: str | LongString, encoding: str) -> Bytes:
    if encoding not in ("latin1", "latin-1"):
        raise RefusedError("it asks for an encoding other than latin1")
    return _latin1(text) if isinstance(text, LongString) else text.encode("latin-1")


def _bytes(value: bytes | str | LongString = b"", encoding: str = "latin-1") -> Bytes:
    if isinstance(value, bytes) or (isinstance(value, LongString) and not value.encoded):
        return _raw_bytes(value)
    return _encode(value, encoding)


def _ordered(pairs: object = ()) -> dict[Any, Any]:
    """An OrderedDict, which Python 2 wrote as a list of pairs, as a dict."""
    if not isinstance(pairs, list | tuple) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs
    ):
        raise DamagedError("an OrderedDict without its pairs")
    return dict_of([part for pair in pairs for part in pair])


def _default(factory: object = None) -> dict[Any, Any]:
    """A defaultdict as a dict: what it would make is not wanted."""
    if factory is not None and not isinstance(factory, Global):
        raise DamagedError("a defaultdict of what makes nothing")
    return {}


def _never_called(*_: object) -> object:
    raise RefusedError("it calls what data only names")


def _class_only(*_: object) -> object:
    raise RefusedError("it makes an array without numpy's own steps")


STORAGES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
}
"""The types of torch's storages that are read."""


def _storage(data: object) -> object:
    # It drives a machine of its own, which knows this module.
    from affuse.readers.pickles.tensors import storage_of

    return storage_of(bytes(_raw_bytes(data)))


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> object:
    from affuse.readers.pickles.tensors import tensor_of

    return tensor_of(storage, offset, size, stride)


# Python 3 writes bytes, sets and complex numbers as calls in the protocols that lack them.
CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "_codecs.encode": _encode,
    "builtins.bytearray": lambda *arguments: bytearray(_bytes(*arguments)),
    "builtins.bytes": lambda: b"",
    **{f"builtins.{n}": _never_called for n in ("list", "dict", "tuple", "int", "float", "str")},
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default,
    **dict.fromkeys(STORAGES, _never_called),
    "torch.storage._load_from_bytes": _storage,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "builtins.complex": lambda real, imag: complex(real, imag),
    "builtins.frozenset": lambda members=(): frozenset(set_of(members)),
    "builtins.set": lambda members=(): set_of(members),
    "numpy.dtype": _new_dtype,
    "numpy.ndarray": _class_only,
    "numpy._core.multiarray._reconstruct": _unbuilt_array,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _array_over,
}
