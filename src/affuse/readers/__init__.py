"""Readers of corpora, one a format or a family of formats. Importing this package registers all."""

from importlib import import_module
from pkgutil import walk_packages

from affuse.readers.registry import corpora, load_corpus, register_corpus

__all__ = ["corpora", "load_corpus", "register_corpus"]

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
