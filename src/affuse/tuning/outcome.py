"""What a search found: settings that `affuse train` takes, and JSON."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import yaml
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from affuse.errors import InputError
from affuse.files import write_atomic
from affuse.readers.registry import resolve
from affuse.shown import Shown
from affuse.training.fold_settings import FOLDS, TUNED, WRITTEN
from affuse.tuning.space import base_name, concerning, for_model
from affuse.tuning.study import IDENTITY, PRESET, finished
from affuse.tuning.trial import PARAMETERS, STOPPED

if TYPE_CHECKING:
    from affuse.tuning.search import TuningRequest

MIN_FOR_IMPORTANCE = 10
"""Complete trials below which nothing is said of what mattered."""


@dataclass(frozen=True)
class StudyResult:
    """One model's study.

    Attributes:
        identity: what the study is of, with its space and seed.
        trials: those that count, by number.
        importances: key to the share of the score's variance that it accounts for (PED-ANOVA,
            Watanabe et al. 2023, arXiv 2304.10255); empty where too few trials are complete.
    """

    model: str
    study: str
    identity: Mapping[str, Any]
    trials: list[FrozenTrial]
    importances: Mapping[str, float]
    minimise: bool

    @classmethod
    def read(cls, model: str, study: optuna.Study) -> StudyResult:
        """The state of a study.

        Raises:
            InputError: not one of its trials was trained to the end.
        """
        trials = finished(study)
        if all(trial.state != TrialState.COMPLETE for trial in trials):
            reasons = [t.user_attrs[STOPPED] for t in trials if STOPPED in t.user_attrs]
            raise InputError(
                f"no trial of {model} came to an end ({(reasons or ['all were pruned'])[-1]})",
                remedy="change the space and give another --study",
            )
        minimise = study.direction == optuna.study.StudyDirection.MINIMIZE
        name, identity = study.study_name, study.user_attrs[IDENTITY]
        return cls(model, name, identity, trials, _importances(study), minimise)

    @property
    def fold(self) -> int | None:
        """Which of several folds; None where there is one."""
        return self.identity["fold"] if self.identity.get("folds", 1) > 1 else None

    @property
    def title(self) -> str:
        """Its model, and its fold where there are several."""
        return self.model if self.fold is None else f"{self.model}, fold {self.fold}"

    @property
    def ranked(self) -> list[FrozenTrial]:
        """Complete trials, the best first, the earlier of equals first."""
        complete = [t for t in self.trials if t.state == TrialState.COMPLETE]
        return sorted(complete, key=lambda t: _value(t) * (1 if self.minimise else -1))

    @property
    def best(self) -> FrozenTrial:
        return self.ranked[0]

    @property
    def preset(self) -> FrozenTrial | None:
        """The trial of the settings that the model had before; None where it was not complete."""
        return next((t for t in self.ranked if t.user_attrs.get(PRESET)), None)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "study": self.study,
            **{k: self.identity[k] for k in ("affuse", "code", "seed", "settings", "space")},
            "best": _content(self.best),
            "untuned": None if self.preset is None else _content(self.preset),
            "importances": dict(self.importances),
            "trials": [_content(trial) for trial in self.trials],
        }


@dataclass(frozen=True, repr=False)
class TuningResult(Shown):
    """What one search found for each of its models."""

    request: TuningRequest
    metric: str
    models: list[StudyResult]
    reader_options: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Asked now: the stored form of a corpus in memory is gone after the search.
        options = resolve(self.request.corpus)[0].options.model_fields
        object.__setattr__(self, "reader_options", frozenset(options))

    def _summary(self) -> str:
        best = (f"{m.title} {self.metric} {_value(m.best):.3f}" for m in self.models)
        corpus, trials = self.models[0].identity["corpus"], self.request.trials
        return f"{corpus!r}, {trials} trials: {', '.join(best)}"

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each trial, for a data frame."""
        return [
            {"model": m.model, **({} if m.fold is None else {"fold": m.fold}), **_content(t)}
            for m in self.models
            for t in m.trials
        ]

    def settings(self) -> dict[str, Any]:
        """Setting to value: what the user fixed, and the best of what was searched.

        Of a corpus of several folds, each has its own (`affuse.training.fold_settings`).
        """
        reader, fixed = self.reader_options, self.request.settings.items()
        plain = {key: value for key, value in fixed if key in reader}
        others = {key: value for key, value in fixed if key not in reader}
        found: dict[int | None, dict[str, Any]] = {}
        for tuned in self.models:
            own = concerning(base_name(tuned.model), others)
            chosen = for_model(tuned.model, own | tuned.best.params)
            found.setdefault(tuned.fold, {}).update(chosen)
        known = self.models[0].identity
        origin = {key: known[key] for key in ("corpus", "fingerprint")}
        whole = {TUNED: {**origin, "folds": known.get("folds", 1)}, **plain, **found.pop(None, {})}
        return {**whole, **({FOLDS: found} if found else {})}

    def write_yaml(self, path: Path) -> None:
        """The settings as a file for `--settings`, with their origin as comments."""
        known = self.models[0].identity
        where = "" if self.models[0].fold is None else ", each fold by itself"
        lines = [f"{WRITTEN} {known['corpus']}{where}."]
        for tuned in self.models:
            untuned = tuned.preset
            before = "" if untuned is None else f", untuned {_value(untuned):.4f}"
            lines.append(
                f"# {tuned.title}: {self.metric} {_value(tuned.best):.4f}{before}; "
                f"{len(tuned.trials)} trials, seed {self.request.seed}."
            )
        body = yaml.safe_dump(self.settings(), sort_keys=False, allow_unicode=True)
        write_atomic(path, ("\n".join(lines) + "\n" + body).encode())

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data; of a corpus of several folds, a study a model and fold."""
        known, found = self.models[0].identity, dict[str, Any]()
        for tuned in self.models:
            if tuned.fold is None:
                found[tuned.model] = tuned.to_dict()
            else:
                own = found.setdefault(tuned.model, {"folds": {}})
                own["folds"][str(tuned.fold)] = tuned.to_dict()
        return {
            **{key: known[key] for key in ("corpus", "fingerprint", "metric")},
            **({"fold": known["fold"]} if self.models[0].fold is None else {}),
            "trials": self.request.trials,
            "max_parameters": self.request.max_parameters,
            "models": found,
        }


def _importances(study: optuna.Study) -> dict[str, float]:
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < MIN_FOR_IMPORTANCE:
        return {}
    with warnings.catch_warnings():
        # Where all trials are as good as each other, all parameters come out alike.
        warnings.simplefilter("ignore")
        evaluator = PedAnovaImportanceEvaluator()
        return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _content(trial: FrozenTrial) -> dict[str, Any]:
    took = trial.duration
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value,
        "settings": dict(trial.params),
        "parameters": trial.user_attrs.get(PARAMETERS),
        "epochs": len(trial.intermediate_values),
        "seconds": None if took is None else round(took.total_seconds(), 1),
        "stopped": trial.user_attrs.get(STOPPED),
    }


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value
