"""Subtitle files by a grammar with faults: each word comes out once, in order, or is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.extract.text.transcript import read_transcript

ARROWS = (" --> ", "-->", " -> ", " —> ", " → ", "\t-->\t", " --&gt; ", "  -->  ", " -- > ")
WORDS = (
    "garden",
    "café",
    "Ännchen",
    "I'm",
    "10:30",
    "O'Brien",
    "naïve",
    "well-made",
    "so...",
    "3,5",
)
DRESSES = (
    "{}",
    "{}",
    "<i>{}</i>",
    '<font color="#fff">{}</font>',
    "{{\\an8}}{}",
    "<b><i>{}",
    "<c.x>{}</c>",
)
BREAKS = (
    " ",
    " ",
    "  ",
    "\t",
    "\u2028",
    "\u00a0",
    "\u0085",
    "\v",
    " \u200b",
    "\ufeff ",
    "\u3000",
    "\n",
    "\n\n",
)
UNSPOKEN = ("[door slams]", "(sobbing)", "♪ la la la ♪", "*sighs*")


@dataclass
class Made:
    """A file, and what must come of it."""

    content: bytes = b""
    cues: list[tuple[int, list[str]]] = field(default_factory=list)
    skipped: int = 0
    unspoken: bool = False

    @property
    def words(self) -> list[str]:
        return [w for _, words in sorted(self.cues, key=lambda cue: cue[0]) for w in words]


def clock(draw: st.DrawFn, time: int, style: str, *, hours: bool) -> str:
    seconds, rest = divmod(time, 1000)
    minutes, seconds = divmod(seconds, 60)
    shown = f"{minutes:02}:{seconds:02}"
    if hours or minutes > 59:
        shown = f"{minutes // 60:0{draw(st.sampled_from((1, 2)))}}:{minutes % 60:02}:{seconds:02}"
    if style == "none":
        return shown
    digits = f"{rest:03}"
    return shown + style + (digits if style == ":" else digits.rstrip("0") or "0")


@st.composite
def files(draw: st.DrawFn) -> Made:
    made, vtt = Made(), draw(st.booleans())
    newline = draw(st.sampled_from(("\n", "\n", "\r\n", "\r")))
    numbered = draw(st.sampled_from(("right", "right", "missing", "some", "wrong", "apart")))
    hours, count, time = draw(st.booleans()), 0, 0
    text = draw(st.sampled_from(("", "\n", "\n\n")))
    if vtt:
        text = "WEBVTT\n\n" + draw(st.sampled_from(("", "STYLE\n::cue { color: red }\n\n")))
    for number in range(1, draw(st.integers(1, 8)) + 1):
        style = draw(st.sampled_from((".", ",", ",", ":", "none")))
        unit = 1000 if style == "none" else 1
        time = max(0, time + draw(st.integers(-3000, 6000))) // unit * unit
        end = time + draw(st.integers(1, 5)) * 1000
        start, stop = (clock(draw, t, style, hours=hours) for t in (time, end))
        arrow = draw(st.sampled_from(ARROWS))
        behind = draw(st.sampled_from(("", "", " align:start position:0%", " X1:40 X2:600")))
        broken = draw(st.integers(0, 12)) == 0
        if broken:
            start, arrow, behind = f"0{draw(st.sampled_from('xX?'))}:00:--,000", " --> ", ""
        words = []
        for _ in range(draw(st.integers(1, 6))):
            count += 1
            words.append(f"{draw(st.sampled_from(WORDS))}x{count}")
        said = draw(st.sampled_from(DRESSES)).format(words[0])
        inner = [draw(st.sampled_from(BREAKS)) for _ in words[1:]]
        said += "".join(gap + word for gap, word in zip(inner, words[1:], strict=True))
        if draw(st.integers(0, 6)) == 0:
            said = f"{draw(st.sampled_from(UNSPOKEN))}\n{said}"
            made.unspoken |= not broken
        named = {"missing": "", "wrong": f"{draw(st.integers(0, 999))}\n", "apart": f"{number}\n\n"}
        name = named.get(numbered, f"{number}\n")
        name = "" if numbered == "some" and draw(st.booleans()) else name
        if vtt and draw(st.booleans()):
            name = draw(st.sampled_from((name, f"cue-{number}\n", "\nNOTE to self\nnothing\n\n")))
        text += f"{name}{start}{arrow}{stop}{behind}\n{said}"
        # Without a blank line, only a number that goes on counting is known for what it is.
        apart = vtt or numbered in ("wrong", "some")
        text += "\n" * draw(st.integers(2 if apart else 1, 4))
        if broken:
            made.skipped += 1
        else:
            made.cues.append((time, words))
    names = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
    made.content = text.replace("\n", newline).encode(draw(st.sampled_from(names)))
    return made


def check(made: Made, folder: Path) -> None:
    path = folder / "clip.srt"
    path.write_bytes(made.content)
    if not made.cues:
        return
    found = read_transcript(path)
    assert [word.text for word in found.words] == made.words
    assert found.origin.skipped == made.skipped
    assert bool(made.skipped) == any("could not be read" in line for line in found.notices)
    assert made.unspoken == any("not speech" in line for line in found.notices)
    assert all(word.start <= word.end for word in found.words)


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(made=files())
def test_every_word_comes_out_once_or_is_counted(made: Made, tmp_path: Path) -> None:
    check(made, tmp_path)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=QUIET)
@given(made=files())
def test_every_word_of_many_files_comes_out_once_or_is_counted(made: Made, tmp_path: Path) -> None:
    check(made, tmp_path)
