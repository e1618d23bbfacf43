"""Which tracks of a file are read, and which of their channels."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import pictures, tone
from odd_media import OnePass, Track, write_tracks

from affuse.errors import InputError
from affuse.extract.media.decode import MediaReader
from affuse.extract.media.tracks import Wanted
from affuse.extract.voice.recognise import is_speech

SILENCE = np.zeros(48_000, np.float32)
WHITE = [np.full((64, 64, 3), 255, np.uint8)] * 20
NOISE = pictures(20, 64, 64)
SHADES = np.linspace(0, 255, 64, dtype=np.uint8)
SLIDE = [np.broadcast_to(SHADES[:, None], (64, 64, 3)).copy()] * 20
THIRD = Fraction(1, 3)
DEFAULT = ("default",)


@pytest.fixture(scope="module")
def voice(shared_data: Path) -> np.ndarray:
    """Three seconds of speech."""
    with av.open(str(shared_data / "clips" / "grid_bbaf2n.mpg")) as media:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        pieces = [p for f in media.decode(audio=0) for p in resampler.resample(f)]
    sound = np.concatenate([p.to_ndarray().ravel() for p in pieces])
    assert is_speech(sound)
    return sound[:47_000]


@pytest.fixture(scope="module")
def faces(shared_data: Path) -> list[np.ndarray]:
    with av.open(str(shared_data / "clips" / "grid_bbaf2n.mpg")) as media:
        return [f.to_ndarray(format="rgb24") for f in media.decode(video=0)][::3]


def chosen(path: Path, **wanted: int) -> dict[str, tuple[int, str]]:
    with MediaReader(path, fps=5, wanted=Wanted(**wanted)) as media:
        return {kind: (track.number, track.why) for kind, track in media.tracks.items()}


SOUNDS = {
    "a default": ([Track(tone(3)), Track(tone(3), flags=DEFAULT)], 2, "the default", False),
    "a silent default": (
        [Track(SILENCE, flags=DEFAULT), Track(tone(3))], 2, "the first with sound", True,
    ),
    "silence first": ([Track(SILENCE), Track(tone(3))], 2, "the first with sound", True),
    "silence last": ([Track(tone(3)), Track(SILENCE)], 1, "the first with sound", True),
    "nothing but silence": ([Track(SILENCE), Track(SILENCE)], 1, "the first with silence", True),
    "a comment first": (
        [Track(tone(3), flags=("comment",)), Track(tone(3))], 2, "the only one of its kind", False,
    ),
    "for those who do not see first": (
        [Track(tone(3), flags=("visual_impaired", "default")), Track(tone(3))],
        *(2, "the only one of its kind", False),
    ),
    "a comment by its title": (
        [Track(tone(3), names={"title": "Director's commentary"}), Track(tone(3))],
        *(2, "the only one of its kind", False),
    ),
    "alone": ([Track(SILENCE)], 1, "the only one", False),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUNDS)
def test_the_sound_that_matters(name: str, tmp_path: Path) -> None:
    tracks, number, why, guessed = SOUNDS[name]
    path = write_tracks(tmp_path / "a.mkv", *tracks)
    with MediaReader(path, fps=5) as media:
        track = media.tracks["sound"]
        assert (track.number, track.of, track.why) == (number, len(tracks), why)
        told = [notice for notice in media.notices() if "--audio-track" in notice]
        assert len(told) == guessed


PICTURES = {
    "one colour first": ([Track(WHITE), Track(NOISE)], 2),
    "one colour last": ([Track(NOISE), Track(WHITE)], 1),
    "a slide first": ([Track(SLIDE), Track(NOISE)], 2),
    "a default of one colour": ([Track(WHITE, flags=DEFAULT), Track(NOISE)], 2),
    "a cover": ([Track(NOISE[:1], codec="mjpeg", flags=("attached_pic",)), Track(NOISE)], 2),
    "slides, a picture in three seconds": (
        [Track(NOISE[:2], fps=THIRD, flags=DEFAULT), Track(NOISE)], 2,
    ),
    "slides whose head says otherwise": (
        [Track(NOISE[:2], spacing=3.0, flags=DEFAULT), Track(NOISE)], 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_the_camera(name: str, tmp_path: Path) -> None:
    tracks, number = PICTURES[name]
    path = write_tracks(tmp_path / "a.mkv", *tracks, Track(tone(2)))
    assert chosen(path)["picture"][0] == number


def test_slides_alone_are_no_camera_beside_sound(tmp_path: Path) -> None:
    slides = Track(NOISE[:3], fps=THIRD)
    assert set(chosen(write_tracks(tmp_path / "a.mkv", slides, Track(tone(9))))) == {"sound"}
    assert set(chosen(write_tracks(tmp_path / "b.mkv", slides))) == {"picture"}


def test_a_voice_goes_before_other_sound_and_a_face_before_other_pictures(
    tmp_path: Path, voice: np.ndarray, faces: list[np.ndarray]
) -> None:
    noise = pictures(25, 288, 360)
    tracks = [Track(noise), Track(faces), Track(tone(3)), Track(voice)]
    path = write_tracks(tmp_path / "a.mkv", *tracks)
    assert chosen(path) == {
        "sound": (2, "the first with speech"),
        "picture": (2, "the first with a face"),
    }
    source = io.BytesIO(path.read_bytes())
    with MediaReader(source, fps=5) as media:
        assert media.wanted == Wanted(2, 2)
        assert len(list(media)) > 10
    # A default track is left for one with a face, but not for one with speech.
    tracks[0].flags = tracks[2].flags = DEFAULT
    path = write_tracks(tmp_path / "b.mkv", *tracks)
    assert chosen(path) == {"sound": (1, "the default"), "picture": (2, "the first with a face")}


def test_tracks_may_be_asked_for(tmp_path: Path) -> None:
    path = write_tracks(
        tmp_path / "a.mkv", Track(NOISE), Track(tone(3), flags=DEFAULT), Track(SILENCE)
    )
    assert chosen(path, audio=2)["sound"] == (2, "asked for")
    for wanted in ({"audio": 3}, {"audio": 0}, {"video": 2}):
        with pytest.raises(InputError, match=r"a\.mkv: has no (audio|video) track [023].*choose 1"):
            chosen(path, **wanted)
    alone = write_tracks(tmp_path / "b.mkv", Track(tone(1)))
    with pytest.raises(InputError, match="has no video track 1, but none at all"):
        chosen(alone, video=1)


def test_what_is_read_once_is_not_looked_into(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.mkv", Track(SILENCE), Track(tone(3)))
    with MediaReader(OnePass(path.read_bytes()), fps=5) as media:
        assert media.tracks["sound"].why == "the first"
        assert any("--audio-track chooses another" in notice for notice in media.notices())


CENTRE = 2
SHAPES = {
    "two that cancel": ([1, -1], ["FL", "-FR"]),
    "two that cancel in part": ([1, -0.3], ["FL", "-FR"]),
    "two alike": ([1, 1], ["FL", "FR"]),
    "left alone": ([1, 0], ["FL"]),
    "right alone": ([0, 1], ["FR"]),
    "centre of six": ([0, 0, 1, 0, 0, 0], ["FC"]),
    "back of six": ([0, 0, 0, 0, 1, -1], ["BL", "-BR"]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_channels_do_not_cancel(name: str, tmp_path: Path) -> None:
    shares, used = SHAPES[name]
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    channels = sound[:, None] * np.array(shares, np.float32)
    if len(shares) == 6:
        rumble = np.sin(np.arange(32_000) * 0.01).astype(np.float32)
        channels[:, 3] = 0.5 * rumble
    path = write_tracks(tmp_path / "a.mkv", Track(channels, codec="flac"))
    with MediaReader(path, fps=5) as media:
        heard = np.concatenate([item.samples for item in media])
        assert media.channels == used
    likeness = np.corrcoef(heard, sound[: len(heard)])[0, 1]
    assert abs(likeness) > 0.99
    assert heard.std() == pytest.approx(sound.std(), rel=0.4)
