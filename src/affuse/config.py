"""Options: frozen pydantic models that refuse unknown keys and name the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

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

    Args:
        problem: what is said of a file that holds something else.
        remedy: and what to do then.

    Raises:
        InputError: that, or a file that cannot be read.
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
