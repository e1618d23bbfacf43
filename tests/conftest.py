"""Fixtures that all tests share."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import Opened, a_browser


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory) -> Iterator[None]:
    """Whoever runs the suite finds their own cache as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFUSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def quick_probes() -> Iterator[None]:
    """Probes that learn little in little time, where what they find is not tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("affuse.incongruity.probes._STEPS", 5)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora beside the checkout; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real corpora is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> Path:
    """A folder with two exported checkpoints, `sentiment` and `emotion`, that read clips."""
    import torch

    from affuse.extract.clip import ClipExtractor
    from affuse.fusion import create_model
    from affuse.tasks import Classification, Regression, Task
    from affuse.training.checkpoint import Checkpoint
    from affuse.training.export_onnx import export_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints")
    extractor = ClipExtractor()
    tasks: dict[str, Task] = {
        "sentiment": Regression(),
        "emotion": Classification(("calm", "angry", "sad")),
    }
    for name, task in tasks.items():
        torch.manual_seed(0)
        options = {"width": 8, "heads": 2, "strides": {"audio": 8}}
        model = create_model("hct_mg", extractor.widths, task.outputs, options).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn(parameter.shape)
        checkpoint = Checkpoint("hct_mg", model, task, None, {"features": extractor.versions})
        clip = extractor.settings.model_dump(mode="json")
        export_checkpoint(checkpoint, folder / name, clip=clip, terms="made for a test")
    return folder


@pytest.fixture(scope="session")
def recording(tmp_path_factory) -> Path:
    """Two seconds of a tone, in which nobody speaks, with a transcript beside it."""
    path = tmp_path_factory.mktemp("media") / "tone.wav"
    tone = np.sin(np.arange(32_000) * 0.17) * 9000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(tone.astype("<i2").tobytes())
    words = "1\n00:00:00,000 --> 00:00:00,900\nwhat a lovely day\n"
    path.with_suffix(".srt").write_text(f"{words}\n2\n00:00:01,000 --> 00:00:01,900\nterrible\n")
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser; tests that need it skip where there is none."""
    with a_browser() as found:
        yield found


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages at an address; none of them may break its policy or fail in a script."""
    opened: list[Opened] = []

    def begin(address: str, **options: Any) -> Any:
        opened.append(Opened(browser, **options))
        opened[-1].page.goto(address)
        return opened[-1].page

    yield begin
    for one in opened:
        one.close()
    assert [fault for one in opened for fault in one.faults] == []
