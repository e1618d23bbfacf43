"""`affuse report` on a real results folder, finished or not, and on what is none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from affuse.evaluation.statistics import summarise
from affuse.harness.request import Request
from affuse.harness.results import BenchmarkResult
from affuse.harness.run import run_benchmark
from affuse.report.tables import write_folder

REQUEST = Request(
    "controlled",
    models=("concat", "hct_mg"),
    seeds=2,
    settings={"train": 12, "valid": 6, "test": 6, "width": 8, "heads": 2, "epochs": 1},
    singles=False,
    jobs=1,
    command="affuse benchmark controlled",
)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "results"
    result, _ = run_benchmark(REQUEST, folder)
    write_folder(result, folder)
    return folder


@pytest.fixture
def results(benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `results` in the current one, which holds nothing else."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(benchmark, tmp_path / "results")


@pytest.mark.parametrize("name", ["render", "compare", "frontier"])
def test_every_report_has_help(affuse, name: str) -> None:
    assert name in affuse("report", "--help").out
    done = affuse("report", name, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Usage: affuse report {name}" in done.out


@pytest.mark.slow
def test_render_writes_what_the_benchmark_wrote(affuse, results: Path, tmp_path: Path) -> None:
    names = {option: f"again.{option}" for option in ("json", "csv", "markdown")}
    options = [f"--{option}={name}" for option, name in names.items()]
    done = affuse("report", "render", "results", *options, "--latex", "table.tex")
    assert (done.status, done.err) == (0, "")
    for option, kept in (("json", "json"), ("csv", "csv"), ("markdown", "md")):
        written = (tmp_path / names[option]).read_bytes()
        assert written == (results / f"result.{kept}").read_bytes()
    table = (tmp_path / "table.tex").read_text()
    content = json.loads((results / "result.json").read_text())
    for model, row in content["models"].items():
        assert model in done.out
        assert model.replace("_", r"\_") + " & " in table
        assert f"{row['metrics']['mae']['mean']:.3f}" in done.out
        assert f"{row['metrics']['mae']['mean']:.3f}" in table
    assert "paired differences" in done.out
    assert "not finished" not in done.out


def test_render_needs_neither_the_results_file_nor_the_runs(affuse, results: Path) -> None:
    whole = affuse("report", "render", "results").out
    shutil.move(results / "result.json", "kept.json")
    assert affuse("report", "render", "results").out == whole
    assert affuse("report", "render", "kept.json").out == whole
    shutil.rmtree(results / "runs")
    (results / "table.json").unlink()
    shutil.move("kept.json", results / "result.json")
    assert affuse("report", "render", "results").out == whole


def test_render_of_a_benchmark_that_was_stopped(affuse, results: Path) -> None:
    for file in results.glob("result.*"):
        file.unlink()
    for name in ("hct_mg-fold0-seed0", "hct_mg-fold0-seed1", "concat-fold0-seed1"):
        (results / "runs" / f"{name}.json").unlink()
    done = affuse("report", "render", "results", "--latex", "table.tex", "--json", "r.json")
    assert (done.status, done.err) == (0, "")
    assert "not finished: concat has 1 of 2 seeds" in done.out
    assert "not finished: hct_mg has 0 of 2 seeds" in done.out
    assert "not finished: trivial" not in done.out
    assert r"hct\_mg & --" in Path("table.tex").read_text()
    assert len(json.loads(Path("r.json").read_text())["models"]["concat"]["metrics"]) > 0
    assert affuse("report", "frontier", "results", "--out", "f.svg").status == 0


@pytest.mark.usefixtures("results")
def test_render_shows_the_metrics_asked_for(affuse) -> None:
    options = ("--metrics", "acc5, corr", "--markdown", "t.md", "--csv", "t.csv")
    done = affuse("report", "render", "results", *options, "--latex", "t.tex")
    assert done.status == 0
    assert "Acc5" in done.out
    assert "Acc7" not in done.out
    header = Path("t.md").read_text().splitlines()[2]
    assert header == "| model | parameters | Acc5 | Pearson r |"
    assert {line.split(",")[-7] for line in Path("t.csv").read_text().splitlines()[1:]} == {
        *("acc5", "corr"),
    }
    assert r"Acc5$\uparrow$ & Corr$\uparrow$" in Path("t.tex").read_text()


def test_compare_a_copy(affuse, results: Path) -> None:
    shutil.copytree(results, "copy")
    done = affuse("report", "compare", "results", "copy", "--markdown", "c.md", "--json", "c.json")
    assert (done.status, done.err) == (0, "")
    assert "Comparable: data, config and versions are the same." in done.out
    assert "The scores reproduce exactly" in done.out
    assert "The scores reproduce exactly" in Path("c.md").read_text()
    content = json.loads(Path("c.json").read_text())
    assert (content["reproduces"], content["names"]) == ("exactly", ["results", "copy"])
    assert affuse("report", "compare", "results", "copy/result.json").status == 0


def test_compare_scores_that_did_not_come_back(affuse, results: Path) -> None:
    found = BenchmarkResult.read_json(results / "result.json")
    row = found.models["concat"]
    runs = [mae + by for mae, by in zip(row.metrics["mae"].runs, (0.3, 0.3001), strict=True)]
    moved = replace(row, metrics={**row.metrics, "mae": summarise(runs)})
    replace(found, models={**found.models, "concat": moved}).write_json(Path("other.json"))
    done = affuse("report", "compare", "results", "other.json")
    assert done.status == 0
    said = " ".join(done.out.split())
    assert "The scores do NOT reproduce: MAE differs for concat, at 5%" in said


@pytest.mark.slow
def test_compare_names_the_options_that_differ(affuse, results: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    settings = {**REQUEST.settings, "learning_rate": 0.02}
    run_benchmark(replace(REQUEST, models=("concat",), seeds=1, settings=settings), other)
    done = affuse("report", "compare", "results", "other", "--json", "c.json")
    assert done.status == 0
    content = json.loads(Path("c.json").read_text())
    ours = json.loads((results / "result.json").read_text())["configuration"]["concat"]
    where = "train.learning_rate of concat"
    assert content["config"][where] == [ours["train"]["learning_rate"], 0.02]
    assert content["config"]["seeds"] == [2, 1]
    assert content["same_data"] is True
    assert content["only"] == [["hct_mg"], []]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_frontier_draws(affuse, results: Path, tmp_path: Path, ending: str) -> None:
    file = f"frontier.{ending}"
    done = affuse("report", "frontier", str(results), "results", "--out", file, "--metric", "corr")
    assert (done.status, done.out, done.err) == (0, f"drawn: {file}\n", "")
    assert (tmp_path / file).stat().st_size > 10_000


@pytest.mark.slow
def test_no_report_needs_torch(results: Path) -> None:
    script = (
        "import sys\n"
        "from affuse.cli.main import app\n"
        "for words in (['render', 'results', '--latex', 't.tex'], ['compare', 'results', "
        "'results'], ['frontier', 'results', '--out', 'f.png']):\n"
        "    app(['report', *words], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=results.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def damaged(place: Path, benchmark: Path) -> None:
    """Folders that look like results."""
    shutil.copytree(benchmark, place / "results")
    for name in ("half-table", "half-result", "foreign-result", "other-data", "no-table"):
        shutil.copytree(benchmark, place / name)
    (place / "half-table" / "table.json").write_text('{"corpus": ')
    (place / "half-result" / "result.json").write_text('{"corpus": ')
    (place / "foreign-result" / "result.json").write_text('{"accuracy": 0.9}')
    for name in ("half-result", "foreign-result", "no-table", "other-data"):
        (place / name / "table.json").unlink()
    (place / "no-table" / "result.json").unlink()
    file = place / "other-data" / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "fingerprint": "77aa"}))
    file = place / "odd-entry.json"
    file.write_text(
        json.dumps({**json.loads((benchmark / "result.json").read_text()), "seeds": "a"})
    )
    (place / "empty").mkdir()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("render absent", ("absent", "not the results folder", "give a folder")),
        ("render empty", ("empty", "not the results folder", "give a folder")),
        ("render notes", ("notes", "not the results folder", "give a folder")),
        ("render run", ("run", "not the results folder", "give a folder")),
        ("render good.pkl", ("good.pkl", "cannot be read", "give a benchmark's .json")),
        ("render notes/thesis.tex", ("thesis.tex", "line 1", "give a file that a benchmark wrote")),
        ("render half-table", ("half-table/table.json", "invalid json", "repeat the benchmark")),
        ("render no-table", ("no-table", "has no table.json", "repeat the benchmark")),
        ("render half-result", ("half-result/result.json", "line 1", "run the benchmark again")),
        ("render foreign-result", ("result.json", "entry 'corpus'", "run the benchmark again")),
        ("render odd-entry.json", ("odd-entry.json", "entry 'seeds'", "give a file")),
        ("render results --metrics mea", ("'mea'", "did you mean 'mae'?")),
        ("render results --metrics ,", ("--metrics", "no metrics", "name one")),
        ("render results --latex absent/t.tex", ("absent/t.tex", "cannot be written", "give")),
        ("render results --csv notes", ("notes", "cannot be written", "give a file")),
        ("compare results empty", ("empty", "not the results folder", "give a folder")),
        ("compare half-result results", ("result.json", "line 1", "run the benchmark again")),
        ("compare results results --json absent/c.json", ("absent/c.json", "cannot be written")),
        ("frontier empty --out f.png", ("empty", "not the results folder", "give a folder")),
        ("frontier results --out f.bmp", ("f.bmp", "'.bmp'", "end its name with .png, .svg, .pdf")),
        ("frontier results --out absent/f.png", ("absent/f.png", "cannot be written", "give")),
        ("frontier results --out f.png --metric mea", ("'mea'", "did you mean 'mae'?")),
        (
            "frontier results other-data --out f.png",
            ("the data differ", "give results on the same"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_line_and_nothing_written(
    benchmark: Path,
    place: Path,
    affuse,
    contents,
    assert_one_line,
    arguments: str,
    says: tuple[str, ...],
) -> None:
    damaged(place, benchmark)
    before = contents()
    done = affuse("report", *arguments.split())
    assert_one_line(done.status, done.err, says)
    assert done.out == ""
    assert contents() == before
