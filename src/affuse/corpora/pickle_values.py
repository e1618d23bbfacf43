"""What a pickle may build: builtin data, numpy arrays, types and scalars, each checked first.

Each name in `CONSTRUCTORS` stands for the function of that name, never is it: what runs is
written here, with arguments tested before numpy sees them. numpy's own `__setstate__` trusts its
caller (a short list for an object array reads beyond its end), so nothing reaches it untested.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPE = re.compile(r"b1|[iu][1248]|f2|f4|f8|f12|f16|c8|c16|[SU][1-9]\d{0,6}|O8?")
_MOST_DIMENSIONS = 32


class RefusedError(Exception):
    """The pickle asks for something that plain data does not need."""


class DamagedError(Exception):
    """The pickle contradicts itself or its format."""


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function that a pickle mentions, in today's spelling."""

    name: str


def decode_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def decode_latin1(data: bytes) -> str:
    return data.decode("latin-1")


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
    """The stand-in for `module.name`.

    Raises:
        RefusedError: it is not one of the few that numpy arrays and builtin data need.
    """
    now = "builtins" if module == "__builtin__" else module.replace("numpy.core.", "numpy._core.")
    if f"{now}.{name}" not in CONSTRUCTORS:
        raise RefusedError(f"it asks for {ascii(f'{module}.{name}'[:80])[1:-1]}")
    return Global(f"{now}.{name}")


def cost(arguments: object) -> int:
    """How many bytes or elements `call` or `restore` may read or copy."""
    if not isinstance(arguments, tuple):
        return 0
    sized = (str, bytes, bytearray, list, tuple)
    return len(arguments) + sum(len(a) for a in arguments if isinstance(a, sized))


def call(function: object, arguments: object) -> object:
    """The value of `function(*arguments)`, for the functions in `CONSTRUCTORS`."""
    if not isinstance(function, Global) or not isinstance(arguments, tuple):
        raise DamagedError("it calls what cannot be called")
    return CONSTRUCTORS[function.name](*arguments)


def restore(target: object, state: object) -> None:
    """Give a new array or dtype the state that numpy saved for it."""
    if not isinstance(state, tuple):
        raise DamagedError("a state that is not a tuple")
    if isinstance(target, np.dtype):
        _restore_dtype(target, *state)
    elif isinstance(target, np.ndarray):
        _restore_array(target, *state)
    else:
        raise RefusedError(f"it sets the state of a {type(target).__name__}")


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS:
        raise DamagedError("an array without a shape")
    # numpy accepts any extent beside a zero, such as (0, 10**12).
    if any(type(n) is not int or not 0 <= n < 2**31 for n in shape):
        raise DamagedError("an array with an impossible shape")
    return shape


def _raw_bytes(raw: object) -> bytes:
    # Python 2 saved bytes as its string, which the machine reads as Latin-1.
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not isinstance(data, bytes):
        raise DamagedError("an array without its data")
    return data


def _require_dtype(dtype: object, *, objects: bool = False) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or (dtype.hasobject and not objects):
        raise RefusedError("a numpy value without a plain type")
    return np.dtype(dtype.str)


def _restore_dtype(
    dtype: np.dtype[Any],
    version: object,
    order: object,
    subtype: object,
    names: object,
    fields: object,
    *layout: object,
) -> None:
    if version != 3 or order not in ("<", ">", "|", "="):
        raise DamagedError("a numpy type of an unknown version")
    if subtype is not None or names is not None or fields is not None:
        raise RefusedError("a numpy type with fields")
    # All but the byte order follows from the type's code: the rest of the file's word is dropped.
    del layout
    own: Any = dtype.__reduce__()[2]
    dtype.__setstate__((3, order, *own[2:]))  # type: ignore[attr-defined]


def _restore_array(
    array: NDArray[Any],
    version: object,
    shape: object,
    dtype: object,
    fortran: object,
    raw: object,
) -> None:
    sizes, known = _shape(shape), _require_dtype(dtype, objects=True)
    data: list[Any] | bytes
    if known.hasobject:
        if not isinstance(raw, list):
            raise DamagedError("an object array without its list")
        data, expected = raw, math.prod(sizes)
    else:
        data, expected = _raw_bytes(raw), math.prod(sizes) * known.itemsize
    if version != 1 or len(data) != expected:
        raise DamagedError("an array whose data does not fill its shape")
    array.__setstate__((1, sizes, known, bool(fortran), data))  # type: ignore[arg-type]


def _new_dtype(code: object, *_: object) -> np.dtype[Any]:
    if not isinstance(code, str) or _DTYPE.fullmatch(code) is None:
        raise RefusedError(f"it asks for the numpy type {ascii(code)[:40]}")
    # A copy, because BUILD sets the byte order in place and numpy shares its types.
    return np.dtype(code, False, True)


def _empty_array(kind: object, *_: object) -> NDArray[Any]:
    if kind != Global("numpy.ndarray"):
        raise RefusedError("it asks for an array of another class")
    return np.ndarray((0,), np.int8)


def _scalar(dtype: object, raw: object) -> object:
    known, data = _require_dtype(dtype), _raw_bytes(raw)
    if len(data) != known.itemsize:
        raise DamagedError("a numpy scalar of the wrong size")
    return np.frombuffer(data, known)[0]


def _array_over(buffer: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
    sizes, known = _shape(shape), _require_dtype(dtype)
    if not isinstance(buffer, bytes | bytearray):
        raise DamagedError("an array without its data")
    if len(buffer) != math.prod(sizes) * known.itemsize:
        raise DamagedError("an array whose data does not fill its shape")
    return np.ndarray(sizes, known, buffer, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise RefusedError("it asks for an encoding other than latin1")
    return text.encode("latin-1")


def _bytes(value: bytes | str = b"", encoding: str = "latin-1") -> bytes:
    return value if isinstance(value, bytes) else _encode(value, encoding)


def _class_only(*_: object) -> object:
    raise RefusedError("it makes an array without numpy's own steps")


# Python 3 writes bytes, sets and complex numbers as calls in the protocols that lack them.
CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "_codecs.encode": _encode,
    "builtins.bytearray": lambda *arguments: bytearray(_bytes(*arguments)),
    "builtins.bytes": lambda: b"",
    "builtins.complex": lambda real, imag: complex(real, imag),
    "builtins.frozenset": lambda members=(): frozenset(set_of(members)),
    "builtins.set": lambda members=(): set_of(members),
    "numpy.dtype": _new_dtype,
    "numpy.ndarray": _class_only,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _array_over,
}
