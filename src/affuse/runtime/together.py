"""Many clips that are adapted together: all are read first, then each is answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import InputError
from affuse.extract.account import Account
from affuse.extract.clip import OnSeconds, Window
from affuse.extract.media.tracks import Wanted
from affuse.extract.store import StoredClip, read_clip, write_clip
from affuse.extract.text.transcript import Beside
from affuse.runtime.adapting import (
    Adapt,
    Group,
    Shifts,
    alike,
    described,
    speaker_in,
    speaker_of,
    speaker_pattern,
)
from affuse.runtime.answers import ClipAnswer
from affuse.runtime.predictor import Predictor


class _Read(NamedTuple):
    kept: Path  # where its windows are
    account: Account
    groups: list[str]  # of each window


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
        adapt: Adapt,
        speaker_from: str | None = None,
    ) -> None:
        if speaker_from is not None and adapt != "speaker":
            problem = f"speakers by '{speaker_from}' that nothing adapts to"
            raise InputError(problem, remedy="add --adapt speaker")
        self._predictor, self._folder, self._adapt = predictor, folder, adapt
        self._pattern = None if speaker_from is None else speaker_pattern(speaker_from)
        self._read: dict[Path, _Read] = {}
        self._groups: dict[str, Group] = {}
        self._known: dict[str, Shifts] = {}
        self._plain: dict[str, list[str]] = {}  # what each utterance says as it is

    def read(
        self,
        path: Path,
        beside: Beside,
        tracks: Wanted,
        *,
        speaker: str | None = None,
        options: Mapping[str, Any],
        progress: OnSeconds | None = None,
    ) -> None:
        """Read a clip; by `speaker` if that is known. `options` are those of `Predictor.windows`.

        Raises:
            InputError: it cannot be read, or its name has no speaker by the expression.
        """
        if speaker is None and self._pattern is not None:
            speaker = speaker_in(path, self._pattern)
        account = Account(list(beside.notices))
        given = (path, beside, tracks, account)
        windows = list(self._predictor.windows(*given, **options, progress=progress))
        names = [self._group_of(path, window, speaker) for window in windows]
        for name, window in zip(names, windows, strict=True):
            self._groups.setdefault(name, Group(self._predictor.usual)).add(window.sample)
            top = self._predictor.answer_of(window, {}).top
            self._plain.setdefault(name, []).extend([top] if top else [])
        kept = self._folder / f"{len(self._read)}.npz"
        write_clip(kept, StoredClip(path.name, "", windows[-1].end, {}, {}, {}, windows))
        self._read[path] = _Read(kept, account, names)

    def answer(self, path: Path) -> ClipAnswer:
        """The answer for a clip that was read, once all were."""
        read = self._read[path]
        windows, utterances = [], 0
        for name, window in zip(read.groups, read_clip(read.kept).windows, strict=True):
            shifts = self._shifts(name)
            utterances = max([utterances, *(shift.utterances for shift in shifts.values())])
            windows.append(self._predictor.window_answer(window, shifts))
        for name in dict.fromkeys(read.groups):
            if self._shifts(name) and (shared := alike(self._plain[name])) is not None:
                read.account.notices.append(_alike(shared, name, self._adapt))
        adapted = described(self._adapt, utterances)
        return self._predictor.whole(path, windows, read.account, adapted)

    def _shifts(self, name: str) -> Shifts:
        if name not in self._known:
            self._known[name] = self._groups[name].shifts()
        return self._known[name]

    def _group_of(self, path: Path, window: Window, speaker: str | None) -> str:
        if self._adapt == "folder":
            return ""
        return speaker or speaker_of(window) or f"of {path.name}"


def _alike(label: str, group: str, adapt: str) -> str:
    whose = "the folder" if adapt == "folder" else f"speaker '{group}'" if group else "the speaker"
    return (
        f"nearly all utterances of {whose} sound {label} before they are adapted: if they are of "
        "one emotion, adapting takes it away (see --adapt none)"
    )
