"""The reader of arrays by modality and split, which are laid out as a pickle's (`split_arrays`)."""

from __future__ import annotations

from pathlib import Path

from affuse.readers.label_kinds import LabelOptions, read_labels
from affuse.readers.pickles.mult_format import padded_part
from affuse.readers.pickles.parts import build_corpus, read_parts
from affuse.readers.registry import register_corpus
from affuse.readers.split_arrays import split_arrays
from affuse.samples import Corpus

LAYOUT = "give {audio,video,text_emb,y}_{train,valid,test}, as .h5 files or in one .npz"


class MfnOptions(LabelOptions):
    """Options of the reader `mfn`."""


@register_corpus("mfn", MfnOptions, recognises=lambda path: bool(split_arrays(path)))
def read_mfn(path: Path, options: MfnOptions) -> Corpus:
    """Folders of .h5 files (MFN) or an .npz: audio, video, text and y, an array for each split.

    Any modality may be missing, and text of word numbers is left out. Labels are values in their
    own range, one-hot classes or flags; of several values a sample one is chosen with `column`.
    Padding of zero steps is cut, modalities with as many steps together, and what is not finite
    becomes 0.
    """
    parts = read_parts(path, padded_part, LAYOUT)
    labels = {name: part.labels for name, part in parts.items()}
    read = read_labels(labels, options, path, bounds=None)
    told = (*parts.notices, *read.notices)
    targets = read.targets
    return build_corpus("mfn", path, options, read.task, parts, targets, preset="mfn", notices=told)
