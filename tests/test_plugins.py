"""Models and corpora of other packages are found, and break nothing where they are broken."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import run_forked, typed
from installed import beside, install

import affuse.fusion.model
import affuse.readers.registry
from affuse import plugins
from affuse.errors import InputError
from affuse.fusion import create_model, models, register_model
from affuse.fusion.concat import Concat
from affuse.harness import workers
from affuse.readers import corpora, load_corpus
from affuse.readers.registry import register_corpus
from affuse.tuning import search_workers

MODEL = """
from affuse.config import Options
from affuse.fusion import FusionModel, FusionOutput, models, register_model
from torch import nn

assert "hct_mg" in models()


@register_model("guess")
class Guess(FusionModel):
    \"\"\"The sum of what each modality says on average.\"\"\"

    Options = Options

    def __init__(self, widths, outputs, options):
        super().__init__(widths, outputs, options)
        self.heads = nn.ModuleDict({m: nn.Linear(d, outputs) for m, d in widths.items()})

    def forward(self, batch, detail=False):
        batch = self.admit(batch)
        answers = [self.heads[m](batch.sequences[m]).mean(dim=1) for m in batch.sequences]
        return FusionOutput(sum(answers), *self.even_gate(batch))
"""
CORPUS = """
import dataclasses
from affuse.readers import load_corpus
from affuse.readers.controlled import ControlledOptions
from affuse.readers.registry import register_corpus


@register_corpus("tiny", ControlledOptions, needs_data=False)
def read_tiny(path, options):
    \"\"\"A few generated samples.\"\"\"
    few = {"train": 12, "valid": 6, "test": 6}
    return dataclasses.replace(load_corpus("controlled", options=few), name="tiny")
