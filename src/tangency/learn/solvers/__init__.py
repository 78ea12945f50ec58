"""Ways to fit: Cholesky, a spectrum, conjugate gradients, Nyström, and layerwise features."""

from .options import CG, Cholesky, Eigh, Features, Nystrom
from .rules import Choice, choose_solver

__all__ = ["CG", "Choice", "Cholesky", "Eigh", "Features", "Nystrom", "choose_solver"]
