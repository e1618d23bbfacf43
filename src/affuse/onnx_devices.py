"""Where onnxruntime works: on the processor, or on an accelerator that it was built for."""

from __future__ import annotations

from typing import Any

from affuse.errors import InputError, first_line, unknown_name
from affuse.optional import require

AUTO, CPU = "auto", "cpu"
PROVIDERS = {"cuda": "CUDAExecutionProvider", "dml": "DmlExecutionProvider"}
"""Name of an accelerator to what onnxruntime calls it, the one that `auto` takes first."""
DEVICES = (AUTO, CPU, *PROVIDERS)
_PACKAGES = {"cuda": "onnxruntime-gpu", "dml": "onnxruntime-directml"}

_chosen = CPU
"""Of the networks that read clips, which are loaded once for all."""


def require_device(device: str) -> str:
    """The name of what `device` stands for here.

    Raises:
        InputError: an unknown name, or one that this onnxruntime was not built for.
    """
    if device not in DEVICES:
        raise unknown_name("device", device, DEVICES)
    available = require("onnxruntime").get_available_providers()
    there = [name for name, provider in PROVIDERS.items() if provider in available]
    if device == AUTO:
        return next(iter(there), CPU)
    if device != CPU and device not in there:
        raise InputError(
            f"this onnxruntime has no device '{device}'",
            remedy=f"install {_PACKAGES[device]} in place of onnxruntime, or choose one of: "
            + ", ".join((AUTO, CPU, *there)),
        )
    return device


def choose_device(device: str) -> None:
    """Let the networks that read clips work there from now on; `InputError` as `require_device`."""
    global _chosen
    _chosen = device if device == AUTO else require_device(device)


def chosen_device() -> str:
    """As it was chosen."""
    return _chosen


def open_session(content: bytes, options: Any, device: str) -> Any:
    """A network in onnxruntime on that device.

    Raises:
        InputError: as `require_device`, or the device does not work. `auto` then takes the
            processor.
    """
    onnxruntime = require("onnxruntime")
    name = require_device(device)
    if name != CPU:
        found = _accelerated(onnxruntime, content, options, name)
        if not isinstance(found, str):
            return found
        if device != AUTO:
            problem = f"device '{name}' does not work ({found})"
            raise InputError(problem, remedy="mend its drivers, or choose cpu")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _accelerated(onnxruntime: Any, content: bytes, options: Any, name: str) -> Any:
    """A session, or why there is none: left to itself, onnxruntime would take the processor."""
    if name == "dml":
        options.enable_mem_pattern = False
    providers = [PROVIDERS[name], "CPUExecutionProvider"]  # for operators that it does not have
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # its classes are not public
        return first_line(error)
    session.disable_fallback()
    return session if PROVIDERS[name] in session.get_providers() else "it could not be loaded"
