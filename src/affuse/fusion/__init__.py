"""Fusion models, one family a file. Importing this package registers all of them."""

from importlib import import_module
from pkgutil import walk_packages

from affuse.fusion.model import (
    FusionModel,
    FusionOutput,
    count_parameters,
    create_model,
    models,
    register_model,
)

__all__ = [
    "FusionModel",
    "FusionOutput",
    "count_parameters",
    "create_model",
    "models",
    "register_model",
]

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
