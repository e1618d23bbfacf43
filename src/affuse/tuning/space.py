"""The space of one model: what its options declare, less what the user fixed, as the user changed.

Every range is made so that the values that the model would be trained with anyway lie in it: they
are the first trial, and the best setting is never worse on validation than they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from optuna.trial import Trial
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from affuse.config import (
    Choice,
    Options,
    Range,
    Scalar,
    Space,
    declared_space,
    parse_options,
    read_yaml,
)
from affuse.errors import InputError
from affuse.fusion import models
from affuse.readers.registry import resolve
from affuse.training.presets import Settings, TrainOptions, check_keys, plan

SpaceChanges = Mapping[str, Range | Choice | None]
"""A user's changes to the space: `key` or `model.key` to a range, or None for not searched."""


class _RangeEntry(Options):
    """A range as a file of the user writes it."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


def read_space(path: Path) -> SpaceChanges:
    """A user's file: YAML with `key: {low: 0.1, high: 0.5}`, `key: [a, b]` or `key: null`.

    Raises:
        InputError: a file that cannot be read or says something else.
    """
    remedy = "write lines such as dropout: {low: 0, high: 0.5}"
    content = read_yaml(path, "is not a space", remedy)
    return {key: _read_entry(key, entry, path) for key, entry in content.items()}


def _read_entry(key: str, entry: Any, path: Path) -> Range | Choice | None:
    if entry is None:
        return None
    if isinstance(entry, list) and entry and all(isinstance(v, Scalar) for v in entry):
        return Choice(*entry)
    if not isinstance(entry, dict):
        remedy = "write {low: 0, high: 0.5}, [1, 3, 5] or null"
        problem = f"{key} is neither a range nor a list of values"
        raise InputError(problem, remedy=remedy, source=path)
    return Range(**parse_options(_RangeEntry, entry, source=f"{path}, {key}").model_dump())


def search_space(
    corpus: str, model: str, settings: Settings, changes: SpaceChanges, data: Path | None = None
) -> Space:
    """What is searched for `model` on `corpus`, in the order of its options.

    Args:
        settings: what the user fixed; it is not searched.
        changes: the user's changes to what the options declare.

    Raises:
        InputError: a key that cannot be searched or a range that the option does not allow.
    """
    values = untuned(corpus, model, settings, data)
    base = base_name(model)
    cls = models()[base].cls.Options
    fields: dict[str, FieldInfo] = TrainOptions.model_fields | cls.model_fields
    reader = resolve(corpus)[0].options.model_fields
    check_keys(corpus, changes)
    if foreign := next((key for key in changes if key in reader), None):
        problem = f"{foreign} belongs to the corpus and is not tuned"
        raise InputError(problem, remedy=f"give it with --set {foreign}=")
    changes = concerning(base, changes)
    if changes.get("members") is not None:
        problem = "members are not tuned: with more of them any model is better"
        raise InputError(problem, remedy="give all models as many, with --set members=")
    fixed = set(concerning(base, {k: v for k, v in settings.items() if k not in reader}))
    declared = declared_space(TrainOptions) | declared_space(cls)
    if both := sorted(fixed & {key for key, entry in changes.items() if entry is not None}):
        raise InputError(f"{both[0]} is both set and searched", remedy="take one of them away")
    space = {k: r for k, r in declared.items() if k not in fixed and changes.get(k, r) is not None}
    for key, entry in changes.items():
        if entry is not None and key in fields:
            known = declared.get(key)
            if isinstance(known, Range) and isinstance(entry, Range):
                # What must divide its values does so still.
                entry = replace(entry, multiple_of=known.multiple_of)
            _require_allowed(key, entry, fields[key])
            space[key] = entry
    kept = {key: None if key in changes else values[key] for key in space}
    return {
        key: _fitted(key, entry, fields[key], _unit(entry, space, values), kept[key])
        for key, entry in space.items()
    }


def base_name(model: str) -> str:
    """The registered name in `unimodal:text`."""
    return model.partition(":")[0]


def for_model(model: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that hold for `model` alone."""
    return {f"{base_name(model)}.{key}": value for key, value in values.items()}


