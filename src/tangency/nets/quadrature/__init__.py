"""Any activation, by quadrature that is right at every variance."""

from .functions import FUNCTIONS
from .layer import Activation
from .series import HermiteSeries

__all__ = ["FUNCTIONS", "Activation", "HermiteSeries"]
