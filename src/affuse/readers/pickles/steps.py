"""The instructions of pickles, as far as plain data needs them.

They are those that Python's `pickletools` documents, for protocols 0 to 5. The ones that make
instances, or reach for objects outside the file, are refused by name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from affuse.readers.pickles import values
from affuse.readers.pickles.machine import Machine
from affuse.readers.pickles.values import DamagedError, LongString, RefusedError, UnbuiltArray

# Corpora take some hundred thousand steps: their arrays are one step each, their ids a few.
MAX_STEPS = 10_000_000
_LONGEST_NUMBER = 40


def run_pickle(machine: Machine) -> object:
    """The value that a pickle leaves.

    Raises:
        RefusedError: it asks for more than plain data.
        DamagedError, or what the failed step raised: it is no valid pickle.
    """
    for _ in range(MAX_STEPS):
        code = machine.read(1)
        if code == pickle.STOP:
            return machine.stack.pop()
        step = _STEPS.get(code)
        if step is None:
            raise DamagedError("an unknown instruction")
        step(machine)
    raise RefusedError(f"it takes more than {MAX_STEPS} steps")


Step = Callable[[Machine], object]


def _skip(count: int) -> Step:
    return lambda m: m.read(count)


def _new(make: Callable[[], object]) -> Step:
    return lambda m: m.stack.append(make())


def _fixed(layout: str) -> Step:
    return lambda m: m.stack.append(m.read_number(layout))


def _counted(layout: str, decode: Callable[[bytes], object]) -> Step:
    return lambda m: m.stack.append(decode(m.read(m.read_number(layout))))


def _string(layout: str, decode: Callable[[bytes], object], *, encoded: bool = False) -> Step:
    """A string after its length; one that is long stays in the file."""

    def step(m: Machine) -> None:
        data = m.read_string(m.read_number(layout))
        m.stack.append(decode(data) if isinstance(data, bytes) else LongString(data, encoded))

    return step


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _latin1(data: bytes) -> str:
    return data.decode("latin-1")


def _line(decode: Callable[[bytes], object], longest: int = -1) -> Step:
    return lambda m: m.stack.append(decode(m.read_line(longest)))


def _gather(build: Callable[[list[Any]], object]) -> Step:
    def step(m: Machine) -> None:
        items = m.pop_to_mark()
        m.stack.append(build(items))

    return step


def _tuple_of(count: int) -> Step:
    def step(m: Machine) -> None:
        if len(m.stack) < count:
            raise DamagedError("a tuple without its items")
        m.stack[-count:] = [tuple(m.stack[-count:])]

    return step


def _add(kind: type, add: Callable[[Any, list[Any]], None], count: int | None = None) -> Step:
    """Add the last `count` items of the stack, or all since the mark, to the container below."""

    def step(m: Machine) -> None:
        items = m.pop_to_mark() if count is None else [m.stack.pop() for _ in range(count)][::-1]
        if not isinstance(m.stack[-1], kind):
            raise DamagedError(f"items for what is not a {kind.__name__}")
        add(m.stack[-1], items)

    return step


def _update(target: dict[Any, Any], items: list[Any]) -> None:
    target.update(values.dict_of(items))


def _put(index: Callable[[Machine], int]) -> Step:
    def step(m: Machine) -> None:
        place, value = index(m), m.stack[-1]
        m.memo[place] = value
        if isinstance(value, UnbuiltArray):
            value.places.append(place)

    return step


def _get(index: Callable[[Machine], int]) -> Step:
    return lambda m: m.stack.append(m.memo[index(m)])


def _line_index(m: Machine) -> int:
    return int(m.read_line(_LONGEST_NUMBER))


def _mark(m: Machine) -> None:
    m.below.append(m.stack)
    m.stack = []


def _pop(m: Machine) -> object:
    return m.stack.pop() if m.stack else m.pop_to_mark()


def _global_by_line(m: Machine) -> None:
    module, name = _utf8(m.read_line(-1)), _utf8(m.read_line(-1))
    m.stack.append(values.find_global(module, name))


def _global_by_stack(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if not isinstance(module, str) or not isinstance(name, str):
        raise DamagedError("a global without a name")
    m.stack.append(values.find_global(module, name))


def _reduce(m: Machine) -> None:
    arguments, function = m.stack.pop(), m.stack.pop()
    m.spend(arguments)
    m.stack.append(values.call(function, arguments))


def _build(m: Machine) -> None:
    state, target = m.stack.pop(), m.stack[-1]
    m.spend(state)
    if isinstance(target, UnbuiltArray):
        m.stack[-1] = array = values.array_of(state)
        m.memo.update(dict.fromkeys(target.places, array))
    else:
        values.restore_dtype(target, state)


def _instance_by_line(m: Machine) -> None:
    m.pop_to_mark()  # fails in a text file that happens to begin with this instruction
    _global_by_line(m)
    raise RefusedError("it makes an instance of a class")


def _refuse(what: str) -> Step:
    def step(_: Machine) -> None:
        raise RefusedError(f"it {what}")

    return step


def _persistent(m: Machine) -> None:
    """What describes a tensor's storage stays as it is; other references are refused."""
    if not m.storages:
        raise RefusedError("it refers to an object outside the file")


