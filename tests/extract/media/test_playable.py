"""What a browser's player is given of a clip."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from media_files import pictures, tone, write_media

from affuse.errors import InputError
from affuse.extract.media.playable import playable
from affuse.extract.media.segments import Segment


@pytest.mark.parametrize(
    ("name", "codecs", "media_type"),
    [
        ("a.wav", ("", "pcm_s16le"), "audio/wav"),
        ("a.flac", ("", "flac"), "audio/flac"),
        ("a.mp4", ("libx264", "aac"), "video/mp4"),
        ("a.webm", ("libvpx-vp9", "libopus"), "video/webm"),
    ],
)
def test_what_browsers_know_is_played_as_it_is(
    tmp_path: Path, name: str, codecs: tuple[str, str], media_type: str
) -> None:
    picture, sound = codecs
    images = pictures(6) if picture else []
    write_media(
        tmp_path / name, images, tone(0.6, 48_000), codec=picture, audio_codec=sound, rate=48_000
    )
    found = playable(tmp_path / name, Segment(0.2, 0.4), tmp_path / "kept")
    assert found == (tmp_path / name, media_type, 0.2, 0.4, "")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "mpeg4"), ("a.mpg", "mpeg1video"), ("a.mkv", "mpeg4")]
)
def test_other_pictures_become_webm(tmp_path: Path, name: str, codec: str) -> None:
    sound = "mp2" if name == "a.mpg" else "pcm_s16le"
    images, heard = pictures(75, 49, 65), tone(3.0)
    if name == "a.mpg":
        images = pictures(75, 48, 64)
    write_media(tmp_path / name, images, heard, fps=25, codec=codec, audio_codec=sound)
    found = playable(tmp_path / name, Segment(1.0, 2.0), tmp_path / "kept")
    assert (found.type, found.start, found.end) == ("video/webm", 0.0, None)
    with av.open(str(found.path)) as made:
        frames = [frame.time for frame in made.decode(video=0)]
    with av.open(str(found.path)) as made:
        samples = sum(frame.samples for frame in made.decode(audio=0))
    assert len(frames) == pytest.approx(25, abs=1)
    assert frames[-1] < 1.0
    assert samples / 48_000 == pytest.approx(1.0, abs=0.05)
    stamp = found.path.stat().st_mtime_ns
    assert playable(tmp_path / name, Segment(1.0, 2.0), tmp_path / "kept") == found
    assert found.path.stat().st_mtime_ns == stamp
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_other_sound_becomes_wav(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.aiff", (), tone(1.0), audio_codec="pcm_s16be")
    found = playable(path, Segment(0.5, None), tmp_path)
    assert found.type == "audio/wav"
    with av.open(str(found.path)) as made:
        heard = np.concatenate([f.to_ndarray().ravel() for f in made.decode(audio=0)])
    assert len(heard) / 16_000 == pytest.approx(0.5, abs=0.1)
    assert np.abs(heard).max() > 3000


def test_what_is_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no film at all" * 10)
    with pytest.raises(InputError, match=r"a\.mp4: nothing in it"):
        playable(tmp_path / "a.mp4", Segment(), tmp_path)
    write_media(tmp_path / "a.avi", pictures(6))
    with pytest.raises(InputError, match="nothing from 9 s on"):
        playable(tmp_path / "a.avi", Segment(9.0, 10.0), tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())
