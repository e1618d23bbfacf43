"""Features adapted to a recording, a folder or a speaker, by their own utterances, unlabelled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from affuse.errors import InputError, unknown_name
from affuse.extract.adaptation import Moments, Shift, Usual
from affuse.extract.clip import Window
from affuse.samples import Sample

Adapt = Literal["recording", "speaker", "folder", "none"]
AdaptAlone = Literal["recording", "speaker", "none"]
"""To what a clip is adapted that is read by itself."""


def one_of_adapt(name: str) -> Adapt:
    """The word, if it is one; else `InputError`."""
    for known in get_args(Adapt):
        if name == known:
            return cast(Adapt, name)
    raise unknown_name("adaptation", name, get_args(Adapt))


FEWEST = 5
"""Utterances from which on there is adaptation; of fewer, one that is felt outweighs who speaks."""
# Of a long recording so many are waited for; after that, each adds to what is known.
_AWAITED = 256
# Where so many utterances sound alike before adaptation, it may take away what they share.
_ALIKE = 0.7

Usuals = Mapping[str, Usual]  # modality to what training had
Shifts = Mapping[str, Shift]  # modality to what takes its features there


@dataclass
class Group:
    """What is known of one speaker, recording or folder, whose utterances come one by one."""

    usual: Usuals
    moments: dict[str, Moments] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        for modality in self.usual.keys() & sample.sequences.keys():
            self.moments.setdefault(modality, Moments()).add(sample.sequences[modality])

    def shifts(self) -> Shifts:
        """What takes its features there; nothing while utterances are too few."""
        enough = {m: known for m, known in self.moments.items() if known.count >= FEWEST}
        return {
            modality: self.usual[modality].shift_of(known) for modality, known in enough.items()
        }


def shifted(sample: Sample, shifts: Shifts) -> Sample:
    """The sample with its features taken to where training had them."""
    moved = {
        modality: shifts[modality].apply(steps) if modality in shifts else steps
        for modality, steps in sample.sequences.items()
    }
    return Sample(sample.id, moved, times=sample.times, text=sample.text)


def along(
    windows: Iterator[Window], usual: Usuals, adapt: Adapt
) -> Iterator[tuple[Window, Shifts]]:
    """Windows of one recording, each with what takes its features there.

    The first 256 know of each other; from then on each knows of those before it, so that memory
    does not grow with the recording. By `speaker`, those of each speaker know of each other alone.
    """
    if not usual or adapt == "none":
        yield from ((window, {}) for window in windows)
        return
    groups: dict[str, Group] = {}

    def group_of(window: Window) -> Group:
        name = speaker_of(window) if adapt == "speaker" else ""
        return groups.setdefault(name, Group(usual))

    held: list[Window] = []
    for window in windows:
        group_of(window).add(window.sample)
        held.append(window)
        if len(held) == _AWAITED:
            break
    known = {name: group.shifts() for name, group in groups.items()}
    for window in held:
        yield window, known[speaker_of(window) if adapt == "speaker" else ""]
    for window in windows:
        group = group_of(window)
        group.add(window.sample)
        yield window, group.shifts()


def speaker_of(window: Window) -> str:
    """Who says most of a window's words, by the transcript; empty where it does not tell."""
    counts: dict[str, int] = {}
    for word in window.words:
        if word.speaker is not None:
            counts[word.speaker] = counts.get(word.speaker, 0) + len(word.text)
    return max(counts, key=counts.__getitem__, default="")


def speaker_pattern(pattern: str) -> re.Pattern[str]:
    """What finds a speaker in the name of a file: its first group, or all that is found."""
    try:
        return re.compile(pattern)
    except re.error as error:
        remedy = "give one such as '([a-z]+)_' that finds the speaker in a file's name"
        raise InputError(f"'{pattern}' is no regular expression ({error})", remedy=remedy) from None


def speaker_in(path: Path, pattern: re.Pattern[str]) -> str:
    """The speaker that a file's name tells.

    Raises:
        InputError: it tells none.
    """
    found = pattern.search(path.name)
    if found is None:
        problem = f"its name has no speaker by '{pattern.pattern}'"
        raise InputError(problem, remedy="give a pattern that finds one in every name", source=path)
    return next((part for part in found.groups() if part), found.group())


def alike(tops: Sequence[str]) -> str | None:
    """What nearly all utterances say before they are adapted; None where they differ."""
    if len(tops) < FEWEST:
        return None
    top = max(set(tops), key=lambda label: (tops.count(label), label))
    return top if tops.count(top) >= _ALIKE * len(tops) else None


def described(adapt: Adapt, utterances: int) -> dict[str, Any] | None:
    """What an answer says of it; None where nothing was adapted."""
    if adapt == "none" or utterances < FEWEST:
        return None
    return {"to": adapt, "utterances": utterances}
