"""Fixtures that write files in the field's formats."""

from corpus_files import csd_folder, mult_file

__all__ = ["csd_folder", "mult_file"]
