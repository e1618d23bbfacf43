"""The model card that lies beside an exported model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.runtime.bundle import ANY, BundleConfig
from affuse.samples import MADE_OF
from affuse.tasks import Classification, Regression, Task, Values

TERMS: Mapping[str, str] = {
    "mosi": "CMU-MOSI: for research only, from videos whose rights are their makers'",
    "ravdess": "RAVDESS: CC BY-NC-SA 4.0, not for commercial use",
    "iemocap": "IEMOCAP: for research only",
    "composed": "texts of CMU-MOSI, MELD, IEMOCAP or MUStARD++, voices of SAVEE and faces of "
    "FER-2013: for research only; texts of EmoBank (valence and arousal): CC BY-SA 4.0; voices of "
    "RAVDESS and nEMO: CC BY-NC-SA 4.0, not for commercial use",
    "rated": "texts and ratings of vaderSentiment: MIT licence; the texts are of their writers",
    "controlled": "made by affuse, free of terms",
    "": "not stated; the terms of the training data bind these weights too",
}
"""What is known of the training data's terms, by the name of the corpus."""

# What is to be known of targets, by the option `task` of a corpus.
_TARGETS: Mapping[str, str] = {
    "circumplex": "Texts have what people rated, scaled so that valence and arousal of each corpus "
    "spread by 0.4 about 0. Voices and faces have no ratings: they stand for the norms of their "
    "emotion (Russell and Mehrabian 1977), and a clip for the mean of its words, voice and face "
    "that neither contradict nor are neutral beside the others.",
}


def terms_of(corpus: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """The terms of all data that weights have learnt from, those they began with included."""
    learnt = [corpus, *(origin["corpus"] for origin in origins(training))]
    names = [str(data.get("name", "")).partition("[")[0] for data in learnt]
    return "; ".join(dict.fromkeys(TERMS.get(name, TERMS[""]) for name in names))


def origins(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What training began with, what that began with, and so on (`affuse.training.transfer`)."""
    origin = training.get("init")
    return [origin, *origins(origin)] if origin else []


def read_evaluation(file: Path) -> dict[str, Any]:
    """What `affuse evaluate --json` wrote.

    Raises:
        InputError: a file that it did not write.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        figures_of(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        remedy = "give what `affuse evaluate ... --json FILE` wrote"
        raise InputError("is no result of affuse evaluate", remedy=remedy, source=file) from None
    return dict(found)


def model_card(config: BundleConfig, evaluation: Mapping[str, Any] | None = None) -> str:
    """Markdown: what the model is, its training data, its figures, and what not to use it for."""
    task = Task.from_config(config.task)
    widths = "\n".join(
        f"| {m} | {width} | {config.features.get(m, 'not stated')} |"
        for m, width in config.widths.items()
    )
    corpus = config.corpus
    return f"""# {config.name}

{_predicts(task)}, by a fusion model (`{config.model}`, {config.parameters:,} parameters,
{config.precision} weights), exported by affuse {config.affuse}. It answers by any subset of its
modalities.

| modality | width | features |
|---|---|---|
{widths}

{"Features are standardised inside the model." if config.normalised else ""}
{_conflict(config)}
{_certainty(config)}

## Training data

{corpus.get("name", "not stated")}, fingerprint {corpus.get("fingerprint", "not stated")}, fold
{corpus.get("fold", 0)}; seed {config.training.get("seed", "not stated")}. Terms: {config.terms}.
{_made_of(corpus.get("options", {}))}{_begun(config.training)}
{figures_of(evaluation) if evaluation else ""}## Use

The answer says how a clip would be labelled by people who watched it, as far as the model learned
that from its training data. It is no measurement of what a person feels, thinks or intends. Do not
decide about people by it. Emotion recognition at work and in education is prohibited or restricted
by law in places, for instance by Article 5(1)(f) of the EU AI Act (Regulation 2024/1689).
"""


def _conflict(config: BundleConfig) -> str:
    if "unimodal" not in config.outputs:
        return "It has no conflict score: the model has no answers of each modality alone."
    if not (c := config.conflict.get(ANY)):
        return "Its conflict score is not calibrated: it is the plain disagreement, in [0, 1]."
    by = ", ".join(f"{m} {x['auroc']:.2f}" for m, x in config.conflict.items() if m != ANY)
    told = (
        f"Its conflict score was calibrated on {c['samples']:.0f} validation samples, "
        f"{c['share']:.0%} of them with a conflict; area under the ROC curve there "
        f"{c['auroc']:.2f}{f' ({by})' if by else ''}."
    )
    few = [m for m in config.conflict if not config.tells_conflict(m)]
    if ANY in few:
        return f"{told} That is too little to show it."
    return f"{told} Of {', '.join(few)} that is too little to show it." if few else told


def _certainty(config: BundleConfig) -> str:
    told = []
    if config.temperature:
        told.append(
            "Probabilities were calibrated on the validation part, by what is there of a clip."
        )
    if config.interval:
        told.append("Intervals held four of five values of the validation part.")
    if config.usual:
        names = ", ".join(config.usual)
        told.append(f"It was trained on {names} as it is and taken to its speaker, and can adapt.")
    return "\n".join(told)


def _made_of(options: Mapping[str, Any]) -> str:
    told = _TARGETS.get(str(options.get("task")), "")
    parts = options.get(MADE_OF)
    listed = f"It is made of {', '.join(parts)}.\n" if parts else ""
    return listed + (f"{told}\n" if told else "")


def _begun(training: Mapping[str, Any]) -> str:
    names = (f"{origin['model']} of {origin['corpus']['name']}" for origin in origins(training))
    said = ", which began with those of ".join(names)
    return f"Training began with the weights of {said}.\n" if said else ""


def figures_of(evaluation: Mapping[str, Any]) -> str:
    """The main metrics on a test part, of the whole and of each subset of the modalities."""
    columns = {"all": evaluation["metrics"], **evaluation.get("subsets", {})}
    names = list(evaluation["metrics"])[:3]
    lines = [f"| modalities | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for label, found in {"trivial": evaluation["trivial"], **columns}.items():
        lines.append(f"| {label} | {' | '.join(f'{found[name]:.3f}' for name in names)} |")
    table = "\n".join(lines)
    return f"## Test\n\nTest part of {evaluation['corpus']}:\n\n{table}\n\n"


def _predicts(task: Task) -> str:
    if isinstance(task, Regression):
        return f"Predicts a value from {task.low:g} to {task.high:g}"
    if isinstance(task, Values):
        return f"Predicts {' and '.join(task.names)}, each from {task.low:g} to {task.high:g}"
    labels = ", ".join(getattr(task, "labels", ()))
    kind = "one of" if isinstance(task, Classification) else "which there are of"
    return f"Predicts {kind}: {labels}"
