"""Where tuning looks for an option's value, said beside the option itself.

A field of an options model declares it in its annotation:

    width: Annotated[int, Range(16, 64, multiple_of="heads")] = Field(40, ge=1)
    kernel: Annotated[int, Choice(1, 3, 5)] = Field(3, ge=1)

Nothing else knows of it until `affuse.tuning` asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from affuse.config import Options

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low: the least.
        high: the greatest.
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
    space: Space = {}
    for key, field in fields.items():
        for note in field.metadata:
            if isinstance(note, (Range, Choice)):
                space[key] = note
    return space or {key: found for key, f in fields.items() if (found := _by_name(key, f, fields))}


def _by_name(key: str, field: FieldInfo, fields: dict[str, Any]) -> Range | None:
    if key == "width" and isinstance(field.default, int):
        low = max(1, field.default // 2)
        return Range(low, 2 * field.default, multiple_of="heads" if "heads" in fields else None)
    dropout = key == "dropout" or key.endswith("_dropout")
    return _DROPOUT if dropout and field.annotation is float else None
