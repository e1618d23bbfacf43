"""What a corpus' modalities say against each other, and what fusion makes of it."""

from affuse.explain.ablations import Ablation, ablations
from affuse.explain.conflict import Conflict, ConflictScorer, fit_conflict
from affuse.explain.explainer import explain
from affuse.explain.explanation import Explanation
from affuse.explain.hard import HardSamples, hard_samples
from affuse.explain.judged import ConflictTruth, judge
from affuse.explain.latent import LatentIncongruity, latent_incongruity
from affuse.explain.planted import plant_conflicts
from affuse.explain.readers import Readers, fit_readers
from affuse.explain.robustness import Robustness, over_runs, robustness

__all__ = [
    "Ablation",
    "Conflict",
    "ConflictScorer",
    "ConflictTruth",
    "Explanation",
    "HardSamples",
    "LatentIncongruity",
    "Readers",
    "Robustness",
    "ablations",
    "explain",
    "fit_conflict",
    "fit_readers",
    "hard_samples",
    "judge",
    "latent_incongruity",
    "over_runs",
    "plant_conflicts",
    "robustness",
]
