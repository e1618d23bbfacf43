"""Options: frozen pydantic models that refuse unknown keys and name the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from affuse.errors import InputError, file_error, unknown_name


class Options(BaseModel):
    """Base of every options model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


OptionsT = TypeVar("OptionsT", bound=Options)


def parse_options(
    model: type[OptionsT], values: Mapping[str, Any], *, source: str | Path | None = None
) -> OptionsT:
    """Validate `values` into `model`.

    Raises:
        InputError: an unknown key (with the nearest known one) or a value out of its range.
    """
    for key in values:
        if key not in model.model_fields:
            raise unknown_name("option", key, model.model_fields, source=source)
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        key, message = _first_fault(error)
        # A check across several options has no key of its own.
        what = f"option '{key}' = {error.errors()[0]['input']!r}: " if key else ""
        raise InputError(
            f"{what}{message.removeprefix('Value error, ')}",
            remedy="give it a value that is allowed" if key else "change one of them",
            source=source,
        ) from None


def invalid(
    error: ValidationError, what: str, *, remedy: str, source: str | Path | None
) -> InputError:
    """The error for content that is not `what`: it names the first entry at fault."""
    where, message = _first_fault(error)
    entry = f"entry '{where}': " if where else ""
    return InputError(f"not {what}: {entry}{message.lower()}", remedy=remedy, source=source)


def _first_fault(error: ValidationError) -> tuple[str, str]:
    """The first entry that pydantic refused, with dots between its levels, and why."""
    first = error.errors()[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"]


def read_yaml(path: Path, problem: str, remedy: str) -> dict[str, Any]:
    """A file of `key: value`.

    Raises:
        InputError: a file that cannot be read, or holds something else: then of this problem.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(problem, remedy=remedy, source=path)
    return content


def parse_assignment(text: str) -> tuple[str, Any]:
    """`key=value` to the pair, with the value read as YAML (so 3, 0.5, true and names work)."""
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"'{text}' is not key=value", remedy="write, for example, epochs=20")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"'{text}': the value cannot be read", remedy="quote it") from None


Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        step: between one number and the next; None for any float, or 1 for an int.
        log: whether every factor is as likely as every other, instead of every difference.
        multiple_of: another option of the same model, whose values divide all of these.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    multiple_of: str | None = None

    def holds(self, value: Any) -> bool:
        """Whether a value can be drawn from it."""
        if not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few values, in no order."""

    values: tuple[Scalar, ...]

    def __init__(self, *values: Scalar) -> None:
        object.__setattr__(self, "values", values)

    def holds(self, value: Any) -> bool:
        """Whether a value is among them."""
        return value in self.values


Space = dict[str, Range | Choice]

_DROPOUT = Range(0.0, 0.6)


def declared_space(options: type[Options]) -> Space:
    """The ranges that an options model declares.

    One that declares none of its own is searched all the same, by the names that the field uses:
    `width` from half to twice its default, and every dropout.
    """
    fields = options.model_fields
    notes = ((key, note) for key, field in fields.items() for note in field.metadata)
    space: Space = {key: note for key, note in notes if isinstance(note, Range | Choice)}
    return space or {key: found for key, f in fields.items() if (found := _by_name(key, f, fields))}


def _by_name(key: str, field: FieldInfo, fields: dict[str, Any]) -> Range | None:
    if key == "width" and isinstance(field.default, int):
        low = max(1, field.default // 2)
        return Range(low, 2 * field.default, multiple_of="heads" if "heads" in fields else None)
    dropout = key == "dropout" or key.endswith("_dropout")
    return _DROPOUT if dropout and field.annotation is float else None


def parted(value: Any) -> Any:
    """`a+b` as the list of a and b, for options that take several."""
    return tuple(p.strip() for p in value.split("+")) if isinstance(value, str) else value
