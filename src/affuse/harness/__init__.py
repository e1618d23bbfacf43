"""Benchmarks: models side by side on one corpus, and a test part that is opened once a run."""

REFERENCE = "hct_mg"
"""The model to which the others are compared."""
COMPARED = ("concat", "mult", REFERENCE)
"""The models of a benchmark that is asked for none."""
UNIMODAL = "unimodal"
"""The model of one modality, where there is nothing to fuse."""
