"""Benchmarks: models side by side on one corpus, and a test part that is opened once a run."""
