"""The splits of a pickle, or of a folder with a pickle for each, by the names that the field uses.

What people save differs in small things: `dev` for `valid`, `visual` for `vision`, lists of
sequences for a padded array, None for what there is not. All of it is settled here, for whoever
reads the file and for whoever examines it, and told in notices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.readers.pickles import load_pickle
from affuse.readers.pickles.examples import are_examples, from_examples
from affuse.readers.pickles.padded import kind_of, require_keys
from affuse.readers.pickles.ragged import to_arrays
from affuse.readers.split_arrays import load_split_arrays, split_arrays
from affuse.samples import PARTS

# The likeliest first, without regard to case; of `eval` is made what no other name is for.
_NAMES = {
    "train": ("train", "training", "trn", "tr"),
    "valid": ("valid", "val", "dev", "validation", "validate", "devel", "development", "eval"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_KEYS = {
    "text": ("language", "linguistic"),
    "audio": ("acoustic", "speech", "voice"),
    "vision": ("visual", "video"),
    "labels": ("label", "targets", "target", "y"),
    "id": ("ids", "segment", "segments"),
}
_ENDINGS = (".pkl", ".pickle", ".pk", ".p")


@dataclass
class Splits:
    """What a file or folder has of train, valid and test, not converted yet.

    Attributes:
        content: part to what the file has of it.
        others: what else stands beside them.
        notices: what was read otherwise than it stands, a line each.
    """

    source: Path
    content: dict[str, Any]
    others: tuple[str, ...] = ()
    notices: list[str] = field(default_factory=list)

    def require(self, layout: str) -> None:
        """Raise `InputError`, with `layout` as its remedy, where a part is missing."""
        for part in PARTS:
            if part not in self.content:
                found = ", ".join([*self.content, *self.others]) or "nothing"
                problem = f"has no '{part}', only {found}"
                raise InputError(problem, remedy=layout, source=self.source)

    def take(self, part: str, layout: str = "give a dictionary of arrays") -> dict[Any, Any]:
        """A part, once: modalities and labels as arrays, other entries as they stand.

        Raises:
            InputError: it is no dictionary and no list of examples, or holds what cannot be
                converted.
        """
        source, values = f"{self.source}: {part}", self.content.pop(part)
        values = from_examples(values, source) if are_examples(values) else _by_key(values)
        known = self._named(require_keys(values, (), layout, source))
        return to_arrays(known, source, self.notice)

    def look(self, part: str) -> dict[Any, Any]:
        """The same for who only looks: what cannot be converted is as it stands."""
        values = self.content.get(part)
        with suppress(InputError):
            return self.take(part) if values is not None else {}
        return values if isinstance(values, dict) else {}

    def notice(self, line: str) -> None:
        """Keep a line, once."""
        if line not in self.notices:
            self.notices.append(line)

    def _named(self, values: Mapping[Any, Any]) -> dict[Any, Any]:
        """Another name for a key of the field stands for it where it is not there itself."""
        named = {_lower(key): key for key in values if isinstance(key, str | bytes)}
        renamed = dict(values)
        for known, names in _KEYS.items():
            found = [named[name] for name in (known, *names) if name in named]
            labelled = known == "labels" and any("labels" in name for name in named)
            if found and known not in values and not (labelled and _lower(found[0]) != known):
                renamed[known] = renamed.pop(found[0])
                if _lower(found[0]) != known:
                    self.notice(f"'{_lower(found[0])}' is read as {known}")
        return renamed


def _by_key(values: Any) -> Any:
    """A split that has a dictionary for each sample, in a list or by the samples' names, by key."""
    rows = list(values.values()) if isinstance(values, dict) else values
    if not isinstance(rows, list | tuple) or not rows:
        return values
    if not all(isinstance(row, dict) for row in rows):
        return values
    keys = dict.fromkeys(key for row in rows for key in row)
    found = {key: [row.get(key) for row in rows] for key in keys}
    return found if rows is values else {"id": list(values), **found}


def _lower(key: object) -> str:
    return (key.decode("latin-1") if isinstance(key, bytes) else str(key)).lower()


def load_splits(path: Path) -> Splits:
    """The splits of a pickle, of a folder of pickles named after them, or of `split_arrays`.

    Raises:
        InputError: what cannot be read, or holds no dictionary.
    """
    if split_arrays(path):
        return Splits(path, dict(load_split_arrays(path)))
    if path.is_dir():
        files = split_files(path)
        if not files:
            remedy = "name the corpus and give the folder with --data, or give the path of a file"
            raise InputError("is a folder of no known format", remedy=remedy, source=path)
        return Splits(path, {part: load_pickle(file) for part, file in files.items()})
    found = load_pickle(path)
    if are_examples(found):
        remedy = "give the folder with the files of train, dev and test"
        raise InputError("is one part of a corpus", remedy=remedy, source=path)
    if not isinstance(found, dict):
        remedy = "give a dictionary of train, valid and test"
        raise InputError(f"holds no dictionary but {kind_of(found)}", remedy=remedy, source=path)
    splits = Splits(path, {})
    keys = {_lower(key): key for key in reversed(found)}
    for part, names in _NAMES.items():
        if (name := next((n for n in names if n in keys), None)) is not None:
            splits.content[part] = found.pop(keys.pop(name))
            if name != part:
                splits.notice(f"the split '{name}' is read as {part}")
    splits.others = tuple(str(key)[:24] for key in list(found)[:8])
    return splits


def split_files(folder: Path) -> dict[str, Path]:
    """Part to its pickle in a folder, such as `train.pkl` or `mosi_dev.pkl`, if it is the only."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else ():
        words = re.split(r"[^a-z]+", file.stem.lower())
        parts = [p for p, names in _NAMES.items() if {*names} & {words[0], words[-1]} - {"eval"}]
        if file.suffix.lower() in _ENDINGS and len(parts) == 1:
            found.setdefault(parts[0], []).append(file)
    return {part: files[0] for part, files in found.items() if len(files) == 1}
