"""What travels between layers, as far as shapes go."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NetworkError


@dataclass(frozen=True)
class Signal:
    """The grid of a signal and what is known of the randomness of its values.

    gaussian: the channels are independent centred Gaussians in the limit of infinite width, which
        is what an activation needs; true right after a layer with weights.
    weighted: weights were applied since the network (or the residual branch) began.
    mixed: the entries of a vector come from positions of different variances (after Flatten), of
        which only the mean is known: no activation can follow.
    """

    space: tuple[int, ...]
    gaussian: bool = False
    weighted: bool = False
    mixed: bool = False

    @property
    def grid(self) -> str:
        """The shape in words, for messages."""
        if not self.space:
            return "a vector (no spatial axes)"
        return "a grid of " + "×".join(map(str, self.space))


def input_signal(input_shape: tuple[int, ...]) -> Signal:
    """The signal of an input of shape (*space, channels).

    Raises:
        NetworkError: not one to four whole numbers of at least 1.
    """
    shape = tuple(input_shape)
    good = all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in shape)
    if not good or not 1 <= len(shape) <= 4:
        raise NetworkError(
            f"input_shape must be (*space, channels) with 0 to 3 spatial axes and sizes of at "
            f"least 1, got {input_shape!r}; a grey 28×28 image is (28, 28, 1), a vector of 784 "
            "features is (784,)"
        )
    return Signal(shape[:-1])
