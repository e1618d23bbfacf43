"""What the process of live sessions does: one session after the other, an answer a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from affuse.errors import AffuseError
from affuse.processes import begin_plain_worker

SOUND, PICTURE = 1, 2
"""The first byte of what is sent."""
STEP = 1.0


class Session(NamedTuple):
    """What a session is begun with."""

    checkpoint: str | None  # what is loaded
    sound: bool
    pictures: bool
    recognise: bool


def serve_sessions(connection: Any) -> None:
    """Answer sessions until the other end is gone.

    It is sent a `Session`, bytes of sound and pictures, and None for the end; it sends pairs of a
    kind (`ready`, `answer`, `ended`, `error`) and JSON content.
    """
    begin_plain_worker()
    with suppress(EOFError, OSError):
        _predictor(None)
        while True:
            session = connection.recv()
            pieces = _Pieces(connection)
            try:
                _answer(session, pieces, connection)
            except AffuseError as error:
                connection.send(("error", {"error": str(error)}))
            pieces.drain()


def _answer(session: Session, pieces: _Pieces, connection: Any) -> None:
    from affuse.extract.account import Account
    from affuse.extract.media.sent import SentMedia

    predictor = _predictor(session.checkpoint)
    settings = predictor.extractor(recognise=session.recognise, step=STEP, wait=False).settings
    told = {"window": settings.window, "step": STEP, "fps": settings.fps}
    connection.send(("ready", told))
    media = SentMedia(pieces, sound=session.sound, pictures=session.pictures, fps=settings.fps)
    account = Account()
    answers = predictor.stream(media, recognise=session.recognise, step=STEP, account=account)
    for window, latency in answers:
        content = {**window.to_dict(), "latency": round(latency, 3)}
        connection.send(("answer", {**content, "words": [_word(w) for w in window.words]}))
    connection.send(("ended", account.to_dict()))


@lru_cache(maxsize=2)
def _predictor(checkpoint: str | None) -> Any:
    from affuse.runtime.predictor import Predictor

    return Predictor.from_pretrained(checkpoint)


def _word(word: Any) -> dict[str, Any]:
    return {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}


class _Pieces:
    """The pieces of a session, until its end."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._ended = connection, False

    def __iter__(self) -> Iterator[Any]:
        from affuse.extract.media.sent import SentPicture, SentSound

        while (piece := self._next()) is not None:
            if piece[0] == SOUND:
                yield SentSound(piece[1:])
            else:
                yield SentPicture(int.from_bytes(piece[1:5], "little") / 1000, piece[5:])

    def drain(self) -> None:
        """Pass over what is left of a session that has failed."""
        while self._next() is not None:
            pass

    def _next(self) -> bytes | None:
        if self._ended:
            return None
        piece: bytes | None = self._connection.recv()
        self._ended = piece is None
        return piece
