"""A trained model in use: written for machines without torch, and loaded there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.arguments import as_checkpoint, read_for

if TYPE_CHECKING:
    from affuse.api.arguments import CheckpointLike, CorpusLike
    from affuse.evaluation.scorecard import Evaluation
    from affuse.runtime.predictor import Predictor


def load(name_or_path: str | Path | None = None, *, device: str = "auto") -> Predictor:
    """A predictor of clips: `affuse.load("emotion").predict("interview.mp4")`.

    Args:
        name_or_path: a checkpoint that comes with affuse (`sentiment`, `emotion`), a folder that
            `export` wrote, or one that `train` wrote, which is exported first (extra `train`). By
            default all that come with affuse, side by side.
        device: of onnxruntime: `auto`, `cpu`, `cuda` or `dml`.

    Raises:
        InputError: no such checkpoint, or a damaged one, or no such device.
    """
    from affuse.runtime.bundle import MODEL
    from affuse.runtime.predictor import Predictor

    folder = Path(name_or_path) if name_or_path is not None else None
    if folder is None or not (folder / "model.safetensors").exists() or (folder / MODEL).exists():
        return Predictor.from_pretrained(name_or_path, device=device)
    from affuse.optional import require

    require("torch", extra="train")
    exported = tempfile.TemporaryDirectory(prefix="affuse-")
    export(folder, exported.name, name=folder.resolve().name)
    predictor = Predictor.from_pretrained(exported.name, device=device)
    # It lives as long as what was read from it: `save_pretrained` copies its files.
    predictor.exported = exported
    return predictor


def export(
    checkpoint: CheckpointLike,
    out: str | Path,
    *,
    name: str = "",
    corpus: CorpusLike | None = None,
    data: str | Path | None = None,
    int8: bool = False,
    weights: bool = False,
    evaluation: str | Path | Evaluation | None = None,
    terms: str = "",
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Write a trained model as ONNX, with its config and a model card, for use without torch.

    Args:
        out: the folder, which `load` takes.
        name: of the model; by default the folder's.
        corpus: what it was trained on: its validation part calibrates the conflict score.
        int8: store weights as 8-bit integers.
        weights: add those that training can begin with: `init` may name the folder then.
        evaluation: for the model card: what `evaluate` returned, or its JSON file.
        terms: of the training data, for the model card.

    Returns:
        The folder.
    """
    from affuse.training.export_onnx import export_checkpoint
    from affuse.training.model_card import read_evaluation

    loaded, folder = as_checkpoint(checkpoint), Path(out)
    valid: Sequence[Any] = ()
    if corpus is not None:
        read = read_for(loaded, corpus, data, {**(settings or {}), **options})
        loaded.check_corpus(read, loaded.folder)
        valid = list(loaded.fold_of(read).valid)
    tested: Mapping[str, Any] | None = None
    if isinstance(evaluation, str | Path):
        tested = read_evaluation(Path(evaluation))
    elif evaluation is not None:
        tested = evaluation.to_dict()
    export_checkpoint(
        loaded,
        folder,
        name=name,
        valid=valid,
        terms=terms,
        int8=int8,
        weights=weights,
        evaluation=tested,
    )
    return folder
