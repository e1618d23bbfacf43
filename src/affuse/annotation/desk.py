"""`affuse.label`: everything for a page that takes labels, started and stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from affuse.annotation.queue_of_clips import Queue
from affuse.annotation.scheme import Scheme, column_of, scheme_of
from affuse.annotation.service import LabelServer
from affuse.annotation.shelf import Shelf, read_rows, shelve
from affuse.annotation.usefulness import fitting, usefulness
from affuse.errors import InputError
from affuse.extract.cache import FeatureCache
from affuse.progress import say
from affuse.runtime.predictor import Predictor

_SHOWN = 3  # of what is said of many clips


class Labelling:
    """A page that takes labels, until it is stopped; a context.

    Attributes:
        address: of the page, on this machine; who has it can label.
        column: that labels are written to.
        total: how many clips there are.
    """

    def __init__(self, server: LabelServer) -> None:
        self._server, self._queue = server, server.queue
        self.address, self.column = server.address, server.queue.column
        self.total = len(server.shelf.clips)
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def given(self) -> int:
        """How many clips were labelled since the start."""
        return self._queue.given

    @property
    def left(self) -> int:
        """How many clips have no label."""
        return self._queue.left

    def wait(self) -> None:
        """Until it is stopped, or the user interrupts."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """End the page; a label that is being written is written first."""
        self._server.shutdown()
        with self._server.lock:
            self._server.server_close()

    def __enter__(self) -> Labelling:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def label(
    clips: str | Path,
    labels: str | Sequence[str] = (),
    *,
    low: float | None = None,
    high: float | None = None,
    checkpoint: Predictor | str | Path | None = None,
    in_order: bool = False,
    again: bool = False,
    annotator: str = "",
    column: str = "",
    port: int = 0,
    jobs: int | None = None,
) -> Labelling:
    """Start a page on this machine that plays clips and writes their labels to `metadata.csv`.

    What tells most comes first: clips of which a checkpoint is in doubt, or whose modalities
    contradict each other. Clips are read once, and kept in the cache.

    Args:
        clips: a folder of recordings, or its table.
        labels: the classes, or one text with commas.
        low: of values, with `high`.
        checkpoint: that tells which clips come first: a predictor, a name or an exported folder. By
            default the one that comes with affuse which knows these labels, if there is one.
        in_order: take the clips as the table has them.
        again: show also those that are labelled.
        annotator: of a column of their own, `label_NAME`.
        column: of the labels; by default the one of use.
        port: of the page; 0 takes a free one.
        jobs: processes that read clips; by default one a core.

    Raises:
        InputError: nothing to label, no such labels, or a table that cannot be read.
    """
    path = Path(clips)
    listed = labels.split(",") if isinstance(labels, str) else labels
    classes = [name.strip() for name in listed if name.strip()]
    found, blank = read_rows(path, classes)
    chosen, told = column_of(found.others, column, annotator)
    scheme = scheme_of(classes, low, high, [row.cells.get(chosen, "") for row in found.rows])
    shelf = shelve(found, chosen, blank)
    _tell(shelf, scheme, (*found.notices, told))
    open_ones = [n for n, clip in enumerate(shelf.clips) if again or not clip.label]
    order = open_ones if in_order else _ranked(shelf, open_ones, scheme, checkpoint, jobs)
    queue = Queue(shelf, scheme, chosen, order)
    return Labelling(LabelServer(shelf, queue, port, FeatureCache().folder / "playable"))


def _tell(shelf: Shelf, scheme: Scheme, notices: Sequence[str]) -> None:
    """What is lost or odd, a line each."""
    for line in (*notices, *shelf.lost[:_SHOWN]):
        if line:
            say(line)
    if len(shelf.lost) > _SHOWN:
        say(f"{len(shelf.lost) - _SHOWN} more files are not there")
    odd = []
    for clip in shelf.clips:
        try:
            if clip.label:
                scheme.cell(clip.label.replace(",", ".") if scheme.numbers else clip.label)
        except InputError:
            odd.append(clip)
    if odd:
        first = f"the first {odd[0].name} as '{odd[0].label[:40]}'"
        say(f"{len(odd)} clips are labelled otherwise than can be chosen here, {first}")


def _ranked(
    shelf: Shelf,
    numbers: Sequence[int],
    scheme: Scheme,
    checkpoint: Predictor | str | Path | None,
    jobs: int | None,
) -> list[int]:
    """The numbers of clips, those first whose label would tell most."""
    chosen = fitting(scheme) if checkpoint is None else checkpoint
    if chosen is None:
        say("no checkpoint that comes with affuse knows these labels: clips come in their order")
        return list(numbers)
    predictor = chosen if isinstance(chosen, Predictor) else Predictor.from_pretrained(chosen)
    clips = [shelf.clips[number] for number in numbers]
    found = usefulness(shelf, clips, predictor, jobs)
    for clip, use in zip(clips, found, strict=True):
        clip.why = "" if use is None else str(use)
    totals = {n: -1.0 if use is None else use.total for n, use in zip(numbers, found, strict=True)}
    return sorted(numbers, key=lambda number: -totals[number])
