"""Deformations that vary over the image: one wave, and smooth Gaussian random fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...checks import number, whole, within_memory
from ...errors import InputError
from .base import Deformation
from .checks import finite_tuple, spatial_axes, spatial_shape


@dataclass(frozen=True)
class Sinusoidal(Deformation):
    """One wave: τ(u) = amplitude · sin(2π⟨frequency, u⟩ + phase).

    Args:
        amplitude: largest displacement in pixels, one number per axis.
        frequency: waves per pixel, one number per axis.
        phase: in radians.

    >>> from tangency.bias.deformations import Sinusoidal
    >>> tau = Sinusoidal((0.5, 0.0), (0.0, 0.125))  # rows move up and down, period 8 pixels
    >>> round(tau.gradient_norm((8, 8)), 6)  # 0.5 · 2π/8
    0.392699
    """

    amplitude: tuple[float, ...]
    frequency: tuple[float, ...]
    phase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("amplitude", "frequency"):
            object.__setattr__(self, name, finite_tuple(getattr(self, name), name))
        object.__setattr__(self, "phase", number(self.phase, "phase"))
        if len(self.amplitude) != len(self.frequency):
            raise InputError(
                f"amplitude has {len(self.amplitude)} numbers and frequency "
                f"{len(self.frequency)}; give one per axis in both"
            )

    @property
    def dims(self) -> int:
        return len(self.amplitude)

    @property
    def exact(self) -> bool:
        return True

    def _angle(self, u: np.ndarray) -> np.ndarray:
        return 2 * math.pi * (u @ np.array(self.frequency)) + self.phase

    def _tau(self, u: np.ndarray) -> np.ndarray:
        return np.sin(self._angle(u))[:, None] * np.array(self.amplitude)

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        outer = 2 * math.pi * np.outer(self.amplitude, self.frequency)
        return np.cos(self._angle(u))[:, None, None] * outer

    def sup_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        low, high = self._angles(shape)
        return math.hypot(*self.amplitude) * _largest_sine(low, high)

    def gradient_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        low, high = self._angles(shape)
        # The matrix amplitude ⊗ frequency has rank one: its norm is the product of the lengths.
        steepest = 2 * math.pi * math.hypot(*self.amplitude) * math.hypot(*self.frequency)
        return steepest * _largest_sine(low + math.pi / 2, high + math.pi / 2)

    def _angles(self, shape: Sequence[int] | int) -> tuple[float, float]:
        """The interval of angles that occur between the outermost pixels' centres."""
        sizes = spatial_shape(shape, self.dims)
        pairs = zip(self.frequency, sizes, strict=True)
        reach = math.pi * sum(abs(f) * (n - 1) for f, n in pairs)
        return self.phase - reach, self.phase + reach

    def _times(self, factor: float) -> Deformation:
        return replace(self, amplitude=tuple(factor * value for value in self.amplitude))


def _largest_sine(low: float, high: float) -> float:
    """max |sin| over [low, high]: 1 where the interval holds a crest, π/2 + kπ."""
    crest = math.ceil(low / math.pi - 0.5)
    if math.pi * (crest + 0.5) <= high:
        return 1.0
    return max(abs(math.sin(low)), abs(math.sin(high)))


@dataclass(frozen=True)
class RandomField(Deformation):
    """A smooth Gaussian random field: an "elastic" deformation as in Infinite MNIST.

    The components of τ are independent, of mean 0 and covariance
    amplitude² · exp(−|u − v|²/(2·correlation²)). The field is a sum of `waves` waves with Gaussian
    weights and Gaussian frequencies (random Fourier features), so it is smooth everywhere, its
    gradient is exact, and every draw is Gaussian given its frequencies. Its norms are suprema
    over the pixels (see `sup_norm`).

    Args:
        correlation: correlation length in pixels.
        amplitude: standard deviation of each component of the displacement, in pixels.
        seed: a whole number; the same seed gives the same field.
        axes: 1 for signals, 2 for images.
        waves: of how many waves the field is made; with few, it is far from Gaussian over seeds.

    Source: Simard, Steinkraus & Platt 2003; Loosli, Canu & Bottou 2007; Rahimi & Recht 2007.

    >>> from tangency.bias.deformations import RandomField
    >>> tau = RandomField(3.0, seed=1).scale_to((8, 8), gradient=0.2)
    >>> round(tau.gradient_norm((8, 8)), 12)
    0.2
    """

    correlation: float
    amplitude: float = 1.0
    seed: int = 0
    axes: int = 2
    waves: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "correlation", number(self.correlation, "correlation", above=0))
        object.__setattr__(self, "amplitude", number(self.amplitude, "amplitude"))
        object.__setattr__(self, "seed", whole(self.seed, "seed", 0))
        object.__setattr__(self, "waves", whole(self.waves, "waves", 1))
        spatial_axes(self.axes)

    @property
    def dims(self) -> int:
        return self.axes

    def _tau(self, u: np.ndarray) -> np.ndarray:
        frequencies, cosines, sines = _waves(self.seed, self.axes, self.waves)
        angle = u @ frequencies.T / self.correlation
        return self.amplitude * (np.cos(angle) @ cosines + np.sin(angle) @ sines)

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        frequencies, cosines, sines = _waves(self.seed, self.axes, self.waves)
        angle = u @ frequencies.T / self.correlation
        slopes = np.cos(angle)[:, :, None] * sines - np.sin(angle)[:, :, None] * cosines
        return self.amplitude / self.correlation * np.einsum("mwa,wb->mab", slopes, frequencies)

    def _times(self, factor: float) -> Deformation:
        return replace(self, amplitude=factor * self.amplitude)


@lru_cache(maxsize=256)
@within_memory()
def _waves(seed: int, axes: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies (count, axes) for correlation 1, weights of cosines and sines (count, axes)."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((3, count, axes))
    return drawn[0], drawn[1] / math.sqrt(count), drawn[2] / math.sqrt(count)
