"""Live sessions over a real WebSocket."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_files import pictures, tone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from affuse.runtime.predictor import Predictor
from affuse.service.keys import add_key

PIECE = 3200


def sound_pieces(signal: np.ndarray) -> list[bytes]:
    data = (signal * 32767).astype("<i2").tobytes()
    return [b"\x01" + data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def jpeg(image: np.ndarray) -> bytes:
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.height, codec.width = image.shape[:2]
    codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 5)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


class Session:
    """A session from begin to end."""

    def __init__(self, service, **start: Any) -> None:
        self.socket = connect(service.address.replace("http", "ws") + "/v1/live", legacy=True)
        self.socket.send(json.dumps({"start": start}))

    def heard(self) -> dict[str, Any]:
        return json.loads(self.socket.recv(timeout=60))

    def rest(self) -> list[dict[str, Any]]:
        """All that is said until the session is closed."""
        said = []
        while True:
            try:
                said.append(self.heard())
            except ConnectionClosed:
                return said


def test_an_answer_a_second_is_that_of_a_stream(service) -> None:
    signal = tone(2.5)
    session = Session(service, sound=True, pictures=True)
    ready = session.heard()
    assert (ready["type"], ready["step"]) == ("ready", 1.0)
    images, pieces = pictures(13), sound_pieces(signal)
    for at, piece in enumerate(pieces):
        session.socket.send(piece)
        if at % 2 == 0:
            stamp = (at * 100).to_bytes(4, "little")
            session.socket.send(b"\x02" + stamp + jpeg(images[at // 2]))
    session.socket.send(json.dumps({"end": True}))
    *answers, ended = session.rest()
    assert [(a["type"], a["start"], a["end"]) for a in answers] == [
        ("answer", 0.0, 1.0),
        ("answer", 0.0, 2.0),
        ("answer", 0.0, 2.6),
    ]
    assert ended["type"] == "ended"
    assert "nobody is heard to speak in it" not in ended["notices"]
    assert all(answer["latency"] < 5 for answer in answers)


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ({"sound": False}, "neither sound nor pictures"),
        ({"checkpoint": "/etc"}, "unknown checkpoint"),
        ({"loud": True}, "unknown option 'loud'"),
    ],
)
def test_what_cannot_be_begun_is_one_line(service, start, line) -> None:
    (said,) = Session(service, **start).rest()
    assert said["type"] == "error"
    assert line in said["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["[" * 9000, '{"end": "no"}', b"", b"\x07abc", b"\x01", b"\x01" + bytes(1 << 20)]
)
def test_what_is_no_piece_ends_a_session_and_no_other(service, piece) -> None:
    session = Session(service)
    assert session.heard()["type"] == "ready"
    session.socket.send(piece)
    assert session.rest()[-1]["type"] == "error"
    assert service.ask("/healthz").status == 200


def test_pictures_that_are_none_are_counted(service) -> None:
    session = Session(service, sound=False, pictures=True)
    session.heard()
    huge = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff" + bytes(20)
    for time_stamp, content in enumerate((b"no picture", huge, jpeg(pictures(1)[0])[:200])):
        session.socket.send(b"\x02" + (200 * time_stamp).to_bytes(4, "little") + content)
    session.socket.send(b"\x02" + (600).to_bytes(4, "little") + jpeg(pictures(1)[0]))
    session.socket.send(json.dumps({"end": True}))
    assert any("damaged part" in line for line in session.rest()[-1]["notices"])


def test_sessions_are_counted_and_kept_from_strangers(start, tmp_path) -> None:
    key = add_key(tmp_path / "keys", "ann")
    one = start(live=0, keys=tmp_path / "keys")
    assert "a key is needed" in Session(one).rest()[0]["error"]
    assert "all live sessions are taken" in Session(one, key=key).rest()[0]["error"]
    with pytest.raises(InvalidStatus):
        connect(
            one.address.replace("http", "ws") + "/v1/live",
            origin="http://evil.example",
            legacy=True,
        )


@pytest.mark.slow
def test_at_the_end_of_a_window_the_answer_is_that_of_the_file(
    service, shared_data, tmp_path
) -> None:
    """What was sent live, written to a file and read there, is answered alike."""
    source = sorted((shared_data / "clips").iterdir())[0]
    images, signal = [], []
    with av.open(str(source)) as clip:
        images += [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    with av.open(str(source)) as clip:
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for frame in clip.decode(audio=0):
            signal += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    sound = np.tile(np.concatenate(signal), 5)[: 16_000 * 10]
    shown = [jpeg(images[(at * 5) % len(images)]) for at in range(50)]
    file = _written(tmp_path / "same.mkv", shown, sound)
    here = Predictor.from_pretrained().predict(file, window=10.0)
    session = Session(service, sound=True, pictures=True)
    session.heard()
    data = sound.astype("<i2").tobytes()
    for at, picture in enumerate(shown):
        session.socket.send(b"\x02" + (at * 200).to_bytes(4, "little") + picture)
        session.socket.send(b"\x01" + data[at * 6400 : (at + 1) * 6400])
    session.socket.send(json.dumps({"end": True}))
    answers = session.rest()[:-1]
    last = {key: answers[-1][key] for key in here.timeline[0].to_dict()}
    assert last == here.timeline[0].to_dict()


def _written(path: Path, shown: list[bytes], sound: np.ndarray) -> Path:
    """The same pictures and sound, bit by bit, in a file."""
    with av.open(BytesIO(shown[0]), format="mjpeg") as first:
        stream = first.streams.video[0]
        height, width = stream.height, stream.width
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("mjpeg", rate=5)
        video.height, video.width, video.pix_fmt = height, width, "yuvj420p"
        audio: Any = out.add_stream("pcm_s16le", rate=16_000)
        audio.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound[None].astype("<i2"), format="s16", layout="mono")
        frame.sample_rate = 16_000
        heard = [*audio.encode(frame), *audio.encode(None)]
        for at, picture in enumerate(shown):
            packet = av.Packet(picture)
            packet.stream, packet.time_base = video, Fraction(1, 5)
            packet.pts = packet.dts = at
            packet.duration = 1
            out.mux(packet)
        for packet in heard:
            out.mux(packet)
    return path


@pytest.mark.slow
def test_two_sessions_are_answered_in_time(service, shared_data) -> None:
    """At the pace of life, with 5 pictures a second each."""
    source = sorted((shared_data / "clips").iterdir())[0]
    with av.open(str(source)) as clip:
        images = [jpeg(f.to_ndarray(format="rgb24")) for f in clip.decode(video=0)]
    sessions = [Session(service, sound=True, pictures=True) for _ in range(2)]
    for session in sessions:
        session.heard()
    pieces, began = sound_pieces(tone(6.0)), time.monotonic()
    for at, piece in enumerate(pieces):
        time.sleep(max(0.0, began + (at + 1) * 0.1 - time.monotonic()))
        for session in sessions:
            session.socket.send(piece)
            if at % 2 == 0:
                stamp = (at * 100).to_bytes(4, "little")
                session.socket.send(b"\x02" + stamp + images[at % len(images)])
    for session in sessions:
        session.socket.send(json.dumps({"end": True}))
        answers = session.rest()[:-1]
        assert len(answers) == 6
        assert max(answer["latency"] for answer in answers) < 1.0
