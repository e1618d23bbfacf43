"""Lists of examples `((words, visual, acoustic[, text]), label, segment)`, as a split's dictionary.

The layout of the public code of MAG-BERT (Rahman et al. 2020, "Integrating Multimodal Information
in Large Pretrained Transformers"), MISA (Hazarika et al. 2020) and their relatives: one step a
word, without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError

WORDS, SPOKEN = "words", "raw_text"
"""Keys of what examples have beside arrays: words or their numbers, and the words where told."""
_REMEDY = "give each example as ((words, visual, acoustic), label, segment)"


def are_examples(values: object) -> bool:
    """Whether a split is such a list."""
    rows = _unboxed(values)
    if not isinstance(rows, list | tuple) or not rows:
        return False
    first = rows[0]
    return isinstance(first, list | tuple) and len(first) >= 2 and _parts(first[0]) is not None


def from_examples(values: Any, source: str) -> dict[str, Any]:
    """The dictionary of a split: lists `words`, `vision` and `audio`, `labels` `(N, K)`, `id`.

    Raises:
        InputError: an example of another layout, or labels of unlike widths.
    """
    found: dict[str, list[Any]] = {key: [] for key in (WORDS, "vision", "audio", "labels", "id")}
    spoken: list[Any] = []
    for row, example in enumerate(values):
        parts = _parts(example[0]) if isinstance(example, list | tuple) and example else None
        if parts is None or len(example) < 2:
            raise InputError(f"example {row} is laid out otherwise", remedy=_REMEDY, source=source)
        words, visual, acoustic, *text = parts
        segment = example[2] if len(example) > 2 else None
        rows = (_listed(words), visual, acoustic, _label(example[1], row, source), _name(segment))
        for key, value in zip(found, rows, strict=True):
            found[key].append(value)
        spoken.append(_spoken(text[0]) if text else None)
    widths = {len(label) for label in found["labels"]}
    if len(widths) > 1:
        problem = f"labels have {' and '.join(map(str, sorted(widths)))} values"
        raise InputError(problem, remedy="give each example as many", source=source)
    ids = found["id"] if all(name is not None for name in found["id"]) else None
    content: dict[str, Any] = {**found, "labels": np.array(found["labels"]), "id": ids}
    return content | ({SPOKEN: spoken} if all(text is not None for text in spoken) else {})


def _unboxed(value: Any) -> Any:
    """An array of objects as the list that it stands for."""
    boxed = isinstance(value, np.ndarray) and value.dtype == object
    return value.tolist() if boxed else value


def _parts(value: object) -> Sequence[Any] | None:
    """Words, visual, acoustic and perhaps text."""
    parts = _unboxed(value)
    if not isinstance(parts, list | tuple) or not 3 <= len(parts) <= 4:
        return None
    # Voice and face may be None: what an example lacks.
    several = isinstance(parts[0], list | tuple | np.ndarray) and all(
        isinstance(part, list | tuple | np.ndarray | None) for part in parts[1:3]
    )
    return parts if several and _are_words(parts[0]) else None


def _are_words(value: Any) -> bool:
    first = next(iter(_listed(value)), "")
    return isinstance(first, str | bytes | int | np.integer)


def _listed(words: Any) -> list[Any]:
    listed: list[Any] = np.ravel(words).tolist() if isinstance(words, np.ndarray) else list(words)
    return listed


def _label(value: Any, row: int, source: str) -> NDArray[np.float64]:
    try:
        return np.asarray(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        remedy = "give numbers, such as an array (1, 1)"
        problem = f"the label of example {row} is no number"
        raise InputError(problem, remedy=remedy, source=source) from None


def _name(segment: Any) -> Any:
    """The name of a segment; of lists that hold nothing else, what they hold."""
    while isinstance(segment, list | tuple | np.ndarray) and len(segment) == 1:
        segment = segment[0]
    return segment


def _spoken(text: Any) -> str:
    """What was said, as words with spaces between."""
    rows = [text] if isinstance(text, str | bytes) else _listed(text)
    return " ".join(r.decode("utf-8", "replace") if isinstance(r, bytes) else str(r) for r in rows)
