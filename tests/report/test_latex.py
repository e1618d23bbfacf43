"""The LaTeX table compiles, says what its numbers are, and shows them as they are."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.evaluation.statistics import Comparison, Summary, paired_difference, summarise
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report.latex import escape, latex

SENTIMENT = ("mae", "corr", "acc2_nonzero", "f1_nonzero", "f1_nonzero_swapped", "acc7", "acc5")
EMOTIONS = ("neutral", "happy", "sad", "angry")
MEANS = ("accuracy_mean", "f1_mean", "f1_swapped_mean")
IEMOCAP = (*MEANS, *(f"{metric}_{e}" for e in EMOTIONS for metric in ("accuracy", "f1")))
VALUES = (
    "ccc_mean",
    "mae_mean",
    *(f"{m}_{v}" for v in ("valence", "arousal") for m in ("ccc", "mae")),
)
OURS, THEIRS = [0.70, 0.71, 0.72], [0.80, 0.83, 0.81]
AWKWARD = 'a_b&c%d#e$f{g}~h^i\\j<k>l|m"n[o]'


def scores(metrics: tuple[str, ...], runs: list[float]) -> dict[str, Summary]:
    return {m: summarise([v if m == "mae" else 1.2 - v for v in runs]) for m in metrics}


def result(metrics: tuple[str, ...] = SENTIMENT, **changes: object) -> BenchmarkResult:
    models = {
        "trivial": ModelResult(0, scores(metrics, [1.3])),
        "text": ModelResult(90_409, scores(metrics, [0.80, 0.82, 0.84])),
        "concat": ModelResult(142_445, scores(metrics, THEIRS)),
        "hct_mg": ModelResult(193_064, scores(metrics, OURS)),
    }
    difference = Comparison(metrics[0], paired_difference(OURS, THEIRS))
    found = BenchmarkResult(
        corpus="mosi[split=bc]",
        command="affuse benchmark mosi --seeds 3",
        versions={"affuse": "0.1.0"},
        models=models,
        paired={"hct_mg": {"concat": difference}},
        extra={"seeds": 3, "folds": 1, "features": {"text": "GloVe"}},
    )
    return replace(found, **changes)


def rows(table: str) -> list[list[str]]:
    """The cells of each line between \\begin{tabular} and \\end{tabular}, spanned ones repeated."""
    body = re.search(r"\\begin\{tabular\}\{\w+\}(.*?)\\end\{tabular\}", table, re.DOTALL)
    assert body is not None
    lines = [line for line in body[1].splitlines() if line.endswith(r"\\")]
    return [
        [
            cell.strip()
            for cell in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))
            for _ in range(int((re.findall(r"multicolumn\{(\d+)\}", cell) or [1])[0]))
        ]
        for line in lines
    ]


def assert_well_formed(table: str) -> None:
    lines = [line for line in table.splitlines() if not line.startswith("%")]
    text = re.sub(r"\\[&%$#_{}]", "", "\n".join(lines))
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert text.count("$") % 2 == 0
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{([\w*]+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert columns is not None
    assert {len(cells) for cells in rows(table)} == {len(columns[1])}


@pytest.mark.parametrize(
    "metrics", [SENTIMENT, IEMOCAP, VALUES, ("accuracy", "f1_weighted"), ("odd",)]
)
def test_every_row_has_every_column(metrics: tuple[str, ...]) -> None:
    assert_well_formed(latex(result(metrics, paired={})))


def test_sentiment_has_the_columns_of_the_field() -> None:
    table = latex(result())
    titles = [re.sub(r"\$[^$]*arrow\$", "", title) for title in rows(table)[0]]
    assert titles == [
        *("Model", "Params", "MAE", "Corr", "Acc-7", "Acc-2", "F1", r"F1$^\dagger$"),
    ]
    assert r"MAE$\downarrow$" in table
    assert r"Corr$\uparrow$" in table
    assert r"\begin{table*}" in table


def test_iemocap_has_accuracy_and_f1_of_each_emotion() -> None:
    table = latex(result(IEMOCAP, paired={}))
    groups, titles = rows(table)[:2]
    assert [re.findall(r"\{(\w+)\}$", g) for g in groups[2:]] == [
        [e.capitalize()] for e in EMOTIONS for _ in (0, 1)
    ]
    assert [re.sub(r"\$.*", "", t) for t in titles[2:]] == ["Acc", "F1"] * 4
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in table


def test_values_have_ccc_and_mae_each_as_they_are() -> None:
    table = latex(result(VALUES, paired={}))
    groups, titles, *rest = rows(table)
    assert [re.findall(r"\{(\w+)\}$", g) for g in groups[2:]] == [
        [v] for v in ("Valence", "Arousal") for _ in (0, 1)
    ]
    assert [t.replace("$", "") for t in titles[2:4]] == [r"CCC\uparrow", r"MAE\downarrow"]
    assert next(row for row in rest if row[0] == "trivial")[2].startswith("$-$0.100")
    assert "percentages" not in table


def test_numbers_are_percentages_save_mae_and_corr() -> None:
    cells = {row[0]: row[1:] for row in rows(latex(result()))}
    half = summarise(THEIRS).ci95[1] - summarise(THEIRS).mean
    size, mae, _, acc7 = cells["concat"][:4]
    assert size == "142,445"
    assert mae.startswith(f"0.813{{\\scriptsize$\\,\\pm\\,${half:.3f}}}")
    assert acc7 == f"38.7{{\\scriptsize$\\,\\pm\\,${100 * half:.1f}}}"
    assert cells["trivial"][:2] == ["--", "1.300"]
    assert cells["trivial"][3] == "$-$10.0"


def test_best_is_bold_in_its_direction() -> None:
    for row in rows(latex(result()))[1:]:
        assert {r"\textbf{" in cell for cell in row[2:]} == {row[0] == r"hct\_mg"}


def test_a_decided_difference_is_marked_where_it_was_tested() -> None:
    better, unsure = paired_difference(OURS, THEIRS), paired_difference([0.7, 0.9], [0.8, 0.8])
    found = Comparison("mae", better, {"corr": unsure, "acc7": better}, "by the bootstrap_")
    table = latex(result(paired={"hct_mg": {"concat": found}}))
    marked = {row[0]: [cell.endswith("$^{*}$") for cell in row[2:]] for row in rows(table)[1:]}
    assert marked["concat"] == [True, False, True, False, False, False]
    assert not any(marked[r"hct\_mg"] + marked["text"])
    assert r"hct\_mg differs: the 95\% interval of the difference excludes 0 (by the boot" in table
    table = latex(result(paired={"hct_mg": {"concat": Comparison("mae", unsure)}}))
    assert "$^{*}$" not in table
    assert "differs" not in table


def test_warnings_stand_above_the_table_as_comments() -> None:
    table = latex(result(warnings=("mult does not\nbeat text", "another")))
    assert table.splitlines()[:2] == ["% Warning: mult does not beat text", "% Warning: another"]


def test_baselines_stand_above_a_rule() -> None:
    lines = latex(result()).splitlines()
    rules = [i for i, line in enumerate(lines) if line == r"\midrule"]
    assert [line.split(" ")[0] for line in lines[rules[0] + 1 : rules[1]]] == ["trivial", "text"]
    assert [line.split(" ")[0] for line in lines[rules[1] + 1 : rules[1] + 3]] == [
        *("concat", r"hct\_mg"),
    ]


def test_caption_says_what_the_numbers_are() -> None:
    caption = re.search(r"\\caption\{(.*?)\}\n\\label", latex(result()), re.DOTALL)
    assert caption is not None
    for words in (
        *("mosi{[}split=bc]", ", 3 seeds a model.", r"95\% interval"),
        *("Student's $t$", "best mean in\nbold", "leave out samples whose truth is 0"),
        *("F1 weights classes by how often they are true", r"F1$^\dagger$ by how often they are"),
    ):
        assert words in caption[1]
    folded = latex(result(IEMOCAP, paired={}, extra={"folds": 4}))
    assert "not by how often they are predicted" in folded
    assert "3 seeds a model, each the mean of 4 folds." in folded


def test_what_is_absent_or_undefined_is_said() -> None:
    models = {
        "concat": ModelResult(0, {}),
        "mult": ModelResult(7, {"mae": summarise([math.nan]), "corr": summarise([0.5, 0.7])}),
    }
    table = latex(result(models=models, paired={}))
    cells = {row[0]: row[1:] for row in rows(table)}
    assert cells["concat"] == ["--"] * 3
    assert cells["mult"][1] == "undefined"
    assert "2 seeds a model" in table
    assert_well_formed(table)


def test_columns_can_be_chosen() -> None:
    table = latex(result(), ["acc5", "mae"])
    assert [title.partition("$")[0] for title in rows(table)[0][2:]] == ["Acc5", "MAE"]
    assert r"\begin{table}" in table


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_no_character_of_a_name_is_a_command(text: str) -> None:
    escaped = escape(text)
    left = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]|\{\[\}", "", escaped)
    assert not set(left) & set('&%$#_{}~^\\<>|"[')
    assert "\n" not in escaped


def test_it_compiles(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        pytest.skip("no LaTeX on this machine")
    if not subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).stdout:
        pytest.skip("this LaTeX has no booktabs")
    awkward = result(IEMOCAP, corpus=AWKWARD, command=f"affuse benchmark '{AWKWARD}\n'", paired={})
    models = {"[first]": awkward.models["concat"], AWKWARD: awkward.models["text"]}
    tables = [latex(result()), latex(replace(awkward, models=models))]
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        + "\n".join(tables)
        + "\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000


def test_members_have_a_column_where_any_model_has_several() -> None:
    single = result()
    name = next(reversed(single.models))
    several = replace(
        single, models={**single.models, name: replace(single.models[name], members=5)}
    )
    for found, heads in ((single, "Model & Params"), (several, "Model & Members & Params")):
        assert heads in latex(found)
        assert_well_formed(latex(found))
    assert "& 5 &" in latex(several)
