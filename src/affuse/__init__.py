"""affuse: small fusion models that read affect from text, audio and vision."""

__version__ = "0.1.0"
