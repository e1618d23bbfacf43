"""`export_checkpoint`: a trained model for use without torch."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affuse import __version__
from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import count_parameters
from affuse.optional import require
from affuse.runtime.bundle import MODEL, BundleConfig, Session, write_bundle
from affuse.samples import Sample
from affuse.tasks import Classification
from affuse.training.calibrate import calibrated
from affuse.training.checkpoint import Checkpoint
from affuse.training.model_card import model_card, terms_of
from affuse.training.onnx_graph import to_onnx
from affuse.training.transfer import WEIGHTS_FOLDER

PARITY = 1e-4
"""How far a graph may answer from its model."""

_LENGTHS = ((3, 1, 7), (1, 40, 2), (6, 0, 5))
"""Steps of three samples in each modality in turn; where 0, that modality is missing."""


def export_checkpoint(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    name: str = "",
    valid: Sequence[Sample] = (),
    clip: Mapping[str, Any] | None = None,
    terms: str = "",
    int8: bool = False,
    weights: bool = False,
    evaluation: Mapping[str, Any] | None = None,
) -> BundleConfig:
    """Write `model.onnx`, `config.json` and a model card, `README.md`; each whole or not at all.

    Args:
        folder: made if it does not exist; files of an earlier export are replaced.
        name: by default the folder's.
        valid: samples as the corpus has them, not normalised, on which the scale of the conflict
            score, probabilities and intervals are fitted. The validation part, never the test part.
        clip: settings of the `ClipExtractor` that made the features; by default what the corpus
            has under `clip` in its options.
        terms: of the training data; by default what is known of the corpus.
        evaluation: what `affuse evaluate --json` wrote, for the model card.
        int8: store weights as 8-bit integers, quantised dynamically.
        weights: write the folder `weights` too, with which training can begin (`init`).

    Raises:
        InputError: a model that reads what one clip does not tell, or whose graph answers otherwise
            than the model; a folder that cannot be written.
    """
    model = checkpoint.model.eval()
    if checkpoint.training.get("options", {}).get("normalise") == "speaker":
        problem = "features were normalised for each speaker, which one clip does not allow"
        raise InputError(problem, remedy="train with normalise=train", source=folder)
    graph, outputs = to_onnx(model, checkpoint.normaliser)
    corpus = {key: value for key, value in checkpoint.corpus.items() if key != "features"}
    learnt = dict(corpus.get("options", {}))
    usual = learnt.pop("usual", {})
    corpus["options"] = learnt
    # Histories are long, and of no use where nothing is trained.
    training = {key: value for key, value in checkpoint.training.items() if key != "history"}
    config = BundleConfig(
        affuse=__version__,
        name=name or folder.resolve().name,
        model=checkpoint.name,
        options=model.options.model_dump(mode="json"),
        parameters=count_parameters(model),
        widths=model.widths,
        task=checkpoint.task.to_config(),
        features=checkpoint.corpus.get("features", {}),
        clip=dict(clip) if clip is not None else corpus.get("options", {}).get("clip"),
        normalised=checkpoint.normaliser is not None,
        outputs=outputs,
        conflict_by="opposition" if isinstance(checkpoint.task, Classification) else "disagreement",
        usual=usual,
        corpus=corpus,
        training=training,
        terms=terms or terms_of(corpus, training),
    )
    with tempfile.TemporaryDirectory() as draft:
        place = Path(draft)
        graph = _simplified(graph, place / MODEL)
        write_bundle(place, graph, config, "")
        _require_parity(checkpoint, Session(place))
        if int8:
            graph = _quantised(place / MODEL)
            config = config.model_copy(update={"precision": "int8"})
            write_bundle(place, graph, config, "")
        session = Session(place)
        fitted = calibrated(session, valid)
    config = config.model_copy(update=fitted)
    write_bundle(folder, graph, config, model_card(config, evaluation))
    if weights:
        checkpoint.save(folder / WEIGHTS_FOLDER, half=True)
    return config


def _require_parity(checkpoint: Checkpoint, session: Session) -> None:
    """Raise `InputError` where the graph says other than the model, of samples drawn at random.

    A model whose Python looks at sizes or values is traced for those that it was traced with.
    """
    rng = np.random.default_rng(0)
    widths = list(checkpoint.model.widths.items())
    for turn in range(3):
        samples = []
        for row in range(3):
            lengths = [_LENGTHS[row][(place + turn) % 3] for place in range(len(widths))]
            lengths = lengths if any(lengths) else [1] * len(widths)
            sequences = {
                m: rng.standard_normal((steps, width)).astype(np.float32)
                for steps, (m, width) in zip(lengths, widths, strict=True)
                if steps
            }
            samples.append(Sample(str(row), sequences))
        batch = collate(checkpoint.prepare(samples), checkpoint.model.modalities)
        with torch.inference_mode():
            wanted = checkpoint.model(batch)
        found = session.run(samples)
        gap = max(
            float(np.abs(getattr(found, name) - getattr(wanted, name).numpy()).max())
            for name in session.config.outputs
        )
        if not gap <= PARITY:
            raise InputError(
                f"the exported {checkpoint.name} answers otherwise than the model, by {gap:.1e}",
                remedy="keep Python's if, len and int away from what depends on the batch in its "
                "forward",
            )


def _simplified(graph: bytes, draft: Path) -> bytes:
    """The graph with all worked out that no input decides: half the nodes, and quicker to load."""
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    # The basic level keeps to ONNX's own operators; further ones would tie it to this processor.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(draft)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return draft.read_bytes()


def _quantised(path: Path) -> bytes:
    """The graph with the weights of its products as 8-bit integers."""
    quantization = require("onnxruntime.quantization", extra="text")
    smaller = path.with_name("int8.onnx")
    # It logs, for the root, each tensor whose type it need not know.
    logging.disable(logging.WARNING)
    try:
        quantization.quantize_dynamic(path, smaller, per_channel=True, reduce_range=True)
    finally:
        logging.disable(logging.NOTSET)
    return smaller.read_bytes()
