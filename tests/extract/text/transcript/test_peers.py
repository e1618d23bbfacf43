"""Where other programs read a file too, the words and their cues' times are theirs."""

from __future__ import annotations

import re
from pathlib import Path

import av
import pytest

from affuse.extract.text.transcript import read_transcript

pysubs2 = pytest.importorskip("pysubs2")
webvtt = pytest.importorskip("webvtt")

Cues = list[tuple[float, list[str]]]
LINES = ["I love this place", "it is wonderful,\nreally", "<i>so</i> we stayed", "until dinner"]
SRT_HEAD = "{n}\n{a} --> {b}\n{text}\n\n"
FILES = {
    "plain.srt": ("", SRT_HEAD, ","),
    "no_blank.srt": ("", "{n}\n{a} --> {b}\n{text}\n", ","),
    "no_numbers.srt": ("", "{a} --> {b}\n{text}\n\n", ","),
    "settings.srt": ("", "{n}\n{a} --> {b}  X1:40 X2:600\n{text}\n\n", ","),
    "plain.vtt": ("WEBVTT\n\n", "{a} --> {b}\n{text}\n\n", "."),
    "names.vtt": ("WEBVTT\n\nNOTE none\n\n", "cue-{n}\n{a} --> {b} line:0\n{text}\n\n", "."),
    "voices.vtt": ("WEBVTT\n\n", "{a} --> {b}\n<v Ann>{text}\n\n", "."),
}
OTHERWISE = {
    ("by_webvtt", "no_numbers.srt"),
    ("by_ffmpeg", "no_numbers.srt"),
    ("by_pysubs2", "names.vtt"),
}
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    "Style: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    "MarginR, MarginV, Effect, Text\n"
)


def clock(second: float, mark: str) -> str:
    return f"00:00:{int(second):02}{mark}{round(second % 1 * 1000):03}"


def write(folder: Path, name: str) -> Path:
    head, form, mark = FILES[name]
    blocks = [
        form.format(n=n, a=clock(2 * n, mark), b=clock(2 * n + 1.5, mark), text=text)
        for n, text in enumerate(LINES, 1)
    ]
    path = folder / name
    path.write_text(head + "".join(blocks))
    return path


def write_ass(folder: Path) -> Path:
    row = "Dialogue: 0,0:00:{:05.2f},0:00:{:05.2f},Default,,0,0,0,,{{\\an8}}{}\n"
    lines = [re.sub("<.*?>", "", text).replace("\n", "\\N") for text in LINES]
    path = folder / "a.ass"
    path.write_text(
        ASS + "".join(row.format(2 * n, 2 * n + 1.5, t) for n, t in enumerate(lines, 1))
    )
    return path


def ours(path: Path) -> list[str]:
    return [word.text for word in read_transcript(path).words]


def by_pysubs2(path: Path) -> list[str]:
    events = pysubs2.load(str(path)).events
    return [word for event in events if event.is_text for word in event.plaintext.split()]


def by_webvtt(path: Path) -> list[str]:
    read = webvtt.read if path.suffix == ".vtt" else webvtt.from_srt
    return [word for caption in read(str(path)) for word in caption.text.split()]


def by_ffmpeg(path: Path) -> list[str]:
    words: list[str] = []
    with av.open(str(path)) as container:
        for packet in container.demux(subtitles=0):
            for subtitle in packet.decode():
                # What is shown stands behind eight columns, with codes in braces.
                text = subtitle.ass.decode().split(",", 8)[-1]
                words += re.sub(r"\{.*?\}", "", text).replace("\\N", " ").split()
    return words


@pytest.mark.parametrize("name", FILES)
def test_the_words_of_subtitles_are_theirs(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    expected = re.sub("<.*?>", "", " ".join(LINES)).split()
    assert ours(path) == expected
    for peer in (by_pysubs2, by_webvtt, by_ffmpeg):
        # What they refuse or read otherwise, `docs/extract.md` tells.
        if (peer.__name__, name) not in OTHERWISE:
            assert peer(path) == expected


def test_the_words_of_substation_are_theirs(tmp_path: Path) -> None:
    path = write_ass(tmp_path)
    assert ours(path) == by_pysubs2(path) == by_ffmpeg(path)


@pytest.mark.parametrize("form", ["ttml", "microdvd", "mpl2", "tmp", "sami", "ssa"])
def test_what_pysubs2_writes_is_read(tmp_path: Path, form: str) -> None:
    subtitles = pysubs2.load(str(write_ass(tmp_path)))
    path = tmp_path / "out.txt"
    if form == "sami":
        body = "".join(f"<SYNC Start={e.start}><P>{e.plaintext}</P>" for e in subtitles)
        path.write_text(f"<SAMI><BODY>{body}</BODY></SAMI>")
    else:
        subtitles.save(str(path), format_=form, **({"fps": 25.0} if form == "microdvd" else {}))
    found = read_transcript(path)
    assert [word.text for word in found.words] == by_pysubs2(tmp_path / "a.ass")
    assert found.timed
    assert found.words[0].start == pytest.approx(2.0, abs=0.05)
