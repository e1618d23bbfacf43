"""Sound and picture of samples on a page, and what follows the player."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from media_files import pictures, tone, write_media

from affuse.errors import InputError
from affuse.incongruity.cases import Case, step_times
from affuse.incongruity.conflict import Conflict
from affuse.incongruity.readings import Span
from affuse.report.case_media import CaseMedia, media_of, require_recordings, timed
from affuse.report.charts import heat_map
from affuse.samples import Recording, Sample


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Recording]:
    clips = tmp_path / "my clips #1"
    clips.mkdir()
    write_media(clips / "a:b.wav", (), tone(1.0))
    write_media(clips / "film.avi", pictures(10), tone(1.0))
    return {
        "a": Recording(clips / "a:b.wav", 0.25, 0.75),
        "film": Recording(clips / "film.avi", 0.5, 1.0),
        "gone": Recording(clips / "gone.wav", 0.0, 1.0),
    }


def test_recordings_are_linked_to_and_others_converted(
    recordings: dict[str, Recording], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    page = tmp_path / "out" / "report.html"
    found = media_of(["a", "film", "gone", "other"], recordings, page, copy=False)
    assert list(found) == ["a", "film", "gone"]
    assert found["a"] == CaseMedia(
        "../my%20clips%20%231/a%3Ab.wav#t=0.250,0.750", False, 0.25, 0.5, ""
    )
    film = found["film"]
    assert (film.pictures, film.start, film.seconds) == (True, 0.0, 0.5)
    assert film.source.startswith("report-media/")
    assert (page.parent / film.source).is_file()
    assert found["gone"].source == ""
    assert "gone.wav" in found["gone"].notice


def test_copies_lie_beside_the_page(recordings: dict[str, Recording], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    source = media_of(["a"], recordings, page, copy=True)["a"].source
    place = page.parent / unquote(source.partition("#")[0])
    assert place.parent == tmp_path / "report-media"
    assert place.read_bytes() == recordings["a"].path.read_bytes()


def test_a_corpus_without_recordings_is_refused() -> None:
    with pytest.raises(InputError, match="mosi does not say where its recordings lie"):
        require_recordings({}, "mosi")


def test_lanes_are_of_seconds() -> None:
    spans = {"text": (Span(1, 2, 1.0, 2.0),), "audio": (Span(0, 1, 0.25, 0.3),)}
    conflict = Conflict("a", 0.9, ("text", "audio"), spans, {})
    gate, steps = {"text": 0.75, "audio": 0.25}, {"text": 2, "audio": 1}
    case = Case("a", "", None, "", "", {}, gate, conflict, steps, {}, ())
    lanes = timed(case, CaseMedia("a.wav", False, 0.0, 4.0))
    assert [name for name, _, _ in lanes] == ["text", "audio", "gate"]
    bars = [[mark.attributes for mark in drawing.marks] for _, drawing, _ in lanes]
    assert (bars[0][0]["x"], bars[0][0]["width"]) == (250, 250)
    # Statistics are of the whole clip.
    assert (bars[1][0]["x"], bars[1][0]["width"]) == (0, 1000)
    assert [bar["height"] for bar in bars[2]] == [27, 9]


def test_maps_know_when_their_steps_begin() -> None:
    steps, times = np.zeros((5, 2), np.float32), np.arange(5, dtype=np.float32) / 2
    sample = Sample("a", {"audio": steps, "text": steps}, times={"audio": times})
    assert step_times(sample, "audio", 3) == (0.0, 1.0, 2.0)
    assert step_times(sample, "text", 5) == ()
    plain = heat_map("m", np.ones((3, 2)), "abc", "de")
    drawn = heat_map("m", np.ones((3, 2)), "abc", "de", ((0.0, 1.0, 2.0), ()))
    (mark,) = [mark for mark in drawn.marks if mark not in plain.marks]
    assert mark.attributes["data-times"] == "0.000 1.000 2.000"
    assert (mark.attributes["data-axis"], mark.attributes["height"]) == ("y", 18)
