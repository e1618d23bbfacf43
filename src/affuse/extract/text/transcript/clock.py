"""Times as people and programs write them, in seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_STEP = r"\s{0,2}[:：]\s{0,2}"
# Hours may lack, and the fraction, before which a comma, a point or a colon may stand.
_CLOCK = (
    rf"(?P<@sign>[-−])?(?:(?P<@h>\d{{1,5}}){_STEP})?(?P<@m>\d{{1,3}}){_STEP}"
    r"(?P<@s>\d{1,2})(?!\d)(?:\s?[.,:;，．']\s?(?P<@f>\d{1,9}))?"
)
_ISO = re.compile(r"PT(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?", re.IGNORECASE)
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"([-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[-+]?\d+)?)\s*([a-z]*)", re.IGNORECASE)


def clock(prefix: str) -> str:
    """The pattern of a time such as 1:02:03,450; its groups' names begin with `prefix`."""
    return _CLOCK.replace("@", prefix)


def clock_seconds(parts: Mapping[str, str | None], prefix: str) -> float:
    """The seconds that a match of `clock(prefix)` says."""
    hours, minutes, seconds, fraction = (parts[prefix + key] or "" for key in "hmsf")
    total = float(3600 * int(hours or 0) + 60 * int(minutes) + int(seconds))
    total += float(f"0.{fraction or 0}")
    return -total if parts[f"{prefix}sign"] else total


_WHOLE = re.compile(rf"\s*{clock('')}\s*")


def seconds_of(value: Any) -> float | None:
    """Seconds of a number, or of text such as 1.3, 1.3s, 1300ms, 0:01.3 or PT1.3S; else None.

    Also of `{"seconds": 1, "nanos": 300000000}`. What is not finite is None.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e12 and math.isfinite(value) else None
    if isinstance(value, Mapping):
        parts = seconds_of(value.get("seconds", 0)), seconds_of(value.get("nanos", 0))
        known = {"seconds", "nanos"} & set(value)
        return None if not known or None in parts else (parts[0] or 0) + (parts[1] or 0) / 1e9
    return _of_text(value.strip()) if isinstance(value, str) else None


def _of_text(text: str) -> float | None:
    if match := _WHOLE.fullmatch(text):
        return clock_seconds(match.groupdict(), "")
    if text and (match := _ISO.fullmatch(text)):
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 3600 * hours + 60 * minutes + seconds
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in _UNITS:
        return None
    return seconds_of(float(match[1].replace(",", ".")) * _UNITS[match[2].lower()])
