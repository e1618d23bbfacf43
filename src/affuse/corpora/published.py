"""Which published corpus a file of the field holds, told by its widths and labels.

Files of one format differ in their corpus, and papers give settings for each: a preset is named
`<reader>-<corpus>`.
"""

from __future__ import annotations

from collections.abc import Mapping

from affuse.tasks import BinaryLabels, Task

# Widths of audio and vision. CMU-MOSI: COVAREP and FACET, chosen columns or all. CMU-MOSEI: all of
# COVAREP and of a later FACET; IEMOCAP has the same and other labels. CH-SIMS: librosa, OpenFace.
_CORPORA = {(5, 20): "mosi", (74, 47): "mosi", (74, 35): "mosei", (33, 709): "sims"}


def preset_name(reader: str, widths: Mapping[str, int], *, emotions: bool) -> str:
    """The name of the preset for a corpus, or `reader` where the corpus is not known.

    Args:
        reader: the reader of its format.
        widths: modality to feature width.
        emotions: whether a sample has several labels, each there or not.
    """
    corpus = _CORPORA.get((widths.get("audio", 0), widths.get("vision", 0)))
    if corpus == "mosei" and emotions:
        corpus = "iemocap"
    return reader if corpus is None else f"{reader}-{corpus}"


def has_emotions(task: Task) -> bool:
    return isinstance(task, BinaryLabels)
