"""What a corpus' modalities say against each other, and what fusion makes of it."""

from affuse.harness.ablations import Ablation, ablations
from affuse.incongruity.conflict import Conflict, ConflictScorer, ConflictTruth, fit_conflict, judge
from affuse.incongruity.explainer import explain
from affuse.incongruity.explanation import Explanation
from affuse.incongruity.hard import HardSamples, hard_samples
from affuse.incongruity.latent import LatentIncongruity, latent_incongruity
from affuse.incongruity.planted import plant_conflicts
from affuse.incongruity.readings import Readers, fit_readers
from affuse.incongruity.robustness import Robustness, over_runs, robustness

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
