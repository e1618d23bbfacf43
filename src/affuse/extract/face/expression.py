"""What a small network reads in the pixels of a face: `scripts/train_expression.py` trains it.

Measures of 37 distances miss what wrinkles, teeth and shadows tell.
"""

from __future__ import annotations

import math

import numpy as np

from affuse.extract.bundled import session
from affuse.extract.face.reader import Face
from affuse.extract.face.regions import Image, Region, crop
from affuse.samples import FloatArray

NAME = "expression network v1"
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
WIDTH = len(EXPRESSIONS) + 64

_SIDE = 48
# Of a face's region: the part that pictures of FER-2013 show, by the median of 376 of them.
_SHARE, _ABOVE = 0.727, 0.033


def read_expression(image: Image, face: Face) -> FloatArray:
    """Logits of `EXPRESSIONS`, then 64 numbers from -1 to 1 that they rest on: float32 `(71,)`.

    Args:
        image: uint8 `(height, width, 3)`.
        face: in it.
    """
    region = face.region
    up = region.side * _ABOVE
    x, y = region.x + math.sin(region.angle) * up, region.y - math.cos(region.angle) * up
    pixels = crop(image, Region(x, y, region.side * _SHARE, region.angle), _SIDE)
    # Brightness as television weighs the colours (ITU-R BT.601).
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    logits, embedding = session("expression").run(None, {"face": grey[None, None]})
    found: FloatArray = np.concatenate([logits[0], embedding[0]])
    return found
