"""A folder of one's own clips: how fast it is read and taught, and how well RAVDESS is read as one.

    python benchmarks/own_clips.py DATA [--only extraction training ravdess nemo]

DATA holds clips/ (.mpg with faces and sound), ravdess/ and voices/nemo/. Of the first, 500 clips of
three seconds are made that differ in their bytes, and extracted by one process and by two, each
with an empty cache; then by two that are killed half way, all at once, and go on. Memory is that of
all processes together. Of 200 such clips, `affuse train` makes a first model. RAVDESS' voices are
put into a folder with a table for each fold of the reader `ravdess`, and both are tested by the
same three seeds; nEMO's are divided by speaker. Writes benchmarks/results/own_clips.csv.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import affuse
from affuse.extract.voice.descriptors import read_audio
from affuse.extract.voice.whisper import _log_mel as log_mel
from affuse.files import write_atomic
from affuse.readers.ravdess import EMOTIONS
from affuse.report.csv_tables import csv_text
from affuse.samples import FloatArray, Sample
from stored_memory import Watch
from streams_pay import nemo
from tables import Row, keep, told

RESULTS = Path(__file__).parent / "results" / "own_clips.csv"
COLUMNS = ("what", "clips", "measure", "value")
CLIPS, TAUGHT, SEEDS = 500, 200, 3
row = partial(told, COLUMNS)


def make_clips(given: list[Path], count: int, folder: Path) -> list[Path]:
    """So many clips, each one of those given in a container with a title of its own."""
    folder.mkdir()
    made = []
    for number, source in zip(range(count), itertools.cycle(given), strict=False):
        made.append(folder / f"{number:04}.mkv")
        with av.open(str(source)) as media, av.open(str(made[-1]), "w") as out:
            out.metadata["title"] = f"clip {number}"
            streams = {s.index: out.add_stream_from_template(s) for s in media.streams}
            for packet in media.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
    return made


def begun(cache: Path, *words: str) -> subprocess.Popen[bytes]:
    """A command in a session of its own, with a cache of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "affuse", *words],
        env={**os.environ, "AFFUSE_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Seconds that it took, and the most megabytes that it and all below it held."""
    began, watch = time.monotonic(), Watch(process.pid)
    if process.wait():
        raise SystemExit(f"{process.args!r} ended with {process.returncode}")
    took = time.monotonic() - began
    watch.end()
    return took, watch.most["all"]


def contents(folder: Path) -> str:
    """A hash of the names and bytes of all that was extracted."""
    files = sorted(folder.glob("*.npz"))
    return hashlib.sha256(b"".join(f.name.encode() + f.read_bytes() for f in files)).hexdigest()


def extraction(data: Path, place: Path) -> Iterator[Row]:
    given = sorted((data / "clips").glob("*.mpg"))
    make_clips(given, CLIPS, place / "clips")

    def words(name: str, jobs: int) -> tuple[str, ...]:
        return ("extract", str(place / "clips"), "--out", str(place / name), "--jobs", str(jobs))

    taken: dict[int, float] = {}
    for jobs in (1, 2):
        taken[jobs], most = finished(begun(place / f"cache {jobs}", *words(f"by {jobs}", jobs)))
        yield row(f"extraction, {jobs} jobs", CLIPS, "seconds", round(taken[jobs], 1))
        yield row(f"extraction, {jobs} jobs", CLIPS, "megabytes", round(most))
    yield row("extraction", CLIPS, "two jobs, times as fast", round(taken[1] / taken[2], 2))
    stopped = begun(place / "cache killed", *words("killed", 2))
    while len(list((place / "killed").glob("*.npz"))) < CLIPS // 2:
        if stopped.poll() is not None:
            raise SystemExit(f"{stopped.args!r} ended before it was killed")
        time.sleep(0.2)
    os.killpg(stopped.pid, signal.SIGKILL)
    stopped.wait()
    left = CLIPS - len(list((place / "killed").glob("*.npz")))
    finished(begun(place / "cache killed", *words("killed", 2)))
    same = len({contents(place / name) for name in ("by 1", "by 2", "killed")}) == 1
    yield row("extraction, killed and resumed", left, "the same bytes", "yes" if same else "no")


def training(data: Path, place: Path) -> Iterator[Row]:
    given = sorted((data / "clips").glob("*.mpg"))
    clips = make_clips(given, TAUGHT, place / "taught")
    described = [
        {"file_name": clip.name, "speaker": f"s{n % 20}", "label": given[n % len(given)].stem}
        for n, clip in enumerate(clips)
    ]
    write_atomic(
        place / "taught" / "metadata.csv", csv_text(tuple(described[0]), described).encode()
    )
    words = ("train", str(place / "taught"), "--out", str(place / "model"))
    took, _ = finished(begun(place / "cache taught", *words))
    yield row("first model, extraction included", TAUGHT, "seconds", round(took, 1))


def ravdess(data: Path, place: Path) -> Iterator[Row]:
    corpus = affuse.load_corpus("ravdess", data / "ravdess", audio="summary")
    audio = data.resolve() / "ravdess" / "audio"
    scores: list[float] = []
    for number, split in enumerate(corpus.folds):
        folder = place / f"fold {number}"
        folder.mkdir()
        described = []
        for part, samples in split.parts().items():
            for sample in samples:
                (file,) = audio.rglob(f"{sample.id}.*")
                (folder / file.name).symlink_to(file)
                emotion = EMOTIONS[int(sample.id.split("-")[2]) - 1]
                cells = (file.name, part, sample.group, emotion)
                described.append(
                    dict(zip(("file_name", "split", "speaker", "emotion"), cells, strict=True))
                )
        table = csv_text(tuple(described[0]), described)
        write_atomic(folder / "metadata.csv", table.encode())
        result = affuse.benchmark(folder, "unimodal", outside=True, seeds=SEEDS, singles=False)
        scores += result.models["unimodal"].metrics["accuracy"].runs
    ours = sum(scores) / len(scores)
    yield row("RAVDESS, voice, as a folder of clips", 1440, "accuracy", round(ours, 4))
    reader = affuse.benchmark(
        "ravdess", "unimodal:audio", data=data / "ravdess", seeds=SEEDS, singles=False
    )
    theirs = reader.models["audio"].metrics["accuracy"].mean
    yield row("RAVDESS, voice, by its reader", 1440, "accuracy", round(theirs, 4))


def nemo_voices(data: Path, _: Path) -> Iterator[Row]:
    """By speaker, beside a logistic regression on mean and deviation of log-mel bands."""
    corpus = nemo(data, "summary", 1)
    result = affuse.benchmark(corpus, "unimodal", seeds=SEEDS, singles=False)
    ours = result.models["unimodal"].metrics["uar"].mean
    takes = {file.name: file for file in (data / "voices" / "nemo").glob("*.opus")}
    bands = {name: log_mel_statistics(file) for name, file in takes.items()}
    scores = []
    for split in corpus.folds:
        learnt, tested = (
            (np.stack([bands[s.id] for s in part]), np.array([label_of(s) for s in part]))
            for part in ([*split.train, *split.valid], split.test)
        )
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        said = linear.fit(*learnt).predict(tested[0])
        scores.append(recall_score(tested[1], said, average="macro"))
    yield row("nEMO, voice, as a folder of clips", len(takes), "uar", round(ours, 4))
    plain = round(float(np.mean(scores)), 4)
    yield row("nEMO, logistic regression on log-mel statistics", len(takes), "uar", plain)


def label_of(sample: Sample) -> int:
    assert sample.target is not None
    return int(sample.target[0])


def log_mel_statistics(file: Path) -> FloatArray:
    """Mean and deviation of 80 bands, `(160,)`."""
    signal, _ = read_audio(file)
    bands = log_mel(signal[: len(signal) // 320 * 320])
    return np.hstack([bands.mean(axis=1), bands.std(axis=1)])


PARTS = {
    "extraction": extraction,
    "training": training,
    "ravdess": ravdess,
    "nemo": nemo_voices,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args()
    for name in asked.only:
        with tempfile.TemporaryDirectory() as place:
            for found in PARTS[name](asked.data, Path(place)):
                keep(RESULTS, COLUMNS, [found], key=("what", "measure"))


if __name__ == "__main__":
    main()
