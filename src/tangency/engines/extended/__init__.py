"""The reference engine in 32 digits: squared RKHS distances that do not drown in rounding.

K(x,x) + K(y,y) − 2K(x,y) loses as many digits as the distance is small. Here the very same
recursion runs on pairs of floats, about 32 digits, so that 16 may cancel and 16 remain.
"""

from .pairs import differences

__all__ = ["differences"]
