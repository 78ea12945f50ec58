"""Random masks while a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import Layer
from .operators import Drop, Operator
from .values import fixed


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """A mask that keeps each number with probability `keep`, and divides it by that.

    Every input has a mask of its own, drawn anew each time that it enters the network, as in
    training. So Σ and Θ of two inputs are what they are without it; where an input meets itself
    under one mask, on the diagonal of K(X) and in `diag`, both become Σ/keep and Θ/keep at each
    position with itself. The variances q that later activations read are those.

    What counts is the input, not its values: two equal rows of X have masks of their own, and so
    have an input of X and an equal one of another array Y in K(X, Y); K(X, X) of one array is
    K(X). The matrix K(X) is that of features with independent noise, which acts as a ridge;
    predictions, for other arrays, are made without it.

    Args:
        keep: above 0, at most 1.

    Without a mask, as a network is evaluated, it is the identity: leave the layer out.

    Source: the limit of infinite width of Srivastava et al. 2014, as in Novak et al. 2020.

    >>> import numpy as np
    >>> from tangency import NNGP
    >>> NNGP("dense dropout0.5 dense")(np.eye(2))
    array([[2., 0.],
           [0., 2.]])
    """

    keep: float

    token: ClassVar[str] = "dropout"
    lead: ClassVar[str | None] = "keep"
    hint: ClassVar[str] = "Its number is the probability to keep a value, as in Dropout(0.9)"

    def __post_init__(self) -> None:
        keep = fixed(self.keep, "keep", positive=True, most=1.0)
        object.__setattr__(self, "keep", keep)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Drop(self.keep),) if self.keep < 1 else ()

    def on_vectors(self) -> Layer:
        return self
