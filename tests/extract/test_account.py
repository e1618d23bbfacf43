"""What an account says of a recording: what was read, and each loss in a line."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from media_files import pictures, tone, write_media, write_wav
from odd_media import Track, write_tracks

from affuse.errors import InputError
from affuse.extract.account import Account, require_no_notices
from affuse.extract.clip import ClipExtractor, ClipSettings, Transcript, Word

SECOND = tone(1.0)
NOTHING = "nothing is seen or heard in it that an answer could go by"
NOBODY = "nobody is heard to speak in it"


@pytest.fixture(scope="module")
def extractor() -> ClipExtractor:
    return ClipExtractor(ClipSettings(expression=False))


def told(extractor: ClipExtractor, path: Path, transcript: Transcript | None = None) -> Account:
    account = Account()
    list(extractor.windows(path, transcript, account=account))
    return account


def words(*starts: float) -> Transcript:
    return Transcript(tuple(Word("good", start, start + 0.2) for start in starts))


@pytest.mark.parametrize(
    ("transcript", "notice"),
    [
        (words(500, 501), "no word of the transcript lies within the 1.0 s of the recording"),
        (words(0.1, 0.5, 7.0), "1 of 3 words of the transcript lie outside the 1.0 s"),
        (words(), "the transcript has no words"),
        (words(0.1, 0.5), None),
        (Transcript.of_text("good day"), None),
    ],
)
def test_words_outside_a_recording(
    extractor: ClipExtractor, tmp_path: Path, transcript: Transcript, notice: str | None
) -> None:
    account = told(extractor, write_wav(tmp_path / "a.wav", SECOND), transcript)
    others = [line for line in account.notices if line not in (NOBODY, NOTHING)]
    assert len(others) == (notice is not None)
    assert notice is None or notice in others[0]
    found = account.to_dict()["transcript"]
    assert found["words"] == len(transcript.words)
    assert found["inside"] == sum(word.start < 1 for word in transcript.words)
    assert found["known"] == float(bool(transcript.words))
    assert account.text == bool(found["inside"])


def test_words_beyond_those_that_features_read_are_told(tmp_path: Path) -> None:
    extractor = ClipExtractor(ClipSettings(text="minilm8", expression=False))
    file = write_wav(tmp_path / "a.wav", SECOND)
    fits, goes_on = (Transcript.of_text("good " * count) for count in (126, 127))
    assert not [line for line in told(extractor, file, fits).notices if "tokens" in line]
    (line,) = [line for line in told(extractor, file, goes_on).notices if "tokens" in line]
    assert line == "of what is said from 0.0 s on, 128 tokens are read and the rest is not"


def test_words_of_another_language_are_absent(extractor: ClipExtractor, tmp_path: Path) -> None:
    said = Transcript.of_text("das ist nicht gut und ich mag es auch nicht so sehr")
    account = told(extractor, write_wav(tmp_path / "a.wav", SECOND), said)
    assert "in German, as it seems" in account.notices[0]
    assert account.notices[1:] == [NOBODY, NOTHING]
    assert (account.text, account.words) == (False, 12)


def test_nothing_seen_or_heard(extractor: ClipExtractor, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", pictures(10), SECOND)
    assert told(extractor, path).notices == [NOBODY, "no face is seen in it", NOTHING]


def test_sound_that_is_too_short_is_left_out(extractor: ClipExtractor, tmp_path: Path) -> None:
    account = told(extractor, write_wav(tmp_path / "a.wav", SECOND[:2400]))
    assert account.notices[0] == "0.15 s of sound are too short for a voice: it is left out"


def test_a_file_that_was_cut(extractor: ClipExtractor, tmp_path: Path) -> None:
    both = Track(pictures(80, 32, 32)), Track(tone(8))
    whole = write_tracks(tmp_path / "a.mkv", *both).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 3])
    assert any("though it states a length of 8" in n for n in told(extractor, path).notices)


def test_damage_is_counted(extractor: ClipExtractor, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", (), tone(4), audio_codec="flac")
    spoiled = bytearray(path.read_bytes())
    for place in range(len(spoiled) // 3, len(spoiled) - 200, 400):
        spoiled[place] ^= 0xFF
    path.write_bytes(bytes(spoiled))
    assert any("damaged part" in notice for notice in told(extractor, path).notices)


def test_speech_and_tracks_are_told(extractor: ClipExtractor, shared_data: Path) -> None:
    clip = shared_data / "clips" / "grid_bbaf2n.mpg"
    account = told(extractor, clip)
    assert account.notices == []
    found = account.to_dict()
    assert 1.0 < found["speech"] < 2.5
    assert found["transcript"] is None
    assert found["faces"] == {"share": 1.0, "seconds": 3.0, "people": 1, "changes": []}
    picture, sound = found["streams"]["picture"], found["streams"]["sound"]
    assert (picture["width"], picture["height"], picture["rate"]) == (360, 288, 25.0)
    assert (sound["codec"], sound["used"], sound["gaps"]) == ("mp2", ["FL", "FR"], [])
    # Windows that overlap count nothing twice.
    again = Account()
    overlapping = ClipExtractor(ClipSettings(window=2, step=0.5, expression=False))
    list(overlapping.windows(clip, Transcript.of_text("bin blue now"), account=again))
    assert again.speech == pytest.approx(account.speech, abs=0.3)
    assert (again.words, again.known) == (3, 1.0)


def test_gaps_and_titles_are_told(extractor: ClipExtractor, tmp_path: Path) -> None:
    sound = Track(tone(16), off=(3, 14), names={"title": "Mic", "language": "eng"})
    path = write_tracks(tmp_path / "a.mkv", Track(pictures(160, 32, 32)), sound)
    found = told(extractor, path).to_dict()["streams"]["sound"]
    assert found["gaps"] == [[3.0, 14.0]]
    assert (found["title"], found["language"]) == ("Mic", "eng")


def test_a_word_of_speech_is_a_guess(
    extractor: ClipExtractor, tmp_path: Path, shared_data: Path
) -> None:
    with av.open(str(shared_data / "clips" / "grid_bbaf2n.mpg")) as media:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        pieces = [p for f in media.decode(audio=0) for p in resampler.resample(f)]
    sound = np.concatenate([p.to_ndarray().ravel() for p in pieces])[16_000:27_000]
    account = told(extractor, write_wav(tmp_path / "a.wav", sound))
    assert "a voice is a guess by so little" in account.notices[0]


def test_strict_makes_an_error_of_all_of_them() -> None:
    require_no_notices("a.mp4", [])
    with pytest.raises(InputError, match=r"a\.mp4: one, and two; mend it, or do without strict"):
        require_no_notices("a.mp4", ["one", "two"])
