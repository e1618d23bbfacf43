"""The door: whatever a command of `affuse` does is one call here, with the same words.

A corpus is a name of `affuse.corpora()` with its options, the path of a file or folder, or a
`Corpus` in memory. A checkpoint is what `train` returned, or the folder that it wrote. Options go
by their names, `epochs=20`; one for a single model of several stands in `settings`, as
`{"mult.layers": 2}`. `device` is where torch works: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
"""

from affuse.api.answers_of_many import predict
from affuse.api.corpora_and_models import corpora, create_model, load_corpus, models
from affuse.api.in_use import export, load
from affuse.api.many_runs import ablate, benchmark, read_results, tune
from affuse.api.one_model import evaluate, explain, train

__all__ = [
    "ablate",
    "benchmark",
    "corpora",
    "create_model",
    "evaluate",
    "explain",
    "export",
    "load",
    "load_corpus",
    "models",
    "predict",
    "read_results",
    "train",
    "tune",
]
