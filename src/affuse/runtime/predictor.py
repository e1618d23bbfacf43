"""`Predictor`: from a clip, or from features, to an answer. No torch."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from affuse.config import parse_options
from affuse.errors import InputError, RecordingWarning
from affuse.extract.account import Account, require_no_notices
from affuse.extract.adaptation import Usual
from affuse.extract.clip import ClipExtractor, ClipSettings, OnSeconds, Window
from affuse.extract.features import Faces
from affuse.extract.media.decode import Source
from affuse.extract.media.live import Follower
from affuse.extract.media.segments import Segment
from affuse.extract.media.sent import SentMedia
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside, Transcript, as_transcript, transcript_beside
from affuse.onnx_devices import AUTO, choose_device
from affuse.runtime.adapting import AdaptAlone, Shifts, along, described, shifted
from affuse.runtime.answers import Answer, ClipAnswer, WindowAnswer
from affuse.runtime.bundle import Session, copy_bundle
from affuse.runtime.checkpoints import folders_named
from affuse.runtime.joining import joined
from affuse.runtime.mean_answers import mean_answer, weighted_answer
from affuse.samples import Sample


class StreamAnswer(NamedTuple):
    """An answer while a recording is read.

    Attributes:
        window: the last seconds, and the answer for them.
        latency: seconds from when the last sound and picture of the window were read.
    """

    window: WindowAnswer
    latency: float


class Predictor:
    """Answers by one checkpoint, or by several side by side.

    Args:
        sessions: at least one. Their answers are joined; where two say the same kind of thing, a
            value, several values or classes, the first one counts.
        alone: whether parts of the work go on side by side; not where other processes have the
            other cores.
        device: of the networks that read clips (`affuse.onnx_devices`). They are loaded once a
            process, and follow the predictor that reads.

    Raises:
        InputError: checkpoints that read clips differently, or no such device.
    """

    def __init__(
        self, sessions: Sequence[Session], *, alone: bool = True, device: str = AUTO
    ) -> None:
        self.sessions = tuple(sessions)
        self.device = device
        choose_device(device)
        self.exported: object = None
        self._extractors = lru_cache(maxsize=4)(partial(ClipExtractor, threads=alone))
        first, *others = self.sessions
        for other in others:
            if _features(other.config.clip) != _features(first.config.clip):
                names = f"'{first.config.name}' and '{other.config.name}'"
                problem, remedy = f"{names} read clips differently", "load them one by one"
                raise InputError(problem, remedy=remedy, source=other.folder)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        threads: int = 1,
        *,
        alone: bool = True,
        device: str = AUTO,
    ) -> Predictor:
        """Load a checkpoint.

        Args:
            name_or_path: of a checkpoint that comes with affuse, or a folder that `affuse export`
                or `save_pretrained` wrote. By default those of English that come with affuse, side
                by side; `multilingual` are those of many languages.
            threads: of onnxruntime.
            alone: as of the class.
            device: of everything that onnxruntime runs: `auto`, `cpu`, `cuda` or `dml`.

        Raises:
            InputError: no such checkpoint, or a damaged one, or no such device.
        """
        sessions = [Session(folder, threads, device) for folder in folders_named(name_or_path)]
        return cls(sessions, alone=alone, device=device)

    def save_pretrained(self, folder: Path | str) -> None:
        """Copy the checkpoint to a folder, several to a folder in it each, for `affuse.load`."""
        several = len(self.sessions) > 1
        for session in self.sessions:
            place = Path(folder) / session.config.name if several else Path(folder)
            copy_bundle(session.folder, place)

    def __repr__(self) -> str:
        return f"Predictor({', '.join(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the checkpoints."""
        return tuple(session.config.name for session in self.sessions)

    def predict_sample(self, sample: Sample) -> Answer:
        """The answer for features, which need not be normalised.

        Raises:
            InputError: a sample without any modality that a checkpoint reads, of another width, or
                with values that are not finite.
        """
        return self._said(sample, {})

    def _said(self, sample: Sample, shifts: Shifts) -> Answer:
        readers = [s for s in self.sessions if sample.keep(s.modalities).sequences]
        said = []
        for session in readers or self.sessions:
            # What was not trained on adapted features reads them as they are.
            own = {m: shift for m, shift in shifts.items() if m in session.usual}
            given = shifted(sample, own) if own else sample
            said.append(
                (session, given.keep(session.modalities).sequences.keys(), session.run([given]))
            )
        return joined(said)

    def predict(
        self,
        path: Path | str,
        transcript: Transcript | Path | str | None = None,
        *,
        recognise: bool = False,
        window: float | None = None,
        adapt: AdaptAlone = "recording",
        faces: Faces = "one",
        audio_track: int | None = None,
        video_track: int | None = None,
        strict: bool = False,
        progress: OnSeconds | None = None,
    ) -> ClipAnswer:
        """The answer for a recording of any length, with its timeline.

        Args:
            path: a media file.
            transcript: of it: the words themselves, or a file of them. By default the one that lies
                beside the recording under its name, if any.
            recognise: recognise speech where there is no transcript.
            window: seconds of the timeline's windows; by default they follow speech.
            adapt: to what features are adapted from five utterances on, where a checkpoint was
                trained for it: the recording, or each speaker that the transcript names.
            faces: of several the one that speaks, else the largest, counts; `all` adds a timeline
                of each face by itself.
            audio_track: which one to read, counted from 1; by default the one that matters.
            video_track: likewise.
            strict: raise an error for what is otherwise a notice.
            progress: told the seconds that are done.

        What is lost, odd or guessed is in the answer's `notices`, and a warning each.

        Raises:
            InputError: a file or track that cannot be read, or a checkpoint made for other
                features; if `strict`, a recording of which anything is lost.
        """
        path = Path(path)
        given = transcript_beside(path) if transcript is None else Beside(as_transcript(transcript))
        tracks = Wanted(audio_track, video_track)
        reading: dict[str, Any] = {"recognise": recognise, "window": window, "adapt": adapt}
        reading |= {"faces": faces, "progress": progress}
        answer = self.read(path, given, tracks, **reading)
        if strict:
            require_no_notices(answer.file, answer.notices)
        for notice in answer.notices:
            warnings.warn(f"{path}: {notice}", RecordingWarning, stacklevel=2)
        return answer

    def read(
        self,
        path: Path,
        beside: Beside,
        tracks: Wanted,
        *,
        recognise: bool = False,
        window: float | None = None,
        adapt: AdaptAlone = "recording",
        faces: Faces = "one",
        progress: OnSeconds | None = None,
        segment: Segment | None = None,
    ) -> ClipAnswer:
        """As `predict`, with the transcript that was found, and without a warning.

        Args:
            segment: all that is read of the recording, in whose seconds the answer stays.
        """
        account = Account(list(beside.notices))
        options: dict[str, Any] = {"recognise": recognise, "window": window, "faces": faces}
        options |= {"segment": segment, "progress": progress}
        read = self.windows(path, beside, tracks, account, **options)
        windows, utterances = [], 0
        for w, shifts in along(read, self.usual, adapt):
            windows.append(self.window_answer(w, shifts))
            utterances = max([utterances, *(shift.utterances for shift in shifts.values())])
        whole = self.whole(path, windows, account, described(adapt, utterances), faces)
        if segment is None:
            return whole
        duration = windows[-1].end - segment.start
        return replace(whole, duration=duration, segment=(segment.start, windows[-1].end))

    def windows(
        self,
        path: Path,
        beside: Beside,
        tracks: Wanted,
        account: Account,
        *,
        recognise: bool = False,
        window: float | None = None,
        faces: Faces = "one",
        progress: OnSeconds | None = None,
        segment: Segment | None = None,
    ) -> Iterator[Window]:
        """What is read of a recording, before anything is said of it."""
        cut: dict[str, Any] = {} if window is None else {"window": window}
        if window is None and segment is None:
            cut = {"follow": True}
        extractor = self.extractor(recognise=recognise, faces=faces, **cut)
        options: dict[str, Any] = {"tracks": tracks, "account": account, "progress": progress}
        options["segment"] = segment
        return extractor.windows(path, beside.transcript, **options)

    def whole(
        self,
        path: Path,
        windows: Sequence[WindowAnswer],
        account: Account,
        adapted: dict[str, Any] | None,
        faces: Faces = "one",
    ) -> ClipAnswer:
        """The answer for a recording, of those for its windows."""
        versions = self.extractor().versions
        return ClipAnswer(
            file=str(path),
            duration=windows[-1].end,
            answer=mean_answer(windows),
            timeline=tuple(windows),
            checkpoint=self.names,
            extractors={m: versions[m] for m in self._modalities},
            account=account,
            adapted=adapted,
            faces=faces,
        )

    def stream(
        self,
        source: Source | Follower | SentMedia,
        transcript: Transcript | None = None,
        *,
        recognise: bool = False,
        step: float = 1.0,
        tracks: Wanted | None = None,
        account: Account | None = None,
    ) -> Iterator[StreamAnswer]:
        """An answer every `step` seconds of a recording, each as soon as its media are there.

        Args:
            source: a media file or a stream of one, a `Follower` where it still grows, or
                `SentMedia`, which has neither transcript nor tracks.
            transcript: with times.
            recognise: recognise speech. Words are late, and what is not yet recognised counts for
                nothing.
            tracks: those to read; by default the default ones, or the first.
            account: filled in with what is read and what is lost.
        """
        extractor = self.extractor(recognise=recognise, step=step, wait=False)
        if isinstance(source, SentMedia):
            windows = extractor.sent_windows(source, account=account)
        else:
            media = cast(Source, source)
            windows = extractor.windows(media, transcript, tracks=tracks, account=account)
        for w in windows:
            yield StreamAnswer(self.window_answer(w, {}), time.monotonic() - w.there)

    def extractor(self, **changes: Any) -> ClipExtractor:
        """What reads clips for these checkpoints; `InputError` where features are others now."""
        choose_device(self.device)
        stored = next((s.config.clip for s in self.sessions if s.config.clip is not None), None)
        settings = parse_options(ClipSettings, {**(stored or {}), **changes})
        extractor = self._extractors(settings)
        for session in self.sessions:
            _require_same_features(session, extractor)
        return extractor

    @property
    def _modalities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(m for s in self.sessions for m in s.modalities))

    @property
    def usual(self) -> dict[str, Usual]:
        """Modality to what training had, of the checkpoints that were trained to be adapted."""
        return {m: kept for s in reversed(self.sessions) for m, kept in s.usual.items()}

    def window_answer(self, window: Window, shifts: Shifts) -> WindowAnswer:
        """The answer for a window with all that belongs to it, adapted."""
        each = tuple(
            WindowAnswer(window.start, window.end, self._answer(sample, {}), (), whose)
            for whose, sample in window.each
        )
        answer = self.answer_of(window, shifts)
        return WindowAnswer(window.start, window.end, answer, window.words, window.face, each)

    def answer_of(self, window: Window, shifts: Shifts) -> Answer:
        """The answer for a window, adapted; of one without anything nothing is said.

        A face that shows little counts less: as it says, and as all else says without it, are
        weighed by how much it shows.
        """
        answer = self._answer(window.sample, shifts)
        quality = 1.0 if window.face is None else window.face.quality
        rest = [m for m in window.sample.sequences if m != "vision"]
        if quality >= 1 or not rest or "vision" not in window.sample.sequences:
            return answer
        without = self._answer(window.sample.keep(tuple(rest)), shifts)
        return weighted_answer([(quality, answer), (1 - quality, without)])

    def _answer(self, sample: Sample, shifts: Shifts) -> Answer:
        known = sample.keep(self._modalities)
        return self._said(known, shifts) if known.sequences else Answer(None, None, {})


_RUN_TIME = ("window", "step", "follow", "recognise", "piece", "wait", "faces")
"""Settings that leave the features as they are."""


def _features(clip: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (clip or {}).items() if key not in _RUN_TIME}


def _require_same_features(session: Session, extractor: ClipExtractor) -> None:
    config = session.config
    for modality, width in config.widths.items():
        wanted = config.features.get(modality, "features that it does not name")
        ours = extractor.versions.get(modality)
        problem = f"'{config.name}' reads {modality}"
        if ours is None:
            problem += ", which affuse does not extract from clips"
            remedy = "give it features by predict_sample"
            raise InputError(problem, remedy=remedy, source=session.folder)
        if (wanted, width) != (ours, found := extractor.widths[modality]):
            problem += (
                f" as '{wanted}' (width {width}); this affuse extracts '{ours}' (width {found})"
            )
            remedy = "use a checkpoint for these features, or predict_sample with its own"
            raise InputError(problem, remedy=remedy, source=session.folder)
