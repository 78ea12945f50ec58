"""Choosing a network's continuous parameters, its noise and its input scales by gradients.

- `objectives`: what a kernel matrix is judged by; `free`: which parameters, within what bounds
- `problem`: the objective of their logarithms; `descent`: L-BFGS from several starts; `record`:
  what it asked for, in a file
- `choice`: `tune`; `tuned`: what it found; `scaling`: input scales in front of an estimator
"""

from .choice import tune
from .tuned import Profile, Tuned

__all__ = ["Profile", "Tuned", "tune"]
