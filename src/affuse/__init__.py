"""affuse: small fusion models that read affect from text, audio and vision.

>>> import affuse
>>> affuse.load("emotion").predict("interview.mp4")          # a clip to an answer, without torch
>>> corpus = affuse.load_corpus("controlled", truth="mixed")  # or affuse.Corpus(...) of one's own
>>> run = affuse.train(corpus, "hct_mg", out="my-model", epochs=20)
>>> affuse.evaluate(run, corpus)
>>> affuse.benchmark(corpus, ["concat", "hct_mg"], seeds=3)
>>> affuse.explain(run, corpus, out="report.html")
>>> affuse.export(run, "exported")

What a command of `affuse` does is one call here. Nothing heavy is loaded before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affuse.annotation.desk import label
    from affuse.api import (
        ablate,
        benchmark,
        corpora,
        create_model,
        evaluate,
        explain,
        export,
        load,
        load_corpus,
        models,
        predict,
        read_results,
        train,
        tune,
    )
    from affuse.batches import Batch
    from affuse.config import Options
    from affuse.errors import AffuseError, InputError
    from affuse.fusion import FusionModel, FusionOutput, register_model
    from affuse.readers import register_corpus
    from affuse.runtime.predictor import Predictor
    from affuse.samples import Corpus, Sample, Split
    from affuse.service.client import connect
    from affuse.tasks import BinaryLabels, Classification, Regression, Values

__version__ = "0.1.0"

_PLACES = {
    "affuse.api": (
        *("ablate", "benchmark", "corpora", "create_model", "evaluate", "explain", "export"),
        *("load", "load_corpus", "models", "predict", "read_results", "train", "tune"),
    ),
    "affuse.annotation.desk": ("label",),
    "affuse.batches": ("Batch",),
    "affuse.config": ("Options",),
    "affuse.errors": ("AffuseError", "InputError"),
    "affuse.fusion": ("FusionModel", "FusionOutput", "register_model"),
    "affuse.readers": ("register_corpus",),
    "affuse.runtime.predictor": ("Predictor",),
    "affuse.samples": ("Corpus", "Sample", "Split"),
    "affuse.service.client": ("connect",),
    "affuse.tasks": ("BinaryLabels", "Classification", "Regression", "Values"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "AffuseError",
    "Batch",
    "BinaryLabels",
    "Classification",
    "Corpus",
    "FusionModel",
    "FusionOutput",
    "InputError",
    "Options",
    "Predictor",
    "Regression",
    "Sample",
    "Split",
    "Values",
    "__version__",
    "ablate",
    "benchmark",
    "connect",
    "corpora",
    "create_model",
    "evaluate",
    "explain",
    "export",
    "label",
    "load",
    "load_corpus",
    "models",
    "predict",
    "read_results",
    "register_corpus",
    "register_model",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module 'affuse' has no attribute '{name}'")
    found = getattr(import_module(_PLACE_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "Any", "annotations", "import_module"})
