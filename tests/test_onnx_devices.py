"""Where onnxruntime works; what is asked for and not there is never replaced in silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from affuse import onnx_devices
from affuse.errors import InputError
from affuse.onnx_devices import PROVIDERS, open_session, require_device

CPU = "CPUExecutionProvider"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch):
    """`built(available, working)`: an onnxruntime, what it was built for, and what it loads."""

    def make(available: tuple[str, ...], working: tuple[str, ...] | Exception) -> None:
        def session(_: bytes, options: Any, providers: list[str]) -> Any:
            if isinstance(working, Exception) and providers != [CPU]:
                raise working
            loaded = () if isinstance(working, Exception) else working
            used = [p for p in providers if p == CPU or p in loaded]
            return SimpleNamespace(
                get_providers=lambda: used, disable_fallback=lambda: None, options=options
            )

        fake = SimpleNamespace(
            get_available_providers=lambda: [*available, CPU], InferenceSession=session
        )
        monkeypatch.setattr(onnx_devices, "require", lambda _: fake)

    return make


def _opened(device: str) -> str:
    options = SimpleNamespace(enable_mem_pattern=True)
    return str(open_session(b"", options, device).get_providers()[0])


def test_auto_takes_what_there_is(built) -> None:
    cuda, dml = PROVIDERS.values()
    built((), ())
    assert (require_device("auto"), _opened("auto"), _opened("cpu")) == ("cpu", CPU, CPU)
    built((dml,), (dml,))
    assert (require_device("auto"), _opened("auto"), _opened("dml")) == ("dml", dml, dml)
    built((cuda,), (cuda,))
    assert (_opened("auto"), _opened("cuda"), _opened("cpu")) == (cuda, cuda, CPU)


def test_what_is_asked_for_and_not_built_in_is_refused(built) -> None:
    built((), ())
    with pytest.raises(InputError) as told:
        _opened("cuda")
    assert str(told.value) == (
        "this onnxruntime has no device 'cuda'; install onnxruntime-gpu in place of onnxruntime, "
        "or choose one of: auto, cpu"
    )
    with pytest.raises(InputError, match="unknown device 'cuda:1'"):
        _opened("cuda:1")


@pytest.mark.parametrize("working", [(), RuntimeError("libcudnn.so.9: cannot open\nmore")])
def test_what_does_not_work_is_refused_but_by_auto(built, working: Any) -> None:
    """Left to itself, onnxruntime goes on with the processor and says so nowhere."""
    built((PROVIDERS["cuda"],), working)
    with pytest.raises(InputError, match="device 'cuda' does not work"):
        _opened("cuda")
    assert _opened("auto") == CPU
