"""Many runs: models compared, taken apart, and searched for better settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.arguments import as_names, as_path, logs_in, name_of, work_in_processes
from affuse.harness import COMPARED, REFERENCE
from affuse.progress import say

if TYPE_CHECKING:
    from affuse.api.arguments import CorpusLike
    from affuse.harness.ablations import Ablations
    from affuse.harness.results import BenchmarkResult
    from affuse.scale.ray_grids import RayGrid
    from affuse.tuning.outcome import TuningResult


def benchmark(
    corpus: CorpusLike,
    models: str | Sequence[str] = COMPARED,
    *,
    seeds: int = 5,
    out: str | Path | None = None,
    data: str | Path | None = None,
    singles: bool = True,
    subsets: bool = False,
    stress: bool = False,
    reference: str = REFERENCE,
    limit: int | None = None,
    drop_shared: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    engine: str = "local",
    address: str | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32",
    strategy: str = "ddp",
    deterministic: bool = False,
    log: str | Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    command: str | None = None,
    **options: Any,
) -> BenchmarkResult:
    """Compare models on a corpus: validation selects, the test part is opened once a run.

    Args:
        models: names, or one text with commas; each single modality and the trivial prediction
            stand beside them.
        seeds: runs of each model and fold.
        out: results folder; what was stopped goes on there.
        singles: whether each single modality is trained too.
        subsets: whether the models are also tested with every subset of the modalities.
        stress: whether they are also tested on the test part spoilt in four kinds.
        reference: the model to which the others are compared, if it is among them.
        limit: use only the first samples of each part.
        drop_shared: leave training samples out that the test part holds too.
        jobs: runs at once; by default one a core, or one a GPU.
        engine: `local`, or `ray` for the cluster at `address`, by default one on this machine.
        devices: of each run, which has a process on each; the others as in `train`.
        log: as in `train`, of each run; in `out`.
        command: how the result says that it was made; by default this call.
    """
    said = command or _call(locals())
    grid = _grid(engine, address, jobs)
    from affuse.harness.request import Request
    from affuse.harness.run import run_benchmark
    from affuse.report.tables import write_folder
    from affuse.training.compute import Compute, jobs_at_once

    compute = Compute(device, accelerator, devices, nodes, precision, strategy, deterministic)
    logs = logs_in(log, as_path(out))

    work = work_in_processes(f"benchmark {name_of(corpus)}", corpus, data, out, progress)
    with work as (folder, place, update):
        request = Request(
            corpus=place,
            data=as_path(data),
            models=as_names(models),
            seeds=seeds,
            settings={**(settings or {}), **options},
            singles=singles,
            subsets=subsets,
            stress=stress,
            reference=reference,
            limit=limit,
            drop_shared=drop_shared,
            jobs=jobs or jobs_at_once(compute),
            compute=compute,
            logs=logs,
            command=said,
            memory=None if isinstance(corpus, str | Path) else corpus,
        )
        run_jobs = None if grid is None else grid.runs
        result, _ = run_benchmark(request, folder, update, on_notice=say, run_jobs=run_jobs)
        if out is not None:
            write_folder(result, folder)
    return result


def ablate(
    corpus: CorpusLike,
    *,
    seeds: int = 5,
    out: str | Path | None = None,
    data: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> Ablations:
    """Train HCT-MG whole, with each other gate and granularity, and without modality dropout."""
    from affuse.harness.ablations import run_ablations
    from affuse.harness.request import Request
    from affuse.training.compute import Compute, jobs_at_once

    work = work_in_processes(f"ablate {name_of(corpus)}", corpus, data, out, progress)
    with work as (folder, place, update):
        request = Request(
            corpus=place,
            data=as_path(data),
            seeds=seeds,
            settings={**(settings or {}), **options},
            jobs=jobs or jobs_at_once(Compute(device)),
            compute=Compute(device),
            memory=None if isinstance(corpus, str | Path) else corpus,
        )
        return run_ablations(request, folder, update, on_notice=say)


def tune(
    corpus: CorpusLike,
    models: str | Sequence[str] = "hct_mg",
    *,
    trials: int = 30,
    out: str | Path | None = None,
    data: str | Path | None = None,
    space: str | Path | None = None,
    max_parameters: int | None = None,
    fold: int | None = None,
    seed: int = 0,
    storage: str | Path | None = None,
    study: str | None = None,
    jobs: int | None = None,
    device: str = "auto",
    engine: str = "local",
    address: str | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32",
    strategy: str = "ddp",
    deterministic: bool = False,
    log: str | Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> TuningResult:
    """Search for better settings by the validation part; the test part stays closed.

    Args:
        models: each tuned by itself, with as many trials.
        trials: of each model, those of earlier calls included.
        out: a file for the settings that were found, as YAML.
        space: YAML file that changes what is searched.
        max_parameters: larger models are turned down untrained.
        fold: in which to search; by default in each by itself.
        storage: database of the studies; by default a file beside `out`.
        study: its name; by default the corpus'.
        jobs: trials at once; by default one, or as many as the cluster has cores.
        engine: `local`, or `ray` for the cluster at `address`, by default one on this machine.
        devices: of each trial, which has a process on each; the others as in `train`.
        log: as in `train`, of each trial; in a folder beside `out`.
        options: what they fix is not searched.
    """
    from affuse.optional import require

    require("torch", extra="train")
    require("optuna", extra="tune")
    grid = _grid(engine, address, jobs)
    from affuse.training.compute import Compute
    from affuse.tuning.search import TuningRequest, run_search
    from affuse.tuning.space import read_space
    from affuse.tuning.storage import find_database

    compute = Compute(device, accelerator, devices, nodes, precision, strategy, deterministic)
    logs = logs_in(log, None if out is None else Path(out).with_suffix(""))
    work = work_in_processes(f"tune {name_of(corpus)}", corpus, data, None, progress, "trials")
    with work as (_, place, update):
        request = TuningRequest(
            corpus=place,
            database=find_database(None if storage is None else str(storage), as_path(out)),
            data=as_path(data),
            models=as_names(models),
            trials=trials,
            settings={**(settings or {}), **options},
            space_changes=read_space(Path(space)) if space else {},
            fold=fold,
            seed=seed,
            study=study,
            max_parameters=max_parameters,
            jobs=1 if jobs is None else jobs,
            compute=compute,
            logs=logs,
        )
        found = run_search(request, update, say, None if grid is None else grid.trials)
    if out is not None:
        found.write_yaml(Path(out))
    return found


def read_results(path: str | Path) -> BenchmarkResult:
    """The result of a benchmark again, from its folder, finished or not, or its result.json."""
    from affuse.harness.assemble import read_result

    return read_result(Path(path))


def _grid(engine: str, address: str | None, jobs: int | None) -> RayGrid | None:
    """What spreads runs over machines; None where this one does them all."""
    from affuse.scale.ray_cluster import require_engine

    require_engine(engine, address)
    if engine == "local":
        return None
    from affuse.scale.ray_grids import RayGrid

    return RayGrid(jobs, address)


def _call(arguments: Mapping[str, Any]) -> str:
    """The call of `benchmark` to stand in the result, less what does not change it."""
    asked = {**arguments, **arguments["options"]}
    corpus = asked.pop("corpus")
    name = repr(str(corpus)) if isinstance(corpus, str | Path) else f"<{corpus.name}>"
    known = signature(benchmark).parameters
    left_out = {"options", "out", "jobs", "device", "accelerator", "log", "engine", "address"}
    left_out |= {"progress", "command"}
    further = (
        f", {key}={value!r}"
        for key, value in asked.items()
        if key not in left_out and (key not in known or value != known[key].default)
    )
    return f"affuse.benchmark({name}{''.join(further)})"
