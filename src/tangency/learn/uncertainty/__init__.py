"""How sure predictions may be, and whether they are right to be as sure as they say.

- `jackknife`: conformal intervals of ridge regression, by leave-one-out in closed form
- `temperature`: probabilities of classes by a softmax whose temperature suits held-out scores
- `calibration`: scores of both on new samples; `scores`: their formulas; `results`
"""

from .calibration import calibration
from .jackknife import Intervals
from .results import ClassCalibration, ClassScores, IntervalScores, RegressionCalibration

__all__ = [
    "ClassCalibration",
    "ClassScores",
    "IntervalScores",
    "Intervals",
    "RegressionCalibration",
    "calibration",
]
