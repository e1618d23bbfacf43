"""Benchmarks of corpora in which samples lack modalities: there is a table, and it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.harness.results import BenchmarkResult
from affuse.report.tables import lacking_lines, markdown
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Regression

WIDTHS = {"text": 3, "audio": 2}
QUICK = {"epochs": 1, "width": 8, "heads": 2}


@pytest.fixture(autouse=True)
def _what_probes_find_is_not_tested(quick_probes: None) -> None:
    """In every test of this file."""


def _corpus(lacking: dict[str, tuple[range, tuple[str, ...]]]) -> Corpus:
    rng, parts = np.random.default_rng(0), {}
    for name, count in {"train": 14, "valid": 8, "test": 14}.items():
        rows, absent = lacking.get(name, (range(0), ()))
        parts[name] = [
            Sample(
                f"{name}{row}",
                {
                    m: rng.normal(size=(4, d)).astype(np.float32)
                    for m, d in WIDTHS.items()
                    if row not in rows or m not in absent
                },
                rng.uniform(-3, 3, 1).astype(np.float32),
            )
            for row in range(count)
        ]
    return Corpus("lacking", Regression(), WIDTHS, (Split(**parts),))


def _benchmark(corpus: Corpus, folder: Path) -> BenchmarkResult:
    return affuse.benchmark(
        corpus, "concat", seeds=1, jobs=1, out=folder, progress=False, settings=QUICK
    )


def test_single_rows_learn_from_what_there_is(tmp_path: Path) -> None:
    some = (range(2), ("audio",))
    result = _benchmark(_corpus({"train": some, "valid": some, "test": some}), tmp_path / "out")
    assert list(result.models) == ["trivial", "text", "audio", "concat"]
    (line,) = lacking_lines(result)
    assert line == (
        "audio learns from 12 of 14 train, is validated on 6 of 8 valid and answers 12 of 14 test "
        "samples, those with audio; the trivial answer stands for the other test samples"
    )
    assert line in markdown(result)
    assert result.to_dict()["lacking"] == {
        "audio": {"reads": ["audio"], "train": [12, 14], "valid": [6, 8], "test": [12, 14]}
    }
    assert affuse.read_results(tmp_path / "out").to_json() == result.to_json()


def test_samples_of_nothing_get_the_trivial_answer_of_every_model(tmp_path: Path) -> None:
    none = (range(3), ("audio", "text"))
    result = _benchmark(_corpus({"train": none, "test": none}), tmp_path / "out")
    assert list(result.models) == ["trivial", "text", "audio", "concat"]
    assert [line.partition(" ")[0] for line in lacking_lines(result)] == ["text", "audio", "concat"]


def test_a_modality_that_validation_lacks_has_no_row(tmp_path: Path) -> None:
    result = _benchmark(_corpus({"valid": (range(8), ("audio",))}), tmp_path / "out")
    assert list(result.models) == ["trivial", "text", "concat"]
    assert "audio alone is not here: no sample of the part 'valid' has it" in markdown(result)


@pytest.mark.slow
def test_a_modality_that_the_test_part_lacks_is_answered_trivially(tmp_path: Path) -> None:
    result = _benchmark(_corpus({"test": (range(14), ("audio",))}), tmp_path / "out")
    trivial = result.models["trivial"].metrics["mae"].mean
    assert result.models["audio"].metrics["mae"].mean == pytest.approx(trivial, rel=1e-5)
