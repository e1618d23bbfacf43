"""`affuse export`: a checkpoint as a folder that answers without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.common import DataOption, SetOption, parse_settings


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="DIR", help="What `affuse train` wrote.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")],
    name: Annotated[str, typer.Option(help="Of the model; by default the folder's.")] = "",
    corpus: Annotated[
        str | None,
        typer.Option(
            metavar="CORPUS",
            help="What it was trained on: its validation part calibrates the conflict score.",
        ),
    ] = None,
    data: DataOption = None,
    int8: Annotated[bool, typer.Option("--int8", help="Store weights as 8-bit integers.")] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="JSON of `affuse evaluate`: its figures go into the model card."
        ),
    ] = None,
    terms: Annotated[str, typer.Option(help="Of the training data, for the model card.")] = "",
    assignments: SetOption = None,
) -> None:
    """Write a trained model as ONNX, with its config and a model card."""
    from affuse.readers import load_corpus
    from affuse.training.checkpoint import load_checkpoint
    from affuse.training.export_onnx import export_checkpoint
    from affuse.training.model_card import read_evaluation
    from affuse.training.presets import corpus_options

    loaded = load_checkpoint(checkpoint)
    tested = None if evaluation is None else read_evaluation(evaluation)
    valid = []
    if corpus is not None:
        trained = corpus_options(corpus, loaded.corpus.get("options", {}))
        read = load_corpus(corpus, data, {**trained, **parse_settings(assignments)})
        loaded.check_corpus(read, checkpoint)
        valid = list(read.folds[min(int(loaded.corpus.get("fold", 0)), len(read.folds) - 1)].valid)
    config = export_checkpoint(
        loaded, out, name=name, valid=valid, terms=terms, int8=int8, evaluation=tested
    )
    size = (out / "model.onnx").stat().st_size / 1e6
    typer.echo(
        f"{out}: {config.model}, {config.parameters:,} parameters, {size:.1f} MB {config.precision}"
    )
