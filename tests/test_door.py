"""`import affuse`: what it offers, that it costs nothing, and that a script of its calls runs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import run_forked

import affuse
from affuse.errors import InputError

OFFERED = (
    *("load", "corpora", "models", "load_corpus", "create_model", "train", "evaluate"),
    *("benchmark", "tune", "explain", "export", "ablate", "read_results"),
    *("Corpus", "Split", "Sample", "Predictor", "FusionModel", "register_model", "InputError"),
)
# A first script has no guard around its calls, which start processes all the same.
SCRIPT = """
import affuse

affuse.load("emotion")
affuse.corpora(); affuse.models()
corpus = affuse.load_corpus("controlled", truth="mixed", train=40, valid=20, test=20)
model = affuse.create_model("hct_mg", corpus, width=32)
run = affuse.train(corpus, model="hct_mg", out="my-model", epochs=1, members=1)
affuse.evaluate(run, corpus)
results = affuse.benchmark(corpus, models=["concat", "hct_mg"], seeds=1, out=None, epochs=1)
affuse.tune(corpus, models=["hct_mg"], trials=1, epochs=1, storage="studies.db")
affuse.explain(run, corpus, out="report.html")
affuse.export(run, "exported")

import json, torch
assert isinstance(model, torch.nn.Module) and model.options.width == 32
assert affuse.load("exported").predict_sample(corpus.folds[0].test[0]).sentiment is not None
# What `train` wrote is taken too: it is exported on the way.
assert affuse.load("my-model").names == ("my-model",)
shown = [corpus, run, results, affuse.evaluate("my-model", corpus)]
print(json.dumps({type(x).__name__: [repr(x), len(x._repr_html_()), str(x)] for x in shown}))
print(json.dumps(results.to_records()))
"""


@pytest.fixture(scope="module")
def said(
    quick_probes: None,  # noqa: ARG001 - they are quick meanwhile
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("door")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    ended = run_forked(lambda: runpy.run_path(str(script), run_name="__main__"), folder)
    assert ended.code == 0, ended.output
    assert (folder / "report.html").stat().st_size > 20_000
    shown, rows = (json.loads(line) for line in ended.out.splitlines()[-2:])
    return shown, rows


def test_all_is_offered() -> None:
    assert set(OFFERED) <= set(dir(affuse))
    assert set(OFFERED) <= set(affuse.__all__)
    for name in OFFERED:
        assert getattr(affuse, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = affuse.trian


def test_importing_it_loads_nothing_heavy() -> None:
    """Its time is a benchmark's business; what makes it short is that nothing is loaded."""
    program = "import sys, affuse; dir(affuse); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "numpy", "scipy", "pydantic", "rich", "onnxruntime"}


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "affuse", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip() == f"affuse {affuse.__version__}"


@pytest.mark.slow
def test_results_fit_a_screen_and_show_themselves(said) -> None:
    shown, rows = said
    assert set(shown) == {"Corpus", "Checkpoint", "BenchmarkResult", "Evaluation"}
    for line, page, text in shown.values():
        assert len(line) < 400
        assert "\n" not in line
        assert page > 100
        assert text
    assert "40 train, 20 valid, 20 test" in shown["Corpus"][0]
    assert "hct_mg" in shown["BenchmarkResult"][2]
    assert {row["model"] for row in rows} >= {"trivial", "text", "concat", "hct_mg"}
    assert all(len(row["runs"]) == 1 for row in rows)


def _sample(name: str, value: float) -> affuse.Sample:
    x = np.full((2, 1), value, np.float32)
    return affuse.Sample(name, {"text": x, "audio": x}, np.array([value], np.float32))


def _corpus(name: str, *folds: tuple[list[float], list[float], list[float]]) -> affuse.Corpus:
    """Samples are called by their value, as wherever they are the same."""
    splits = (
        affuse.Split(*([_sample(f"s{v:g}", v) for v in part] for part in fold)) for fold in folds
    )
    return affuse.Corpus(name, affuse.Regression(-3, 3), {"text": 1, "audio": 1}, tuple(splits))


TRAIN, VALID, TEST = [-2.0, -1.0, 0.0, 1.0], [-0.5, 0.5], [1.5, 2.5]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory):
    """A corpus of two folds, and a model trained on its second."""
    corpus = _corpus("toy", (TEST, VALID, TRAIN), (TRAIN, VALID, TEST))
    options = {"epochs": 1, "width": 4, "progress": False}
    return corpus, affuse.train(
        corpus, "concat", out=tmp_path_factory.mktemp("toy") / "run", fold=1, **options
    )


def test_the_trivial_row_is_that_of_the_fold(toy) -> None:
    corpus, run = toy
    # The median of the training labels, -0.5, against 1.5 and 2.5.
    assert affuse.evaluate(run, corpus).trivial["mae"] == pytest.approx(2.5)