"""
ENTRIES = """
[affuse.models]
guess = guess_model
[affuse.corpora]
tiny = tiny_corpus
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder that Python looks in, in a process that has asked for no plugins yet."""
    monkeypatch.setattr(plugins, "_loaded", set())
    for registry in (affuse.fusion.model, affuse.readers.registry):
        monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    before = set(sys.modules)
    yield tmp_path / "site"
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_package_brings_a_model_and_a_corpus(fresh: Path) -> None:
    install(fresh, "theirs", ENTRIES, guess_model=MODEL, tiny_corpus=CORPUS)
    assert "guess_model" not in sys.modules
    assert {"guess", "hct_mg"} <= set(models())
    assert {"tiny", "mult"} <= set(corpora())
    assert len(load_corpus("tiny").folds[0].train) == 12
    assert create_model("guess", {"text": 3, "audio": 2}, 1).modalities == ("text", "audio")


@pytest.mark.slow
def test_workers_of_a_benchmark_find_them_too(tmp_path: Path) -> None:
    site = install(tmp_path / "site", "theirs", ENTRIES, guess_model=MODEL, tiny_corpus=CORPUS)
    words = "benchmark tiny --models guess --seeds 1 --no-singles --set epochs=1 --json r.json"
    ended = run_forked(beside(site, typed(*words.split())), tmp_path)
    assert ended.code == 0, ended.output
    assert "guess" in json.loads((tmp_path / "r.json").read_text())["models"]


def named(value: str, action: Callable[[], Any]) -> Callable[[], Any]:
    """`action` in a process that has just begun, in whose environment plug-ins are named."""

    def begin() -> None:
        plugins._loaded.clear()
        os.environ[plugins.VARIABLE] = value
        # The usual server of workers has the environment of the test's process.
        for module in (search_workers, workers):
            module.worker_context = lambda _: multiprocessing.get_context("fork")
        action()

    return begin


@pytest.mark.slow
def test_a_search_does_not_count_trials_of_a_model_that_was_edited(tmp_path: Path) -> None:
    words = "--model guess --trials 1 --set train=12 --set valid=6 --set test=6 --set epochs=1"

    def tune(out: str) -> tuple[dict[str, Any], list[str]]:
        command = f"tune controlled {words} --storage studies.db --json {out}"
        ended = run_forked(named("guess.py", typed(*command.split())), tmp_path)
        assert ended.code == 0, ended.output
        said = [line for line in ended.err.splitlines() if line.startswith("affuse: ")]
        return json.loads((tmp_path / out).read_text())["models"]["guess"], said

    (tmp_path / "guess.py").write_text(MODEL)
    first, said = tune("first.json")
    assert said == []
    (tmp_path / "guess.py").write_text(MODEL.replace("sum(answers)", "0 * sum(answers)"))
    second, said = tune("second.json")
    assert said == [
        "affuse: the source of model 'guess' has changed since 1 trials of study "
        f"'{first['study']}': they are not counted, and run anew"
    ]
    assert len(second["trials"]) == 1
    assert second["best"]["value"] != first["best"]["value"]
    assert second["code"]["training"] == first["code"]["training"]
    assert second["code"]["model"] != first["code"]["model"]


@pytest.mark.parametrize("value", ["guess.py", "json, guess", " guess.py,guess ,"])
def test_the_environment_names_modules_and_files(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    fresh.mkdir()
    monkeypatch.chdir(fresh)
    Path("guess.py").write_text(MODEL)
    monkeypatch.setenv(plugins.VARIABLE, value)
    assert {"guess", "hct_mg"} <= set(models())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module", "'no_such_module' cannot be imported (ModuleNotFoundError"),
        ("absent.py", "'absent.py' cannot be imported (FileNotFoundError"),
        ("broken.py", "'broken.py' cannot be imported (SyntaxError"),
        ("json.py", "'json.py' cannot be imported (ImportError: a module named json is there"),
        ("takes.py", "model 'hct_mg' of takes is the name of another in affuse.fusion.hct_mg"),
    ],
)
@pytest.mark.usefixtures("fresh")
def test_what_the_user_names_must_work(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    Path("broken.py").write_text("def\n")
    Path("json.py").write_text("")
    Path("takes.py").write_text(MODEL.replace('"guess"', '"hct_mg"'))
    monkeypatch.setenv(plugins.VARIABLE, value)
    for _ in range(2):  # not only the first time
        with pytest.raises(InputError) as caught:
            models()
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_broken_package_is_left_out_with_a_warning(fresh: Path) -> None:
    code = {"guess_model": MODEL.replace('"guess"', '"mult"'), "tiny_corpus": "1 / 0"}
    install(fresh, "theirs", ENTRIES, **code)
    with pytest.warns(UserWarning, match=r"theirs: its affuse.models 'guess' .* model 'mult' of"):
        assert "hct_mg" in models()
    with pytest.warns(UserWarning, match=r"theirs: its affuse.corpora 'tiny' .* \(ZeroDivision"):
        assert "tiny" not in corpora()


def test_a_name_keeps_its_meaning() -> None:
    with pytest.raises(InputError, match=r"model 'mult' of .* is the name of another in affuse"):
        register_model("mult")(Concat)
    assert register_model("concat")(Concat) is Concat

    def read(path: object, options: object) -> None:
        """A reader."""

    with pytest.raises(InputError, match=r"corpus 'mult' of .* is the name of another in affuse"):
        register_corpus("mult", Concat.Options)(read)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_benchmark_does_not_take_the_scores_of_a_model_that_was_edited(tmp_path: Path) -> None:
    words = "--models guess --seeds 1 --no-singles --set train=12 --set valid=6 --set test=6"

    def score() -> tuple[float, str]:
        command = f"benchmark controlled {words} --set epochs=1 --out kept"
        ended = run_forked(named("guess.py", typed(*command.split())), tmp_path)
        assert ended.code == 0, ended.output
        result = json.loads((tmp_path / "kept" / "result.json").read_text())
        return result["models"]["guess"]["metrics"]["mae"]["mean"], ended.err

    (tmp_path / "guess.py").write_text(MODEL)
    first, said = score()
    assert (score()[0], "made anew" in said) == (first, False)
    (tmp_path / "guess.py").write_text(MODEL.replace("sum(answers)", "3 + 0 * sum(answers)"))
    second, said = score()
    assert second != first
    assert "the source of guess has changed: 1 finished run(s) of guess are made anew" in said
