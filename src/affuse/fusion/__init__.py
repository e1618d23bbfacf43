"""Fusion models, one family a file. Importing this package registers all of them."""

from importlib import import_module
from pkgutil import walk_packages

from affuse.fusion.create import create_model as create_model
from affuse.fusion.ensemble import each_of as each_of
from affuse.fusion.ensemble import members_of as members_of
from affuse.fusion.model import FusionModel as FusionModel
from affuse.fusion.model import FusionOutput as FusionOutput
from affuse.fusion.model import count_parameters as count_parameters
from affuse.fusion.model import models as models
from affuse.fusion.model import register_model as register_model

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
