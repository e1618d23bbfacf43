"""Make the models in src/affuse/extract/data from what packages of others carry.

    npm pack @mediapipe/face_mesh@0.4.1657299874 and unpack it to `package`
    pip install --no-deps --require-hashes --target silero -r requirements/bundled.txt
    python scripts/make_models.py package silero

The npm package (Google, Apache License 2.0) carries BlazeFace, which finds faces (Bazarevsky et al.
2019), Face Mesh, which places 468 landmarks (Kartynnik et al. 2019), and the canonical face to
which Procrustes analysis fits the landmarks. The networks are converted to ONNX, so that
onnxruntime runs them, and the canonical face to an array. The other (Silero Team, MIT licence)
carries Silero VAD, which hears where there is speech, and is copied. `make setup` calls this.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tflite_to_onnx import Conversion

PACKED = "face_mesh_solution_packed_assets.data"
LOADER = "face_mesh_solution_packed_assets_loader.js"
SHA256 = {
    "face_detection_short_range.tflite": (
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"
    ),
    "face_landmark.tflite": "c603fa6149219a3e9487dc9abd7a0c24474c77263273d24868378cdf40aa26d1",
    "geometry_pipeline_metadata_landmarks.binarypb": (
        "bdbcda96dfcb7da883da124aaa2c55dee49770d934f0fcc71747f8c21bdc75b4"
    ),
}
LANDMARKS = 468
DATA = Path(__file__).parents[1] / "src" / "affuse" / "extract" / "data"

VOICE_ACTIVITY = "silero_vad/data/silero_vad_16k_sequence.onnx"


def unpack(package: Path) -> dict[str, bytes]:
    """The packed files of the package by name, checked."""
    content = (package / PACKED).read_bytes()
    loader = (package / LOADER).read_text()
    listed = re.search(r"loadPackage\((\{.*\})\)", loader)
    files = {}
    for entry in json.loads(listed[1])["files"] if listed else ():
        files[Path(entry["filename"]).name] = content[entry["start"] : entry["end"]]
    for name, sha256 in SHA256.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != sha256:
            sys.exit(f"{package}: {name} is not that of @mediapipe/face_mesh 0.4.1657299874")
    return files


def canonical_face(message: bytes) -> np.ndarray:
    """Columns x, y, z (centimetres; y up, z towards the viewer) and weight, float32 `(468, 4)`.

    The message is MediaPipe's GeometryPipelineMetadata: field 1 holds the mesh, whose field 3 are
    vertices of 5 numbers, place and texture; each field 2 a landmark's number and weight.
    """
    table = np.zeros((LANDMARKS, 4), np.float32)
    for field, value in _fields(message):
        if field == 1:
            vertices = [v for f, v in _fields(value) if f == 3]
            numbers = b"".join(vertices)
            table[:, :3] = np.frombuffer(numbers, "<f4").reshape(LANDMARKS, 5)[:, :3]
        elif field == 2:
            pair = dict(_fields(value))
            table[pair.get(1, 0), 3] = struct.unpack("<f", pair[2])[0]
    return table


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a Protocol Buffers message: their numbers and values."""
    at = 0

    def varint() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = 4 if kind == 5 else varint()
        yield key >> 3, message[at : at + size]
        at += size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("silero", type=Path, help="the folder that silero-vad is installed in")
    parser.add_argument("--output", type=Path, default=DATA)
    arguments = parser.parse_args()
    files = unpack(arguments.package)
    detector, mesh, geometry = (files[name] for name in SHA256)
    contents = {
        "face_detector.onnx": Conversion(detector, scale=2 / 255, offset=-1).model,
        "face_mesh.onnx": Conversion(mesh, scale=1 / 255, offset=0).model,
    }
    _write(
        arguments.output / "voice_activity.onnx", (arguments.silero / VOICE_ACTIVITY).read_bytes()
    )
    for name, model in contents.items():
        _write(arguments.output / name, model.SerializeToString(deterministic=True))
    _write(arguments.output / "face_canonical.f32", canonical_face(geometry).tobytes())


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


if __name__ == "__main__":
    main()
