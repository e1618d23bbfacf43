"""What is asked of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affuse import __version__
from affuse.errors import InputError
from affuse.readers.registry import load_corpus
from affuse.samples import Corpus
from affuse.training.devices import resolve_device
from affuse.training.presets import check_keys, corpus_options, plan
from affuse.training.session import require_targets, require_trainable
from affuse.tuning.space import Asked, base_name, describe, search_space
from affuse.tuning.storage import Place
from affuse.tuning.trial import Trainer


@dataclass(frozen=True)
class Request:
    """A search of settings for one model or several, each with a study and a budget of its own.

    Attributes:
        corpus: a registered name or the path of a corpus file.
        place: the database of the studies.
        data: where the corpus lies, for a name that needs it.
        models: names, each tuned by itself.
        trials: how many of each model count in the end, those of earlier calls included.
        settings: `key=value` over the corpus' preset; what they fix is not searched.
        asked: changes to the space that the models declare.
        fold: which one is tuned on.
        seed: of the drawn settings and of every training.
        study: name of the studies, to which each adds its model; by default the corpus' name
            and, of several, its fold.
        max_parameters: a larger model is turned down before it is trained.
        jobs: processes at once.
        device: on which models train, by name; see `affuse.training.devices.resolve_device`.
    """

    corpus: str
    place: Place
    data: Path | None = None
    models: tuple[str, ...] = ("hct_mg",)
    trials: int = 30
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: Asked = field(default_factory=dict)
    fold: int = 0
    seed: int = 0
    study: str | None = None
    max_parameters: int | None = None
    jobs: int = 1
    device: str = "auto"

    def load(self) -> Corpus:
        """The corpus, after everything that can be checked without it.

        Raises:
            InputError: an unknown model, setting, fold or device, or a corpus that cannot be read.
        """
        if self.trials < 1 or self.jobs < 1:
            raise InputError("trials and jobs", remedy="give 1 or more of each")
        if not self.models or len(set(map(base_name, self.models))) < len(self.models):
            # The settings that come out go by the registered name.
            raise InputError("no model, or one named twice", remedy="name each model once")
        resolve_device(self.device)
        check_keys(self.corpus, self.settings)
        plans = [plan(self.corpus, name, self.settings, self.data) for name in self.models]
        if any(planned.train.init for planned in plans):
            raise InputError(
                "a search tries sizes, which the weights of 'init' do not fit",
                remedy="leave it out; affuse train and benchmark take it beside --settings",
            )
        self.trainers()
        options = corpus_options(self.corpus, self.settings, self.data)
        corpus = load_corpus(self.corpus, self.data, options)
        if self.fold >= len(corpus.folds):
            raise InputError(
                f"{corpus.name} has {len(corpus.folds)} fold(s)",
                remedy=f"give --fold from 0 to {len(corpus.folds) - 1}",
            )
        split = corpus.folds[self.fold]
        require_targets([*split.train, *split.valid])
        for planned in plans:
            require_trainable(corpus, planned)
        return corpus

    def trainers(self) -> dict[str, Trainer]:
        """Each model's space and how a trial of it is trained.

        Raises:
            InputError: a space that is empty or holds what the model does not allow.
        """
        return {model: self._trainer(model) for model in self.models}

    def _trainer(self, model: str) -> Trainer:
        space = search_space(self.corpus, model, self.settings, self.asked, self.data)
        if not space:
            raise InputError(f"nothing of {model} is left to search", remedy="set less by hand")
        return Trainer(
            *(self.corpus, model, self.settings, space, self.seed),
            max_parameters=self.max_parameters,
            data=self.data,
            device=self.device,
        )

    def study_name(self, corpus: Corpus, model: str) -> str:
        """Of a model's study; folds are apart, as their scores cannot be compared."""
        fold = f" fold {self.fold}" if len(corpus.folds) > 1 else ""
        return f"{self.study or corpus.name + fold}/{model}"

    def identity(self, corpus: Corpus, trainer: Trainer) -> dict[str, Any]:
        """All that decides what a trial's score means, as JSON content."""
        return {
            "affuse": __version__,
            "corpus": corpus.name,
            "fingerprint": corpus.fingerprint(),
            "fold": self.fold,
            "metric": corpus.task.selection[0],
            "model": trainer.model,
            "settings": {key: str(value) for key, value in self.settings.items()},
            "space": describe(trainer.space),
            "max_parameters": self.max_parameters,
            "seed": self.seed,
        }
