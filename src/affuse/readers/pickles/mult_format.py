"""The pickles of MulT: CMU-MOSI, CMU-MOSEI and IEMOCAP, aligned to words or not.

Tsai et al. (2019), "Multimodal Transformer for Unaligned Multimodal Language Sequences"; the
files hold `{train, valid, test} -> {text, audio, vision, labels, id?}`.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.readers.label_kinds import LabelOptions, Labels, read_labels
from affuse.readers.pickles import padded, parts
from affuse.readers.pickles.parts import Part, build_part, pickle_format, preset_name
from affuse.readers.registry import register_corpus
from affuse.samples import MODALITIES, PARTS, Corpus, FloatArray, Sample, pad_sequences
from affuse.tasks import BinaryLabels, Regression

EMOTIONS = ("neutral", "happy", "sad", "angry")
LAYOUT = (
    f"a MulT file has {{{', '.join(PARTS)}}}, each with any of {', '.join(MODALITIES)}, and labels"
)


class MultOptions(LabelOptions):
    """Options of the reader `mult`; the shape of the labels tells the task."""


def _preset(path: Path) -> str:
    found = pickle_format(path)
    return "mult" if found is None else preset_name("mult", found.widths, emotions=found.pairs)


@register_corpus("mult", MultOptions, preset=_preset)
def read_mult(path: Path, options: MultOptions) -> Corpus:
    """MulT pickles of CMU-MOSI, CMU-MOSEI and IEMOCAP: sentiment or four emotions.

    Labels `(N, 1, 1)` are sentiment in [-3, 3]. Labels `(N, 4, 2)` are pairs (no, yes) for
    neutral, happy, sad and angry. Of others `affuse.readers.label_kinds` tells what they are.

    Features that are infinite or not a number become 0, as in MulT's own code. All-zero steps at
    either end are padding and are cut off; where the three modalities have the same number of
    steps they are aligned to words, and only steps that are zero in all three are cut, so that
    they stay aligned. A modality of zeros only is absent; a sample without any modality keeps one
    zero step of text, so that no sample is lost.

    Samples are named `video[start-end]` and grouped by video where the file has such ids, else
    `train/0` and so on; a name that occurs again gets `#2`.
    """
    splits = parts.read_parts(path, padded_part, LAYOUT)
    labels = {name: part.labels for name, part in splits.items()}
    paired = [name for name, found in labels.items() if found.shape[1:] == (len(EMOTIONS), 2)]
    if paired and len(paired) < len(labels):
        other = next(name for name in labels if (name in paired) != ("train" in paired))
        problem = f"'{other}' has labels of another kind than 'train'"
        raise InputError(problem, remedy="use splits of one corpus", source=path)
    if paired:
        flags = {name: _flags(found, f"{path}: {name}") for name, found in labels.items()}
        read = Labels(BinaryLabels(EMOTIONS), flags)
    else:
        read = read_labels(labels, options, path)
    told = (*splits.notices, *read.notices)
    return parts.build_corpus("mult", path, options, read.task, splits, read.targets, notices=told)


def padded_part(values: dict[str, Any], name: str, source: str) -> Part:
    """A split with text, audio, vision, labels and perhaps ids; padding is zero."""
    there = [m for m in MODALITIES if m in values]
    padded.require_keys(values, ("labels",) if there else MODALITIES, LAYOUT, source)
    arrays = {m: padded.require_features(values[m], m, source) for m in there}
    labels = padded.require_array(values["labels"], "labels", "fiubUS", source)
    padded.require_equal_counts({**arrays, "labels": labels}, source)
    identities = parts.read_identities(values.get("id"), len(labels), name, source)
    steps = {m: padded.real_steps(array) for m, array in arrays.items()}
    return build_part(arrays, steps, labels, identities)


def _flags(labels: NDArray[Any], source: str) -> FloatArray:
    """`(N, 4, 2)` pairs (no, yes) to flags `(N, 4)`."""
    pairs_hold = np.isin(labels, (0, 1)).all(axis=(1, 2)) & (labels.sum(axis=2) == 1).all(axis=1)
    if not pairs_hold.all():
        first = int(np.flatnonzero(~pairs_hold)[0])
        problem = f"label {first} has a pair that is not (1, 0) or (0, 1)"
        raise InputError(problem, remedy="give each emotion one pair (no, yes)", source=source)
    return labels[:, :, 1].astype(np.float32)


def to_mult_pickle(corpus: Corpus) -> bytes:
    """The content of a MulT pickle.

    Each part has text, audio and vision `(N, T, D)`, padded with zeros at the end, labels
    `(N, 1, 1)` and ids, triples of the sample's name, 0 and the second at which its last step
    starts. Times and planted truth have no place in this format. `InputError` unless the corpus is
    one split of sentiment in [-3, 3] from any of text, audio and vision.
    """
    known = set(corpus.widths) <= set(MODALITIES) and len(corpus.folds) == 1
    if not known or corpus.task != Regression(-3.0, 3.0):
        only = "only one split of sentiment in [-3, 3] from text, audio and vision has a MulT file"
        raise InputError(only, remedy="choose another corpus", source=corpus.name)
    split, widths = corpus.folds[0], corpus.widths
    steps = {
        m: max((len(s.sequences[m]) for s in split.samples() if m in s.sequences), default=1)
        for m in widths
    }
    return pickle.dumps(
        {
            name: {
                **{
                    m: pad_sequences([s.sequences.get(m) for s in samples], widths[m], steps[m])
                    for m in widths
                },
                "labels": np.stack([_label(s, corpus.name) for s in samples])[:, :, None],
                "id": np.array([_identity(s) for s in samples]),
            }
            for name, samples in split.parts().items()
        },
        protocol=4,
    )


def _label(sample: Sample, source: str) -> Any:
    if sample.target is None:
        raise InputError(f"sample '{sample.id}' has no label", remedy="give it one", source=source)
    return sample.target


def _identity(sample: Sample) -> list[bytes]:
    last = max((float(times[-1]) for times in sample.times.values()), default=0.0)
    return [sample.id.encode(), b"0", f"{last:.2f}".encode()]
