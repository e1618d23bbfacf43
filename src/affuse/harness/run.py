"""Every run of a benchmark, then the table made of them."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.evaluation.held_out import Key, Record, score_answers
from affuse.evaluation.scorecard import best_folds, trivial_folds
from affuse.evaluation.stress import swapped_of
from affuse.files import claim, differences, digest_json, holds, make_folder
from affuse.harness.assemble import assemble
from affuse.harness.leaks import content_of
from affuse.harness.records import (
    MARK,
    RUNS,
    SINGLE,
    About,
    Best,
    Run,
    Trivial,
    log_test_use,
    read_about,
    read_identity,
    read_run,
    read_runs,
    write_run,
)
from affuse.harness.request import Job, Request, jobs
from affuse.harness.results import BenchmarkResult
from affuse.harness.workers import RUNS_IN, Answered, RunJobs, run_all
from affuse.incongruity.hard import HardIds, hard_ids
from affuse.metrics.scores import score_outputs
from affuse.processes import preload
from affuse.progress import OnWork
from affuse.samples import Corpus, labelled, targets_of
from affuse.training.answerable import coverage, unlearnable
from affuse.training.session import epochs_of, identity, what_is_not_pretrained

PACKAGES = ("affuse", "torch", "pytorch-lightning", "numpy", "scipy")


def run_benchmark(
    request: Request,
    folder: Path,
    on_work: OnWork = lambda *_: None,
    *,
    hard: HardIds | None = None,
    on_notice: Callable[[str], None] = lambda _: None,
    run_jobs: RunJobs | None = None,
) -> tuple[BenchmarkResult, list[Record]]:
    """Train and test every model of a request.

    Runs train in processes that do not have the test targets, and answer the test part there; they
    are scored here. What is finished is kept in `folder` (`affuse.harness.records`); called again
    with the same folder, a benchmark that was stopped goes on.

    Args:
        hard: the hard samples of this corpus, where another benchmark of it has found them
            (`About.hard`). By default those that the folder keeps, else they are looked for.
        on_work: told epochs done and in all, and how the latest run ended; with 0 in all, how far
            the search for hard samples is, which may take minutes.
        on_notice: told in a line what the corpus was read as, and why finished runs are made anew.
        run_jobs: what has runs done; by default processes of this machine.

    Raises:
        InputError: what `Request.load` raises, or a folder that holds another benchmark.
    """
    corpus = request.load()
    for line in _notices(request, corpus):
        on_notice(line)
    mark = {
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint(),
        "settings": {k: str(v) for k, v in request.settings.items()},
        "subsets": request.subsets,
        # Folders of before stress have no such entry.
        **({"stress": True} if request.stress else {}),
    }
    keys = [Key.of(fold.test) for fold in corpus.folds]
    plans = {job: request.plan(job.model, job.fold) for job in jobs(request, corpus)}
    runs = {
        job: identity(corpus, planned, seed=job.seed, fold=job.fold, compute=request.compute)
        for job, planned in plans.items()
    }
    about = _about(request, corpus, {j.name: digest_json(run) for j, run in runs.items()})
    if not holds(folder, MARK, mark):
        claim(folder, MARK, mark)
    make_folder(folder / RUNS)
    missing = {
        job: epochs_of(corpus, plans[job], job.fold)
        for job in runs
        if read_run(folder / RUNS, job.name, about.runs[job.name]) is None
    }
    for line in _code_changes(folder / RUNS, {job: runs[job] for job in missing}):
        on_notice(line)
    if missing and run_jobs is None:
        preload(RUNS_IN)

    def on_search(fold: int, folds: int) -> None:
        on_work(0, 0, f"looking for hard samples, fold {fold} of {folds}")

    hard = hard or _kept(folder) or hard_ids(corpus, on_search, device=request.compute.name)
    about = about.model_copy(update={"hard": hard})
    about.write(folder)
    content, task = content_of(corpus), corpus.task
    del corpus  # its features are not needed while others train on theirs
    versions = {p: version(p) for p in PACKAGES} | {"python": platform.python_version()}

    def finish(job: Job, answered: Answered) -> Record:
        """Open the test part for a run, score it where the targets are, and keep its record."""
        key, place = keys[job.fold], folder / RUNS
        record = {
            **answered.facts,
            "versions": versions,
            "test_opened": log_test_use(folder, job.name, answered.checkpoint),
            **score_answers(task, answered.answers, key),
        }
        write_run(place, job.name, record, answered.answers, key)
        shutil.rmtree(place / job.name, ignore_errors=True)
        return record

    done, total = 0, sum(missing.values())
    # Closed at once when something goes wrong here, and not when Python gets round to it.
    tested = [key.ids for key in keys]
    with closing(
        (run_jobs or run_all)(request, list(missing), content, folder / RUNS, tested)
    ) as events:
        for event in events:
            latest = ""
            if event is not None:
                job, news = event
                if isinstance(news, Answered):
                    metric, value = next(iter(finish(job, news)["metrics"].items()))
                    latest = f"{job.model} seed {job.seed}: {metric} {value:.3f}"
                else:
                    done += news
            on_work(done, total, latest)
    finished = _finished(folder, about)
    return assemble(about, finished), [run.record for run in finished]


def _notices(request: Request, corpus: Corpus) -> Iterator[str]:
    """What the corpus was read as, and which models are not pretrained though they were to be."""
    yield from corpus.notices
    told = (what_is_not_pretrained(corpus, request.plan(model)) for model in request.models)
    yield from filter(None, told)


def _finished(folder: Path, about: About) -> list[Run]:
    """All runs; `InputError` where one is not what was asked for, which no table may pass over."""
    found = read_runs(folder, about)
    if len(found) < len(about.runs):
        problem = "runs do not answer what was asked: affuse's source changed while they trained"
        raise InputError(problem, remedy="repeat the command", source=folder)
    return found


def _code_changes(runs: Path, missing: Mapping[Job, Mapping[str, Any]]) -> Iterator[str]:
    """Why runs are made again that the folder keeps: the code is another."""
    old: dict[tuple[str, str], int] = {}
    for job, run in missing.items():
        kept = read_identity(runs, job.name)
        changed = [] if kept is None else list(differences(run, kept))
        if changed and all(path.startswith("code") for path in changed):
            why = "what trains models has changed"
            if "code" not in (kept or {}):
                why = f"by which source {job.model} was trained is not known"
            elif "code.model" in changed:
                why = f"the source of {job.model} has changed"
            old[job.model, why] = old.get((job.model, why), 0) + 1
    for (model, why), count in old.items():
        yield f"{why}: {count} finished run(s) of {model} are made anew"


def _about(request: Request, corpus: Corpus, runs: dict[str, str]) -> About:
    rows = request.rows(corpus)
    mode = request.plan(rows[-1]).train.normalise
    return About(
        # What uses a test speaker's other clips, or nothing, is said wherever the numbers stand.
        corpus=corpus.name if mode == "train" else f"{corpus.name}, normalise={mode}",
        command=request.command,
        rows=rows,
        reference=request.reference,
        task=corpus.task.to_config(),
        folds=len(corpus.folds),
        trivial=tuple(
            Trivial(output=tuple(fold.output.tolist()), metrics=dict(fold.metrics))
            for fold in trivial_folds(corpus)
        ),
        best=tuple(_best(corpus)),
        runs=runs,
        groups=tuple(tuple(s.group for s in labelled(fold.test)) for fold in corpus.folds),
        extra={
            "fingerprint": corpus.fingerprint(),
            "options": dict(corpus.options),
            "features": dict(corpus.features),
            "folds": len(corpus.folds),
            "seeds": request.seeds,
            "limit": request.limit,
            "drop_shared": request.drop_shared,
            "normalise": mode,
            "settings": dict(request.settings),
            **_lacking(request, corpus),
            **_stress(request, corpus),
        },
    )


def _best(corpus: Corpus) -> Iterator[Best]:
    """The best possible answers, fold by fold, and how they score."""
    for fold, outputs in zip(corpus.folds, best_folds(corpus), strict=False):
        metrics = score_outputs(corpus.task, outputs, targets_of(labelled(fold.test)))
        yield Best(outputs=tuple(map(tuple, outputs.tolist())), metrics=dict(metrics))


def _stress(request: Request, corpus: Corpus) -> dict[str, Any]:
    """What the tables of stress are of, where it was asked for."""
    if not request.stress:
        return {}
    about = {"metric": corpus.task.metrics[0], "swapped": swapped_of(corpus.modalities)}
    return {"stress_about": about}


def _lacking(request: Request, corpus: Corpus) -> dict[str, Any]:
    """Rows that some sample has nothing for, and modalities that cannot stand alone at all."""
    reads = {
        name: (name.removeprefix(SINGLE),) if name.startswith(SINGLE) else corpus.modalities
        for name in request.rows(corpus)
    }
    counts = {name: coverage(corpus, modalities) for name, modalities in reads.items()}
    some = {
        name.removeprefix(SINGLE): {"reads": list(reads[name]), **found}
        for name, found in counts.items()
        if any(having < of for having, of in found.values())
    }
    absent = unlearnable(corpus) if request.singles else {}
    return {key: found for key, found in (("lacking", some), ("left_out", absent)) if found}


def _kept(folder: Path) -> HardIds:
    """The hard samples that a folder keeps; none where it was begun just now."""
    try:
        return read_about(folder).hard
    except InputError:
        return ()
