"""affuse: small fusion models that read affect from text, audio and vision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affuse.runtime.predictor import Predictor, load

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for, so that what needs none of it starts at once.
    if name in ("Predictor", "load"):
        from affuse.runtime import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'affuse' has no attribute '{name}'")
