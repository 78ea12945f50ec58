"""What travels between layers, as far as shapes go."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import checks
from ..checks import shown
from ..errors import InputError, NetworkError


@dataclass(frozen=True)
class Signal:
    """The grid of a signal and what is known of the randomness of its values.

    gaussian: the channels are independent centred Gaussians in the limit of infinite width, which
        is what an activation needs; true right after a layer with weights.
    weighted: weights were applied since the network (or the residual branch) began.
    mixed: the channels differ in their variances (after Flatten they come from different
        positions, after Concatenate from different branches), of which only the mean is known: no
        activation can follow.
    centred: the values have mean zero; so have Gaussian ones, and some others.
    hidden: the channels are infinitely many, unlike those of the inputs.
    """

    space: tuple[int, ...]
    gaussian: bool = False
    weighted: bool = False
    mixed: bool = False
    centred: bool = False
    hidden: bool = False

    @property
    def grid(self) -> str:
        """The shape in words, for messages."""
        if not self.space:
            return "a vector (no spatial axes)"
        return "a grid of " + "×".join(map(str, self.space))


CHANNEL_COUNTS = (1, 3, 4)
"""How many channels pictures have: grey, colours, colours with transparency."""

# Axes shorter than this are no picture's, if their lengths differ.
_LONG = 16

_POSITIONS = 2**27


def channels_first(shape: tuple[int, ...]) -> bool:
    """Whether inputs (n, a, b, c) or (n, a, b, c, d) look as if their channels came first.

    They do if the first axis has 1, 3 or 4 places, the last has not, and the last two are equal
    (of at least 5) or both long: a grid of 3 rows with 32 or 48 channels is rarer than a picture.

    >>> channels_first((8, 3, 32, 32)), channels_first((8, 32, 32, 3))
    (True, False)
    """
    if len(shape) not in (4, 5):
        return False
    first, (middle, last) = shape[1], shape[-2:]
    square = middle == last >= 5
    return (
        first in CHANNEL_COUNTS
        and last not in CHANNEL_COUNTS
        and (square or min(shape[2:]) >= _LONG)
    )


def input_signal(input_shape: tuple[int, ...]) -> Signal:
    """The signal of an input of shape (*space, channels).

    Raises:
        NetworkError: not one to four whole numbers of at least 1.
    """
    try:
        shape = checks.sizes(input_shape, "input_shape")
    except InputError:
        shape = ()
    if not 1 <= len(shape) <= 4:
        raise NetworkError(
            f"input_shape must be (*space, channels) with 0 to 3 spatial axes and sizes of at "
            f"least 1, got {shown(input_shape)}; a grey 28×28 image is (28, 28, 1), a vector of "
            "784 features is (784,)"
        )
    if math.prod(shape[:-1]) > _POSITIONS:
        raise NetworkError(
            f"a grid of {math.prod(shape[:-1]):,} positions is more than the {_POSITIONS:,} that "
            "one input may have; use smaller inputs"
        )
    return Signal(shape[:-1])
