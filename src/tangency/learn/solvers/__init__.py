"""Ways to fit: Cholesky, a spectrum, conjugate gradients, and the Nyström approximation."""

from .options import CG, Cholesky, Eigh, Nystrom
from .rules import Choice, choose_solver

__all__ = ["CG", "Choice", "Cholesky", "Eigh", "Nystrom", "choose_solver"]
