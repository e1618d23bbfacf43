"""What is asked of a benchmark, and the runs that answer it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from affuse.errors import InputError, unknown_name
from affuse.fusion import models
from affuse.harness import COMPARED, REFERENCE
from affuse.harness.leaks import plain, require_closed, without_shared
from affuse.harness.records import SINGLE
from affuse.readers.registry import load_corpus, without_untaught
from affuse.samples import Corpus, Split
from affuse.training.answerable import unlearnable
from affuse.training.compute import Compute
from affuse.training.fold_settings import TUNED, every_key, require_found_here
from affuse.training.presets import Plan, check_keys, corpus_options, plan
from affuse.training.run_log import RunLog
from affuse.training.session import require_trainable


@dataclass(frozen=True)
class Request:
    """A benchmark.

    Attributes:
        corpus: a registered name or the path of a corpus file.
        data: where the corpus lies, for a name that needs it.
        models: names to compare; each single modality and the trivial row come with them.
        seeds: how many, from 0.
        settings: `key=value` over the corpus' preset.
        singles: whether each single modality is trained beside the models.
        subsets: whether the models are also asked with every subset of modalities.
        stress: whether they are also asked about a spoilt test part (`affuse.evaluation.stress`).
        reference: the model to which the others are compared, where it is among them.
        limit: first samples of each part that are used; all by default.
        drop_shared: whether training and validation samples that the test part holds are left out
            instead of refused.
        compute: on what models work; of several GPUs, each run has its own.
        logs: what is written of each run's epochs (`affuse.training.run_log`), and where.
        command: what to type to obtain the result again.
        memory: the corpus itself, where it is in memory; `corpus` is then its stored form.
    """

    corpus: str
    data: Path | None = None
    models: tuple[str, ...] = COMPARED
    seeds: int = 5
    settings: Mapping[str, Any] = field(default_factory=dict)
    singles: bool = True
    subsets: bool = False
    stress: bool = False
    reference: str = REFERENCE
    limit: int | None = None
    drop_shared: bool = False
    jobs: int = os.cpu_count() or 1
    compute: Compute = field(default_factory=Compute)
    logs: RunLog | None = None
    command: str = ""
    memory: Corpus | None = None

    def load(self) -> Corpus:
        """The corpus, after every setting and model name has been checked.

        Raises:
            InputError: an unknown model, setting or device, or a corpus that cannot be read or that
                hands out its test labels.
        """
        self.compute.require_here()
        check_keys(self.corpus, every_key(self.settings))
        if min(self.seeds, self.jobs, 1 if self.limit is None else self.limit) < 1:
            raise InputError("seeds, jobs and limit", remedy="give 1 or more of each")
        if not self.models:
            raise InputError("no models to compare", remedy="name one or more, with commas")
        for name in self.models:
            self.plan(name)
        for name in self.models:
            _require_file(name)
        corpus = self.read()
        self._require_found_here(corpus)
        for fold in range(len(corpus.folds)):
            for name in self.models:
                require_trainable(corpus, self.plan(name, fold), fold)
        if self.stress:
            self._require_normalised(corpus)
        if self.reference not in (REFERENCE, *self.rows(corpus)):
            raise unknown_name("reference", self.reference, self.rows(corpus))
        require_closed(corpus)
        return corpus

    def read(self) -> Corpus:
        """The corpus alone, as it is used."""
        options = corpus_options(self.corpus, self.settings, self.data)
        corpus = plain(self.memory or load_corpus(self.corpus, self.data, options))
        if self.limit is not None:
            folds = (
                Split(*(part[: self.limit] for part in fold.parts().values()))
                for fold in corpus.folds
            )
            name = f"{corpus.name}, limit={self.limit}"
            corpus = replace(corpus, name=name, folds=tuple(folds))
        if self.drop_shared:
            corpus, count = without_shared(corpus)
            corpus = replace(corpus, name=f"{corpus.name}, dropped={count}")
        return without_untaught(corpus)

    def _require_found_here(self, corpus: Corpus) -> None:
        """Raise `InputError` where a search found the settings on another fold."""
        if TUNED in self.settings and (self.limit is not None or self.drop_shared):
            # A part of the samples is in the same folds.
            corpus = replace(self, limit=None, drop_shared=False).read()
        require_found_here(self.settings, corpus, range(len(corpus.folds)))

    def _require_normalised(self, corpus: Corpus) -> None:
        """Raise `InputError` where features keep units of their own, which levels do not know."""
        for name in self.rows(corpus):
            if self.plan(name).train.normalise == "none":
                raise InputError(
                    f"stress spoils by standard deviations, and {name} reads features as they are "
                    "(normalise=none)",
                    remedy="leave --stress out, or set normalise=train",
                )

    def plan(self, model: str, fold: int = 0) -> Plan:
        """How a model is trained here."""
        return plan(self.corpus, model, self.settings, self.data, fold)

    def rows(self, corpus: Corpus) -> tuple[str, ...]:
        """Model names in table order: single modalities first, then those asked for.

        A modality that no sample of a training or validation part has does not stand alone.
        """
        alone = [m for m in corpus.modalities if m not in unlearnable(corpus)]
        single = tuple(f"{SINGLE}{m}" for m in alone) if self.singles else ()
        return single + tuple(dict.fromkeys(m for m in self.models if m not in single))


def _require_file(model: str) -> None:
    """Raise `InputError` for a model of a notebook, which the processes of runs cannot find."""
    module = models()[model.partition(":")[0]].cls.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" and not Path(file or "").is_file():
        remedy = "write it to a .py file, and name that in AFFUSE_PLUGINS"
        raise InputError(f"model '{model}' stands in no file that runs could read", remedy=remedy)


@dataclass(frozen=True)
class Job:
    """One run: a model, a fold and a seed."""

    model: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model.replace(':', '-')}-fold{self.fold}-seed{self.seed}"


def jobs(request: Request, corpus: Corpus) -> list[Job]:
    """All runs of a request, the dearest models first so that no worker waits for a long one."""
    rows = request.rows(corpus)
    dearest = {REFERENCE: 0, "mult": 1}
    return [
        Job(model, fold, seed)
        for model in sorted(rows, key=lambda name: dearest.get(name, 2))
        for seed in range(request.seeds)
        for fold in range(len(corpus.folds))
    ]
