"""Many clips that are adapted together: all are read first, then each is answered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import Account
from affuse.extract.clip import OnSeconds, Window
from affuse.extract.folder import Clip
from affuse.extract.media.tracks import Wanted
from affuse.extract.store import StoredClip, read_clip, write_clip
from affuse.extract.text.transcript import transcript_beside
from affuse.runtime.adapting import (
    Group,
    Shifts,
    alike,
    described,
    speaker_in,
    speaker_of,
    speaker_pattern,
)
from affuse.runtime.answers import ClipAnswer, WindowAnswer
from affuse.runtime.predictor import Predictor


class Answered(NamedTuple):
    """A clip, and its answer or why there is none."""

    clip: Clip
    answer: ClipAnswer | None
    error: AffuseError | None = None


class Together:
    """Reads clips one by one, then answers each by what their group has in common.

    Features wait on disk, so that memory does not grow with the clips.

    Args:
        folder: where they wait.
        adapt: `folder`, all clips; or `speaker`, those of each speaker.
        speaker_from: a regular expression that finds the speaker in a file's name. Without it,
            transcripts name speakers; a clip whose transcript names none is one speaker's own.

    Raises:
        InputError: an expression that is none.
    """

    def __init__(
        self,
        predictor: Predictor,
        folder: Path,
        adapt: Literal["folder", "speaker"],
        speaker_from: str | None = None,
    ) -> None:
        if speaker_from is not None and adapt != "speaker":
            problem = f"speakers by '{speaker_from}' that nothing adapts to"
            raise InputError(problem, remedy="add --adapt speaker")
        self._predictor, self._folder, self._adapt = predictor, folder, adapt
        self._pattern = None if speaker_from is None else speaker_pattern(speaker_from)
        self._read: dict[Path, tuple[Path, Account]] = {}
        self._groups: dict[str, Group] = {}
        self._known: dict[str, Shifts] = {}
        self._plain: dict[str, list[str]] = {}  # what each utterance says as it is

    def read(
        self, clip: Clip, tracks: Wanted, options: Mapping[str, Any], on_seconds: OnSeconds
    ) -> None:
        """Read a clip; `options` are those of `Predictor.windows`.

        Raises:
            InputError: it cannot be read, or its name has no speaker by the expression.
        """
        beside = transcript_beside(clip.path)
        account = Account(list(beside.notices))
        given = (clip.path, beside, tracks, account)
        windows = list(self._predictor.windows(*given, **options, progress=on_seconds))
        for window in windows:
            name = self._group_of(clip, window)
            self._groups.setdefault(name, Group(self._predictor.usual)).add(window.sample)
            top = self._predictor.answer_of(window, {}).top
            self._plain.setdefault(name, []).extend([top] if top else [])
        kept = self._folder / f"{len(self._read)}.npz"
        stored = StoredClip(clip.path.name, "", windows[-1].end, {}, {}, {}, windows)
        write_clip(kept, stored)
        self._read[clip.path] = kept, account

    def answer(self, clip: Clip) -> ClipAnswer:
        """The answer for a clip that was read, once all were."""
        kept, account = self._read[clip.path]
        windows, utterances = [], 0
        for window in read_clip(kept).windows:
            name = self._group_of(clip, window)
            shifts = self._shifts(name)
            utterances = max([utterances, *(shift.utterances for shift in shifts.values())])
            said = self._predictor.answer_of(window, shifts)
            windows.append(WindowAnswer(window.start, window.end, said, window.words))
            if shifts and (shared := alike(self._plain[name])) is not None:
                notice = _alike(shared, name, self._adapt)
                account.notices += [] if notice in account.notices else [notice]
        adapted = described(self._adapt, utterances)
        return self._predictor.whole(clip.path, windows, account, adapted)

    def _shifts(self, name: str) -> Shifts:
        if name not in self._known:
            self._known[name] = self._groups[name].shifts()
        return self._known[name]

    def _group_of(self, clip: Clip, window: Window) -> str:
        if self._adapt == "folder":
            return ""
        if self._pattern is not None:
            return speaker_in(clip.path, self._pattern)
        return speaker_of(window) or f"of {clip.path.name}"


def predict_together(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    adapt: Literal["folder", "speaker"] = "folder",
    speaker_from: str | None = None,
    recognise: bool = False,
    window: float | None = None,
    tracks: Wanted | None = None,
    on_clip: Callable[[Clip, float, float | None], None] = lambda *_: None,
) -> Iterator[Answered]:
    """Answers for clips whose features are adapted by what their group has in common.

    Args:
        adapt, speaker_from: as of `Together`.
        recognise, window, tracks: as of `Predictor.read`.

    Raises:
        InputError: an expression that is none.
    """
    options: dict[str, Any] = {"recognise": recognise, "window": window}
    failed: dict[Path, AffuseError] = {}
    with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
        together = Together(predictor, Path(folder), adapt, speaker_from)
        for clip in clips:
            try:
                together.read(clip, tracks or Wanted(), options, partial(on_clip, clip))
            except AffuseError as error:
                failed[clip.path] = error
            except OSError as error:
                failed[clip.path] = file_error(error, "cannot be read", clip.path)
        for clip in clips:
            why = failed.get(clip.path)
            yield Answered(clip, together.answer(clip) if why is None else None, why)


def _alike(label: str, group: str, adapt: str) -> str:
    whose = "the folder" if adapt == "folder" else f"speaker '{group}'" if group else "the speaker"
    return (
        f"nearly all utterances of {whose} sound {label} before they are adapted: if they are of "
        "one emotion, adapting takes it away (see --adapt none)"
    )
