"""Media and texts to features, and the models for it: made at set-up, carried by built wheels."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any

from affuse.errors import InputError
from affuse.onnx_devices import chosen_device, open_session


def bundled(name: str) -> bytes:
    """The content of a file of the folder `data`; `InputError` where a checkout is not set up."""
    with as_file(files("affuse.extract") / "data" / name) as path:
        if not path.is_file():
            problem = "a model that comes with affuse is not there"
            remedy = "install a built affuse, or run `make setup` in a checkout"
            raise InputError(problem, remedy=remedy, source=path)
        return path.read_bytes()


def session(name: str) -> Any:
    """The network `name` in onnxruntime, on the device that is chosen, loaded once."""
    return _session(name, chosen_device())


@cache
def _session(name: str, device: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Networks this small lose more by handing work to threads than they gain.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return open_session(bundled(f"{name}.onnx"), options, device)
