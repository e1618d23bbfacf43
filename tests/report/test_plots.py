"""Pictures hold what they should: the right colours, and nothing where there is nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.evaluation.statistics import summarise
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report import plots

HISTORY: plots.History = {
    seed: [
        {
            "epoch": epoch,
            "train_loss": 1.0 / (epoch + 1) + seed / 50,
            "valid_loss": 1.2 / (epoch + 1) + seed / 50,
            "valid_mae": 1.2 / (epoch + 1) + seed / 50,
            "gate_text": 0.4 + epoch / 20,
            "gate_audio": 0.3 - epoch / 40,
            "gate_thermal": 0.3 - epoch / 40 + seed / 100,
        }
        for epoch in range(8 - seed)
    ]
    for seed in range(3)
}
RESULT = BenchmarkResult(
    "mosi",
    "affuse benchmark mosi",
    {},
    {
        "trivial": ModelResult(0, {"mae": summarise([1.4]), "corr": summarise([0.9])}),
        "absent": ModelResult(0, {}),
        "concat": ModelResult(10, {m: summarise([0.8, 0.82]) for m in ("mae", "corr")}),
        "hct_mg": ModelResult(10, {m: summarise([0.6, 0.63]) for m in ("mae", "corr")}),
    },
)


def pixels(path: Path, colour: str) -> NDArray[np.intp]:
    """Rows from the top of the pixels that have exactly this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    picture = np.round(imread(path)[..., :3] * 255).astype(int)
    return np.nonzero((picture == wanted).all(axis=-1))[0]


def share(path: Path, colour: str) -> int:
    return len(pixels(path, colour))


def test_training_curves(tmp_path: Path) -> None:
    path = tmp_path / "training.png"
    plots.training_curves(HISTORY, path)
    assert share(path, plots.BLUE) > 500
    assert share(path, plots.GREY) > 300
    height, width, _ = imread(path).shape
    assert width > 2 * height * 0.9


def test_gate_has_a_line_for_each_modality(tmp_path: Path) -> None:
    path = tmp_path / "gate.png"
    plots.gate_over_time(HISTORY, path)
    for colour in (plots.BLUE, plots.ORANGE, plots.PURPLE):
        assert share(path, colour) > 300
    assert share(path, plots.GREEN) == 0


def test_single_epoch_is_visible(tmp_path: Path) -> None:
    path = tmp_path / "training.png"
    plots.training_curves({0: HISTORY[0][:1]}, path)
    assert share(path, plots.BLUE) > 100


def test_best_is_marked_in_the_direction_of_the_metric(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.png"
    plots.benchmark_intervals(RESULT, "mae", path)
    lowest = pixels(path, plots.VERMILLION)
    assert lowest.min() > pixels(path, plots.BLUE).max()
    plots.benchmark_intervals(RESULT, "corr", path)
    highest = pixels(path, plots.VERMILLION)
    assert highest.max() < pixels(path, plots.BLUE).min()


def test_any_subset_has_a_row_each(tmp_path: Path) -> None:
    scores = {"text+audio": 0.8, "text": 0.85, "audio": 1.3}
    table = {subset: {"mae": summarise([v, v + 0.01])} for subset, v in scores.items()}
    path = tmp_path / "subsets.png"
    plots.any_subset(table, "mae", path)
    assert pixels(path, plots.VERMILLION).max() < pixels(path, plots.BLUE).min()
    assert np.count_nonzero(np.diff(np.unique(pixels(path, plots.BLUE))) > 1) == 1


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: plots.training_curves({}, path), "history is empty"),
        (lambda path: plots.training_curves({0: []}, path), "history is empty"),
        (
            lambda path: plots.gate_over_time({0: [{"epoch": 0, "valid_loss": 1.0}]}, path),
            "no gate weights",
        ),
        (lambda path: plots.benchmark_intervals(RESULT, "acc7", path), "no runs of 'acc7'"),
        (lambda path: plots.any_subset({}, "mae", path), "no runs of 'mae'"),
    ],
)
def test_nothing_to_draw(draw: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "none.png"
    with pytest.raises(InputError, match=message):
        draw(path)
    assert not path.exists()


def test_importing_evaluate_loads_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, affuse.evaluation, affuse.report.plots;"
        "sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
