"""Settings that differ by fold, and where settings were found.

What a search finds on one fold has seen that fold's validation part, which is the test part of
another. So a settings file may hold, beside `key: value`,

- `tuned`: the corpus that settings were found on, its fingerprint and its number of folds;
- `folds`: number of a fold to its own `key: value`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from affuse.config import read_yaml
from affuse.errors import InputError
from affuse.samples import Corpus

TUNED, FOLDS = "tuned", "folds"
WRITTEN = "# Chosen by affuse tune on the validation part of"
"""How the file of a search begins."""

Settings = Mapping[str, Any]


def plain(settings: Settings) -> dict[str, Any]:
    """Those that hold for every fold."""
    return {key: value for key, value in settings.items() if key not in (TUNED, FOLDS)}


def by_fold(settings: Settings) -> dict[int, dict[str, Any]]:
    """Those of single folds."""
    # JSON knows no numbers as keys.
    return {int(fold): dict(own) for fold, own in settings.get(FOLDS, {}).items()}


def of_fold(settings: Settings, fold: int) -> dict[str, Any]:
    """All that hold for a fold."""
    return {**plain(settings), **by_fold(settings).get(fold, {})}


def every_key(settings: Settings) -> set[str]:
    """Of all folds."""
    return {*plain(settings), *(key for own in by_fold(settings).values() for key in own)}


def read_settings(path: Path) -> dict[str, Any]:
    """A file of settings.

    Raises:
        InputError: a file that cannot be read, or holds something else.
    """
    problem, remedy = "holds no settings", "write lines such as epochs: 20"
    found = read_yaml(path, problem, remedy)
    folds, tuned = found.get(FOLDS, {}), found.get(TUNED, {})
    whole = isinstance(folds, dict) and isinstance(tuned, dict)
    if not whole or not all(
        str(fold).isdecimal() and isinstance(own, dict) for fold, own in folds.items()
    ):
        remedy = "give the file as affuse tune wrote it"
        raise InputError("holds no settings by fold", remedy=remedy, source=path)
    if TUNED not in found and path.read_text().startswith(WRITTEN):
        # Of a version that did not say of which fold.
        found[TUNED] = {}
    return found


def merged(first: Settings, second: Settings, source: Path) -> dict[str, Any]:
    """The second over the first, fold by fold.

    Raises:
        InputError: both were found by a search, but on different data.
    """
    whole = {**first, **second}
    if TUNED in first and TUNED in second and first[TUNED] != second[TUNED]:
        raise InputError(
            f"was found on {second[TUNED].get('corpus', 'an unknown fold')}, and the file before "
            f"it on {first[TUNED].get('corpus', 'an unknown fold')}",
            remedy="tune all models on the same corpus",
            source=source,
        )
    if FOLDS in whole:
        mine, theirs = by_fold(first), by_fold(second)
        whole[FOLDS] = {
            fold: {**mine.get(fold, {}), **theirs.get(fold, {})}
            for fold in sorted({*mine, *theirs})
        }
    return whole


def overruled(settings: Settings, asked: Settings) -> dict[str, Any]:
    """Settings of files under what the user asks for.

    A model's own setting goes before one for all, but not where a file gave the one for the model
    and the user the other.
    """

    def left(own: Settings) -> dict[str, Any]:
        return {k: v for k, v in own.items() if not {k, k.partition(".")[2]} & asked.keys()}

    kept = left(settings)
    if FOLDS in settings:
        kept[FOLDS] = {fold: left(own) for fold, own in by_fold(settings).items()}
    return {**kept, **asked}


def require_found_here(
    settings: Settings, corpus: Corpus, folds: Iterable[int], source: str = "the settings"
) -> None:
    """Raise `InputError` where settings that a search found are not those of these folds.

    On a corpus of one fold, settings from anywhere may be tried.
    """
    if TUNED not in settings and FOLDS not in settings:
        return
    if len(corpus.folds) == 1 and FOLDS not in settings:
        return
    known = settings.get(TUNED, {})
    if known.get("fingerprint") != corpus.fingerprint():
        where = known.get("corpus", "an unknown fold")
        raise InputError(
            f"{source} were found on {where}, whose validation part may be the test part of a fold "
            f"of {corpus.name}",
            remedy="search in each of its folds: affuse tune",
        )
    own = by_fold(settings)
    lacking = [str(fold) for fold in folds if fold not in own]
    if lacking:
        found = ", ".join(map(str, own)) or "none"
        raise InputError(
            f"{source} were found on fold {found} of {corpus.name}, and fold {', '.join(lacking)} "
            "is to be trained",
            remedy="search in that too: affuse tune without --fold",
        )