_REFUSED = {
    "makes an instance of a class": (pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX),
    "uses a registered extension code": (pickle.EXT1, pickle.EXT2, pickle.EXT4),
    "refers to an object outside the file": (
        *(pickle.PERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    ),
}

_STEPS: dict[bytes, Step] = {
    pickle.PROTO: _skip(1),
    pickle.FRAME: _skip(8),
    pickle.NONE: _new(lambda: None),
    pickle.NEWTRUE: _new(lambda: True),
    pickle.NEWFALSE: _new(lambda: False),
    pickle.INT: _line(values.parse_int, _LONGEST_NUMBER),
    pickle.LONG: _line(values.parse_int, _LONGEST_NUMBER),
    pickle.FLOAT: _line(float, _LONGEST_NUMBER),
    pickle.BININT: _fixed("<i"),
    pickle.BININT1: _fixed("B"),
    pickle.BININT2: _fixed("<H"),
    pickle.BINFLOAT: _fixed(">d"),
    pickle.LONG1: _counted("B", values.decode_int),
    pickle.LONG4: _counted("<i", values.decode_int),
    pickle.STRING: _line(values.parse_quoted),
    pickle.BINSTRING: _string("<i", _latin1),
    pickle.SHORT_BINSTRING: _string("B", _latin1),
    pickle.UNICODE: _line(lambda line: line.decode("raw-unicode-escape")),
    pickle.SHORT_BINUNICODE: _string("B", _utf8),
    pickle.BINUNICODE: _string("<I", _utf8, encoded=True),
    pickle.BINUNICODE8: _string("<Q", _utf8, encoded=True),
    pickle.SHORT_BINBYTES: _string("B", bytes),
    pickle.BINBYTES: _string("<I", bytes),
    pickle.BINBYTES8: _string("<Q", bytes),
    pickle.BYTEARRAY8: _string("<Q", bytearray),
    pickle.EMPTY_TUPLE: _new(tuple),
    pickle.EMPTY_LIST: _new(list),
    pickle.EMPTY_DICT: _new(dict),
    pickle.EMPTY_SET: _new(set),
    pickle.TUPLE: _gather(tuple),
    pickle.TUPLE1: _tuple_of(1),
    pickle.TUPLE2: _tuple_of(2),
    pickle.TUPLE3: _tuple_of(3),
    pickle.LIST: _gather(list),
    pickle.DICT: _gather(values.dict_of),
    pickle.FROZENSET: _gather(lambda items: frozenset(values.set_of(items))),
    pickle.APPEND: _add(list, list.extend, 1),
    pickle.APPENDS: _add(list, list.extend),
    pickle.SETITEM: _add(dict, _update, 2),
    pickle.SETITEMS: _add(dict, _update),
    pickle.ADDITEMS: _add(set, lambda members, items: members.update(values.set_of(items))),
    pickle.MARK: _mark,
    pickle.POP: _pop,
    pickle.POP_MARK: Machine.pop_to_mark,
    pickle.DUP: lambda m: m.stack.append(m.stack[-1]),
    pickle.PUT: _put(_line_index),
    pickle.BINPUT: _put(lambda m: m.read_number("B")),
    pickle.LONG_BINPUT: _put(lambda m: m.read_number("<I")),
    pickle.MEMOIZE: _put(lambda m: len(m.memo)),
    pickle.GET: _get(_line_index),
    pickle.BINGET: _get(lambda m: m.read_number("B")),
    pickle.LONG_BINGET: _get(lambda m: m.read_number("<I")),
    pickle.GLOBAL: _global_by_line,
    pickle.STACK_GLOBAL: _global_by_stack,
    pickle.REDUCE: _reduce,
    pickle.BUILD: _build,
    pickle.INST: _instance_by_line,
    pickle.BINPERSID: _persistent,
    **{code: _refuse(what) for what, codes in _REFUSED.items() for code in codes},
}