def test_what_was_trained_on_is_not_tested(toy) -> None:
    _, run = toy
    moved = _corpus("toy[split=other]", (TEST, VALID, TRAIN[:2]))
    says = "trained on toy, which holds 2 of the 2 test samples of toy.split=other.; use the split"
    with pytest.raises(InputError, match=says):
        affuse.evaluate(run, moved)
    with pytest.raises(InputError, match=says):
        affuse.explain(run, moved)
    # By content, whatever the corpus is called; what is new to the model is scored.
    with pytest.raises(InputError, match="holds 1 of the 2 test samples"):
        affuse.evaluate(run, _corpus("renamed", (TEST, VALID, [TRAIN[0], 2.75])))
    found = affuse.evaluate(run, _corpus("toy[split=new]", (TEST, VALID, [-2.25, 2.75])))
    assert not found.trained_on_this


def test_a_checkpoint_without_what_it_saw_goes_by_its_name(toy) -> None:
    corpus, run = toy
    from dataclasses import replace

    old = replace(run, seen=None)
    assert affuse.evaluate(old, corpus).metrics == affuse.evaluate(run, corpus).metrics
    with pytest.raises(InputError, match="may hold 2 of the 2 test samples"):
        affuse.evaluate(old, _corpus("toy[split=new]", (TEST, VALID, [-2.25, 2.75])))


def test_an_option_may_be_called_like_an_argument(toy) -> None:
    _, run = toy
    few = {"train": 12, "valid": 6, "test": 6, "seed": 3}
    for ask in (affuse.evaluate, affuse.explain):
        with pytest.raises(InputError, match="the checkpoint reads text of width 1, controlled"):
            ask(run, "controlled", settings=few)


def test_it_leaves_the_threads_of_torch_alone(toy) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run = affuse.train(toy[0], "concat", epochs=1, width=4, progress=False)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    # Nothing was kept on disk, so that it names no folder.
    assert run.folder is None


@pytest.mark.slow
def test_the_call_is_told_in_full(toy) -> None:
    asked = {"models": "concat", "seeds": 1, "singles": False, "limit": 2, "epochs": 1, "width": 4}
    result = affuse.benchmark(toy[0], **asked, settings={"concat.dropout": 0.1}, progress=False)
    assert result.command == (
        "affuse.benchmark(<toy>, models='concat', seeds=1, singles=False, limit=2, "
        "settings={'concat.dropout': 0.1}, epochs=1, width=4)"
    )


def test_options_are_for_corpora_that_are_read(toy) -> None:
    corpus, run = toy
    with pytest.raises(InputError, match="option 'split' of a corpus in memory; make the corpus"):
        affuse.evaluate(run, corpus, split="bc")
    for ask in (affuse.benchmark, affuse.tune, affuse.create_model):
        words = ("concat", corpus) if ask is affuse.create_model else (corpus, "concat")
        with pytest.raises(InputError, match="data of a corpus in memory; leave it out"):
            ask(*words, data="somewhere")
    with pytest.raises(InputError, match="data of a corpus in memory; leave it out"):
        affuse.train(corpus, data="somewhere", progress=False)
    with pytest.raises(InputError, match="unknown setting 'truht'; did you mean"):
        affuse.train("controlled", truht="mixed", progress=False)


OWN_MODEL = '''
import affuse
from torch import nn


@affuse.register_model("mine")
class Mine(affuse.FusionModel):
    """A model of a script."""

    Options = affuse.Options

    def __init__(self, widths, outputs, options):
        super().__init__(widths, outputs, options)
        self.heads = nn.ModuleDict({m: nn.Linear(d, outputs) for m, d in widths.items()})

    def forward(self, batch, detail=False):
        batch = self.admit(batch)
        means = [self.heads[m](batch.sequences[m]).mean(dim=1) for m in batch.sequences]
        return affuse.FusionOutput(sum(means), *self.even_gate(batch))


if __name__ == "__main__":
    corpus = affuse.load_corpus("controlled", train=12, valid=6, test=6)
    assert affuse.train(corpus, "mine", epochs=1, progress=False).name == "mine"
    few = {"seeds": 1, "singles": False, "epochs": 1, "progress": False}
    print(repr(affuse.benchmark(corpus, ["mine"], **few)))
'''


@pytest.mark.slow
@pytest.mark.parametrize("stored", [True, False])
def test_a_model_of_a_script_is_found_by_its_runs_where_they_can(tmp_path: Path, stored) -> None:
    (tmp_path / "script.py").write_text(OWN_MODEL)
    with (tmp_path / "script.py").open() as script:
        done = subprocess.run(
            [sys.executable, "script.py" if stored else "-"],
            cwd=tmp_path, stdin=script, capture_output=True, text=True,
        )  # fmt: skip
    if stored:
        assert "1 seed, mae: trivial" in done.stdout, done.stderr
    else:
        says = "model 'mine' stands in no file that runs could read; write it to a .py file"
        assert says in done.stderr
