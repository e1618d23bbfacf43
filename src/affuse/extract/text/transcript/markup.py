"""Transcripts in markup: TTML (also .dfxp and .xml), a video site's own XML, and SAMI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from affuse.errors import InputError
from affuse.extract.text.transcript.clock import seconds_of
from affuse.extract.text.transcript.cues import Cue, Found, Piece, cue, plain

_BEGINS = re.compile(r"\s*(?:<\?xml|<!--|<(?:\w+:)?tt\b|<timedtext\b|<transcript\b)", re.IGNORECASE)
_SAMI = re.compile(r"\s*<sami\b|<sync\b[^>]*\bstart\s*=", re.IGNORECASE)
_SYNC = re.compile(
    r"<sync\b[^>]*?\bstart\s*=\s*[\"']?(-?\d+)[^>]*>(.*?)(?=<sync\b|</body|</sami|\Z)", re.I | re.S
)
_CLASS = re.compile(r"<p\b[^>]*\bclass\s*=\s*[\"']?(\w+)", re.IGNORECASE)
_FRAMES = re.compile(r"(\d+):(\d+):(\d+):(\d+)(?:\.\d+)?")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([ft])")


def read_markup(content: str, file: str) -> Found | None:
    """The cues of a file in one of these forms; None for another file.

    Raises:
        InputError: XML that is broken, declares entities, or holds nothing of these.
    """
    if _SAMI.match(content) or (content.lstrip().startswith("<") and _SAMI.search(content)):
        return _sami(content)
    if _BEGINS.match(content) is None:
        return None
    try:
        if "<!ENTITY" in content:
            raise ValueError
        # What it says of its encoding is no longer true.
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", content))
    except (ElementTree.ParseError, ValueError, RecursionError):
        remedy = "repair it, or convert it to .srt"
        raise InputError("is XML that cannot be read", remedy=remedy, source=file) from None
    found = _Xml(root).read()
    if found is None:
        remedy = "give TTML, or convert it to .srt"
        raise InputError("is XML without timed text", remedy=remedy, source=file)
    return found


class _Bounds(NamedTuple):
    """Seconds from the start of the recording, as far as they are told."""

    start: float | None
    end: float | None


class _Xml:
    """One document."""

    def __init__(self, root: Element) -> None:
        self._root = root
        said = _attributes(root)
        rate = _number(said.get("framerate")) or 30.0
        up, _, down = said.get("frameratemultiplier", "").replace(":", " ").partition(" ")
        self._units = {
            "f": (_number(down) or 1.0) / (rate * (_number(up) or 1.0)),
            "t": 1 / (_number(said.get("tickrate")) or 1.0),
        }
        self._language = said.get("lang") or None
        self._skipped = 0
        agents = (each for each in root.iter() if _local(each) == "agent")
        self._names = {
            _attributes(agent).get("id"): " ".join("".join(agent.itertext()).split())
            for agent in agents
        }

    def read(self) -> Found | None:
        kind = _local(self._root)
        if kind == "tt":
            bodies = [each for each in self._root if _local(each) == "body"]
            cues = [one for body in bodies for one in self._within(body, _Bounds(None, None), None)]
        elif kind in ("transcript", "timedtext"):
            cues = list(self._rows())
        else:
            return None
        name = "ttml" if kind == "tt" else "xml"
        return Found(name, tuple(cues), self._language, self._skipped)

    def _within(self, element: Element, outer: _Bounds, speaker: str | None) -> Iterator[Cue]:
        """The paragraphs below an element; their times count from its own."""
        said = _attributes(element)
        speaker = self._names.get(said.get("agent"), said.get("agent")) or speaker
        if _local(element) == "p":
            try:
                bounds = self._bounds(said, outer)
                pieces = tuple(self._pieces(element, bounds, None, speaker))
            except ValueError:
                self._skipped += 1
                return
            known = [piece.start for piece in pieces if piece.start is not None]
            start = min(known) if bounds.start is None and known else bounds.start
            yield Cue(start, bounds.end, pieces)
            return
        try:
            outer = self._bounds(said, outer)
        except ValueError:
            self._skipped += sum(_local(each) == "p" for each in element.iter())
            return
        for child in element:
            yield from self._within(child, outer, speaker)

    def _pieces(
        self, element: Element, bounds: _Bounds, own: _Bounds | None, speaker: str | None
    ) -> Iterator[Piece]:
        """The text of a paragraph, parted where a span within has times of its own."""
        start, end = own or (None, None)

        def piece(text: str | None) -> Piece:
            return Piece(plain(re.sub(r"\s+", " ", text or "")), start, end, speaker)

        yield piece(element.text)
        for child in element:
            said = _attributes(child)
            if _local(child) == "br":
                yield Piece("\n", None, None, speaker)
            elif _local(child) == "span" and said.get("role") != "x-translation":
                timed = "begin" in said
                inner = self._bounds(said, bounds) if timed else bounds
                yield from self._pieces(child, inner, inner if timed else own, speaker)
            yield piece(child.tail)

    def _bounds(self, said: Mapping[str, str], outer: _Bounds) -> _Bounds:
        """`ValueError` where times cannot be read."""
        begin, end, lasts = (self._seconds(said.get(key)) for key in ("begin", "end", "dur"))
        base = outer.start or 0.0
        # Times within count from those around, but not every program knows that.
        if begin is not None and outer.end is not None and base + begin > outer.end:
            base = 0.0
        start = outer.start if begin is None else base + begin
        if lasts is not None:
            return _Bounds(start, (start or 0.0) + lasts)
        return _Bounds(start, outer.end if end is None else base + end)

    def _seconds(self, text: str | None) -> float | None:
        if text is None:
            return None
        text = text.strip()
        if match := _FRAMES.fullmatch(text):
            hours, minutes, seconds, frames = map(int, match.groups())
            return 3600 * hours + 60 * minutes + seconds + frames * self._units["f"]
        if match := _COUNT.fullmatch(text):
            return float(match[1]) * self._units[match[2]]
        found = seconds_of(text)
        if found is None:
            raise ValueError
        return found

    def _rows(self) -> Iterator[Cue]:
        """A video site's captions: `start` and `dur` in seconds, or `t` and `d` in milliseconds."""
        for each in self._root.iter():
            if _local(each) not in ("p", "text"):
                continue
            said = _attributes(each)
            unit, keys = (1.0, ("start", "dur")) if "start" in said else (1e-3, ("t", "d"))
            start, lasts = (seconds_of(said.get(key)) for key in keys)
            if start is None:
                self._skipped += 1
                continue
            start *= unit
            parts = [Piece(plain(each.text or ""))]
            for part in each:
                own = seconds_of(_attributes(part).get("t", 0))
                text = plain((part.text or "") + (part.tail or ""))
                parts.append(Piece(text, None if own is None else start + own * unit))
            yield Cue(start, None if lasts is None else start + lasts * unit, tuple(parts))


def _local(element: Element) -> str:
    # Comments have no name.
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _attributes(element: Element) -> dict[str, str]:
    return {key.rpartition("}")[2].lower(): value for key, value in element.attrib.items()}


def _number(text: str | None) -> float | None:
    return None if text is None else seconds_of(text)


def _sami(content: str) -> Found:
    """SAMI; of several languages the first, and a cue that is blank ends the one before."""
    first: str | None = None
    syncs: list[tuple[float, str]] = []
    for match in _SYNC.finditer(content):
        named = _CLASS.search(match[2])
        name = named[1] if named else None
        first = first or name
        if name == first:
            text = re.sub(r"\s+", " ", match[2])
            text = re.sub(r"<[^<>]*>", "", re.sub(r"<br\b[^<>]*>", "\n", text, flags=re.I))
            syncs.append((int(match[1]) / 1000, plain(text)))
    ends = [start for start, _ in syncs[1:]]
    cues = [
        cue(start, end, text)
        for (start, text), end in zip(syncs, [*ends, None], strict=False)
        if text.strip()
    ]
    return Found("sami", tuple(cues))
