"""The processes that train: what a model finds in one, and a reader that changes its mind there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from forked import run_forked
from installed import beside, install

from affuse.errors import InputError
from affuse.harness.request import Request
from affuse.harness.run import run_benchmark
from affuse.readers import load_corpus
from affuse.readers.pickles.mult_format import to_mult_pickle
from affuse.readers.stored_write import store_corpus

# A module of a user's: a corpus whose test targets can be told from all other numbers, and a model
# that looks for them in everything that its process holds, whenever it is called.
MARKED = '''
import gc, os, sys
import numpy as np
import torch
from affuse.config import Options
from affuse.samples import Corpus, Split
from affuse.readers.registry import register_corpus
from affuse.fusion import FusionModel, FusionOutput, register_model
from affuse.samples import Sample
from affuse.tasks import Regression

WIDTHS = {"text": 3, "audio": 2, "vision": 2}
# Test targets are odd multiples of 1/2048 from 2 on, those of training from 1 on.
TEST, TRAIN = 2.0, 1.0


class MarkedOptions(Options):
    shifty: bool = False


@register_corpus("marked", MarkedOptions, needs_data=False)
def read_marked(path, options):
    """Marked targets."""
    lows = {"train": TRAIN, "valid": 0.0, "test": TEST}
    shift = os.getpid() if options.shifty else 0
    return Corpus(
        "marked",
        Regression(),
        WIDTHS,
        (Split(*(part(name, low, shift) for name, low in lows.items())),),
        options={"answers": [TEST + (2 * n + 1) / 2048 for n in range(16)]},
    )


def part(name, low, shift):
    rng = np.random.default_rng(len(name))
    labels = (low + (2 * np.arange(16) + 1) / 2048).astype(np.float32)
    return [
        Sample(
            f"{name} {row}",
            {m: shift + rng.normal(100, 1, (4, d)).astype(np.float32) for m, d in WIDTHS.items()},
            labels[row : row + 1],
            truth={"answers": labels.tolist()},
        )
        for row in range(16)
    ]


def marked(values, low):
    return int(((values >= low) & (values < low + 1) & (values * 1024 % 1 == 0.5)).sum())


def numbers():
    objects = gc.get_referents(*gc.get_objects())
    for frame in sys._current_frames().values():
        while frame is not None:
            objects += frame.f_locals.values()
            frame = frame.f_back
    seen = {}
    for each in objects:
        if type(each) is list and each and type(each[0]) is float:
            each = np.array([v for v in each if type(v) is float])
        if isinstance(each, torch.Tensor):
            each = each.detach().numpy()
        while isinstance(each, np.ndarray):
            if each.dtype.kind == "f":
                seen[id(each)] = each.ravel()
            each = each.base
    return np.concatenate(list(seen.values())).astype(np.float64)


@register_model("snoop")
class Snoop(FusionModel):
    """Looks for test targets."""

    Options = Options

    def __init__(self, widths, outputs, options):
        super().__init__(widths, outputs, options)
        self.layer = torch.nn.Linear(widths["text"], outputs)
        self.looked = set()

    def forward(self, batch, detail=False):
        batch = self.admit(batch)
        when = "training" if self.training else batch.ids[0].split()[0]
        if when not in self.looked:
            self.looked.add(when)
            found = numbers()
            with open("found.txt", "a") as file:
                counts = marked(found, TRAIN), marked(found, TEST)
                print(when, *counts, *batch.ids, file=file)
        gate, primary = self.even_gate(batch)
        return FusionOutput(self.layer(self.take(batch, "text")[0].mean(dim=1)), gate, primary)
'''

ENTRIES = """
[affuse.models]
snoop = marked_corpus
[affuse.corpora]
marked = marked_corpus
"""


def measure() -> None:
    """Benchmark the corpus as its reader makes it, and from files, and when it changes its mind."""
    corpus = load_corpus("marked")
    Path("marked.pkl").write_bytes(to_mult_pickle(corpus))
    store_corpus(corpus, Path("kept"))
    said = {}
    for name, settings in (
        *((name, {}) for name in ("marked", "kept", "marked.pkl")),
        ("marked", {"shifty": True}),
    ):
        request = Request(
            name,
            models=("snoop",),
            seeds=1,
            singles=False,
            jobs=1,
            settings={"epochs": 1, "normalise": "none", **settings},
        )
        try:
            run_benchmark(request, Path(f"results-{len(said)}"))
            said[f"{name} {settings}"] = Path("found.txt").read_text().splitlines()
            Path("found.txt").unlink()
        except InputError as error:
            said[f"{name} {settings}"] = str(error)
    Path("said.json").write_text(json.dumps(said))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("marked")
    site = install(folder / "site", "theirs", ENTRIES, marked_corpus=MARKED)
    ended = run_forked(beside(site, measure), folder)
    assert ended.code == 0, ended.output
    content: dict[str, Any] = json.loads((folder / "said.json").read_text())
    return content


@pytest.mark.parametrize("kind", ["marked", "kept", "marked.pkl"])
def test_a_process_that_trains_holds_no_test_target(said: dict[str, Any], kind: str) -> None:
    lines = [line.split() for line in said[f"{kind} {{}}"]]
    assert [line[0] for line in lines] == ["training", "valid", "test"]
    # It does find what it may.
    assert all(int(line[1]) >= 16 for line in lines)
    # One may be there by chance.
    assert all(int(line[2]) <= 2 for line in lines)


def test_a_model_sees_no_names_of_test_samples(said: dict[str, Any]) -> None:
    names = said["marked {}"][-1].split()[3:]
    assert names == [word for n in range(16) for word in ("test", str(n))]


def test_a_reader_that_differs_in_the_process_is_refused(said: dict[str, Any]) -> None:
    assert said["marked {'shifty': True}"].startswith(
        "corpus marked is not the same each time it is read; "
    )
