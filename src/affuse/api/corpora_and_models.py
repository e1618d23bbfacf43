"""What there is to work with: corpora and models, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.arguments import as_path, prepare, told

if TYPE_CHECKING:
    from affuse.api.arguments import CorpusLike
    from affuse.fusion import FusionModel
    from affuse.samples import Corpus


def corpora() -> dict[str, str]:
    """The corpora that `load_corpus` knows by name, each with what it is."""
    from affuse.readers.registry import corpora

    return {name: entry.summary for name, entry in corpora().items()}


def models() -> dict[str, str]:
    """The models that `train` knows by name, each with what it is."""
    from affuse.fusion import models

    return {name: entry.summary for name, entry in models().items()}


def load_corpus(corpus: str | Path, data: str | Path | None = None, /, **options: Any) -> Corpus:
    """Read a corpus: `load_corpus("mosi", "data/mosi", split="official")`.

    Args:
        corpus: a name of `corpora()`, or the path of a file or folder.
        data: where the corpus lies, for a name that needs it.
        options: of the reader; an unknown one is an error that names the nearest.
    """
    from affuse.readers.registry import load_corpus

    return told(load_corpus(str(corpus), as_path(data), options))


def create_model(
    model: str, corpus: CorpusLike, *, data: str | Path | None = None, **options: Any
) -> FusionModel:
    """The model as `train` begins with it on that corpus: its preset, then `options`."""
    from affuse.training.session import build_model

    return build_model(*prepare(corpus, data, model, options))
