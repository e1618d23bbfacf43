"""Exported models at work, by onnxruntime. Nothing here imports torch."""
