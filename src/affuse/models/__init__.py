"""Fusion models. Importing this package registers all of them."""

from affuse.models import concat, hct_mg, lmr_cbt, lstm, mfn, misa, mult, tensor_fusion, unimodal
from affuse.models.outputs import FusionOutput
from affuse.models.registry import (
    FusionModel,
    count_parameters,
    create_model,
    models,
    register_model,
)

__all__ = [
    "FusionModel",
    "FusionOutput",
    "concat",
    "count_parameters",
    "create_model",
    "hct_mg",
    "lmr_cbt",
    "lstm",
    "mfn",
    "misa",
    "models",
    "mult",
    "register_model",
    "tensor_fusion",
    "unimodal",
]