def untuned(
    corpus: str, model: str, settings: Settings, data: Path | None = None
) -> dict[str, Any]:
    """All options of training and of the model as they are where nothing is searched."""
    planned = plan(corpus, model, settings, data)
    options = models()[base_name(model)].cls.Options(**planned.options)
    return {**planned.train.model_dump(), **options.model_dump()}


def concerning(model: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that hold for all models, and over them those for `model` alone."""
    prefix = f"{model}."
    own = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
    return {key: value for key, value in values.items() if "." not in key} | own


def _require_allowed(key: str, entry: Range | Choice, field: FieldInfo) -> None:
    allowed: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(allowed)
    for value in entry.values if isinstance(entry, Choice) else (entry.low, entry.high):
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            problem = f"{key} = {value!r}: {error.errors()[0]['msg']}"
            raise InputError(problem, remedy="narrow its range") from None


def _unit(entry: Range | Choice, space: Space, values: Mapping[str, Any]) -> int:
    """What divides every value of a range, whichever value the option takes that must divide it."""
    name = entry.multiple_of if isinstance(entry, Range) else None
    if name is None:
        return 1
    divisor = space.get(name, Choice(values[name]))
    if isinstance(divisor, Range):
        low, high, step = math.ceil(divisor.low), math.floor(divisor.high), int(divisor.step or 1)
        return math.lcm(*range(low, high + 1, step))
    return math.lcm(*(int(value) for value in divisor.values if value is not None))


def _fitted(
    key: str, entry: Range | Choice, field: FieldInfo, unit: int, value: Any
) -> Range | Choice:
    """A range in the option's own type, made to hold `value`; a user's, which has none, as it is.

    Args:
        unit: of which whole numbers must be multiples.
    """
    if isinstance(entry, Choice):
        known = value is None or value in entry.values
        return entry if known else Choice(*entry.values, value)
    if field.annotation is int:
        fitted = _on_grid(entry, value, unit)
    else:
        low, high = float(entry.low), float(entry.high)
        if value is not None:
            low, high = min(low, value), max(high, value)
        if entry.step is not None:
            # The last value that can be reached.
            high = low + math.floor((high - low) / entry.step + 1e-9) * entry.step
        fitted = replace(entry, low=low, high=high)
    if fitted.low > fitted.high or (fitted.log and fitted.low <= 0):
        problem = f"no value of {key} from {entry.low:g} to {entry.high:g} can be taken"
        raise InputError(problem, remedy="change its range")
    return fitted


def _on_grid(entry: Range, value: int | None, unit: int) -> Range:
    """Multiples of `unit`; `value` is among them where it is one."""
    low, high = math.ceil(entry.low / unit) * unit, math.floor(entry.high / unit) * unit
    step = math.lcm(int(entry.step or 1), unit)
    if value is not None and value % unit == 0:
        low, high = min(low, value), max(high, value)
        step = math.gcd(step, value - low) or step
    # The last value that can be reached.
    return replace(entry, low=low, high=low + (high - low) // step * step, step=step)


def draw_value(trial: Trial, key: str, entry: Range | Choice) -> Any:
    """A value for `key`, chosen by the trial's sampler."""
    if isinstance(entry, Choice):
        return trial.suggest_categorical(key, entry.values)
    if isinstance(entry.low, int) and isinstance(entry.high, int):
        step = int(entry.step or 1)
        return trial.suggest_int(key, entry.low, entry.high, step=step, log=entry.log)
    return trial.suggest_float(key, entry.low, entry.high, step=entry.step, log=entry.log)


def describe(space: Space) -> dict[str, Any]:
    """The space as JSON content: bounds with step and log where they are given, or values."""
    return {key: _plain(entry) for key, entry in space.items()}


def _plain(entry: Range | Choice) -> Any:
    if isinstance(entry, Choice):
        return list(entry.values)
    given = {"step": entry.step, "log": entry.log or None}
    return {"low": entry.low, "high": entry.high} | {k: v for k, v in given.items() if v}
