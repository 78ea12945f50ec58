"""How smooth a kernel's functions are: ‖Φ(x) − Φ(y)‖ against ‖x − y‖, near and far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import array, flag, number, shown, whole, within_memory
from ..errors import InputError
from ..kernels.coerce import Kernels, named_kernels
from ..kernels.inputs import signals
from ..norms import binary_scale, norm
from ..results import Result, Table
from .bounds import Bound, bound
from .checks import of_kernel
from .distances import chosen

if TYPE_CHECKING:
    from ..typing import ArrayLike

# Relative error of the distances, and of ‖x − y‖, beyond which a bound counts as crossed.
_RTOL = 1e-4
RADII = tuple(10.0 ** (k / 2) for k in range(-16, 1))
"""Distances ‖x − y‖/‖x‖ that are measured unless others are given: 1e-8 to 1."""


@dataclass(frozen=True, eq=False)
class Modulus(Result):
    """Feature distances of inputs x and their neighbours y, all divided by ‖x‖.

    Attributes:
        distances: name of the kernel -> ‖Φ(x) − Φ(y)‖/‖x‖, (radii, pairs).
        radii: ‖x − y‖/‖x‖ as it is in floating point, (radii, pairs).
        bounds: name -> what theory says (absent where it says nothing), and its value at
            each of the distances, (radii, pairs).
        sphere: inputs and neighbours lie on the unit sphere.
        fit_below: exponents are fitted to distances up to this one.
    """

    distances: dict[str, np.ndarray]
    radii: np.ndarray
    bounds: dict[str, tuple[Bound, np.ndarray]]
    sphere: bool
    fit_below: float

    def mean(self, name: str) -> np.ndarray:
        """(radii,) the mean over pairs."""
        return of_kernel(self.distances, name).mean(axis=1)

    def sup(self, name: str) -> np.ndarray:
        """(radii,) the largest over pairs: a lower bound on the true supremum."""
        return of_kernel(self.distances, name).max(axis=1)

    def ratio(self, name: str) -> np.ndarray:
        """(radii,) the largest ‖Φ(x) − Φ(y)‖/‖x − y‖ over pairs."""
        return (of_kernel(self.distances, name) / self.radii).max(axis=1)

    @property
    def sizes(self) -> np.ndarray:
        """(radii,) ‖x − y‖/‖x‖, the mean over pairs."""
        return self.radii.mean(axis=1)

    @property
    def exponents(self) -> dict[str, float]:
        """name -> the Hölder exponent: the slope of log mean distance against log ‖x − y‖.

        By least squares over all distances up to `fit_below`; NaN if all features coincide.
        """
        near = self.sizes <= self.fit_below
        found: dict[str, float] = {}
        for name in self.distances:
            mean = self.mean(name)[near]
            found[name] = float("nan")
            if np.all(mean > 0):
                found[name] = float(np.polyfit(np.log(self.sizes[near]), np.log(mean), 1)[0])
        return found

    @property
    def crossings(self) -> dict[str, int]:
        """name -> how many pairs are farther apart than the bound allows (0, if it is one)."""
        return {
            name: int(np.sum(self.distances[name] > (1 + _RTOL) * values))
            for name, (_, values) in self.bounds.items()
        }

    @property
    def title(self) -> str:
        where = "on the unit sphere" if self.sphere else "in any direction"
        return f"Smoothness: how far features move when inputs move {where}"

    @property
    def reading(self) -> str:
        return (
            "In the first panel, the slope of a line on its way to the lower left is the Hölder "
            "exponent: 1/2 means that features move like the square root of a small step, 1 that "
            "they move in proportion; in the second panel, the same divided by the step, a line "
            "that rises to the left has no Lipschitz constant."
        )

    @property
    def summary(self) -> str:
        """The measured numbers."""
        parts = []
        for name, exponent in self.exponents.items():
            ratio = self.ratio(name)
            text = f"{name}: Hölder exponent {exponent:.2f}, ratio {ratio[0]:.3g} at the smallest"
            text += f" step ({self.sizes[0]:.0e}) and {ratio[-1]:.3g} at the largest"
            if name in self.bounds:
                crossed, total = self.crossings[name], self.radii.size
                text += f"; {crossed or 'none'} of {total:,} pairs cross the bound"
            parts.append(text)
        return ". ".join(parts) + "."

    def table(self) -> Table:
        """One row for each distance."""
        columns, values = ["‖x − y‖/‖x‖"], [self.sizes]
        for name in self.distances:
            columns += [f"{name} mean", f"{name} largest", f"{name} ratio"]
            values += [self.mean(name), self.sup(name), self.ratio(name)]
            if name in self.bounds:
                columns.append(f"{name} bound")
                values.append(self.bounds[name][1].max(axis=1))
        return Table(columns, [list(map(float, row)) for row in zip(*values, strict=True)])


@within_memory()
def modulus(
    kernels: Kernels,
    X: ArrayLike,
    radii: ArrayLike = RADII,
    *,
    directions: int = 4,
    count: int | None = 16,
    sphere: bool = True,
    fit_below: float = 1e-3,
    seed: int = 0,
) -> Modulus:
    """Measures ‖Φ(x) − Φ(y)‖ for inputs x and neighbours y at given distances.

    Args:
        kernels: a kernel, or several by name, e.g. {"NTK": NTK(net), "last-layer": NNGP(net)};
            a network stands for these two.
        X: inputs (n, *space, channels); those that are 0 everywhere are left out.
        radii: distances ‖x − y‖/‖x‖, increasing, greater than 0; at most 2 on the sphere.
        directions: random directions (Gaussian, hence uniform) for each input and distance.
        count: how many of the inputs to use, drawn at random; None: all.
        sphere: divide inputs by their norm and move them along the unit sphere (‖x − y‖ is the
            chord); otherwise y = x + r‖x‖d with a random unit vector d.
        fit_below: exponents are fitted to distances up to this one.
        seed: of the directions and the choice of inputs.

    Small distances are accurate (`Kernel.paired_distance`) and cost more: about 10 milliseconds a
    pair for 8×8 images and pooling, a second for 28×28.

    Raises:
        InputError: inputs, radii or kernels that are invalid.

    >>> import numpy as np
    >>> from tangency import NNGP, NTK
    >>> net = "dense relu dense"
    >>> found = modulus({"NTK": NTK(net), "last-layer": NNGP(net)}, np.eye(3))
    >>> {name: round(value, 2) for name, value in found.exponents.items()}
    {'NTK': 0.5, 'last-layer': 1.0}
    >>> found.crossings
    {'NTK': 0, 'last-layer': 0}
    """
    named = named_kernels(kernels)
    sphere, fit_below = flag(sphere, "sphere"), number(fit_below, "fit_below")
    steps = _radii(radii, sphere, fit_below)
    directions, seed = whole(directions, "directions", 1), whole(seed, "seed", 0)
    # Not the stream of default_rng(seed), from which the inputs themselves may have been drawn.
    rng = np.random.default_rng([seed, 1])
    x, norms = _inputs(X, count, sphere, seed)
    shape = (len(steps), directions, *x.shape)
    moves = _directions(rng.normal(size=shape), x if sphere else None)
    y = _neighbours(x, norms, steps, moves, sphere)
    start = np.broadcast_to(x, shape)
    # Neighbours of one input follow each other, which saves time.
    order = [2, 0, 1, *range(3, len(shape))]
    left, right = (np.transpose(a, order).reshape(-1, *x.shape[1:]) for a in (start, y))
    scale = np.repeat(norms, len(steps) * directions)
    actual = _norms(left - right)

    def laid_out(values: np.ndarray) -> np.ndarray:
        by_radius = (values / scale).reshape(len(norms), len(steps), directions)
        return np.moveaxis(by_radius, 1, 0).reshape(len(steps), -1)

    distances, bounds = {}, {}
    smaller = np.minimum(scale, _norms(right))
    for name, kernel in named.items():
        distances[name] = laid_out(kernel.paired_distance(left, right, rtol=_RTOL))
        theory = bound(kernel, sphere)
        if theory is not None:
            bounds[name] = (theory, laid_out(theory.value(smaller, actual)))
    return Modulus(distances, laid_out(actual), bounds, sphere, float(fit_below))


def _neighbours(
    x: np.ndarray, norms: np.ndarray, steps: np.ndarray, moves: np.ndarray, sphere: bool
) -> np.ndarray:
    """What lies at each distance from x in each direction, in the shape of `moves`."""
    step = steps.reshape(-1, *[1] * (moves.ndim - 1))
    if sphere:
        return (1 - step**2 / 2) * x + step * np.sqrt(1 - step**2 / 4) * moves
    return x + step * _column(norms, x.ndim) * moves


def _radii(radii: Any, sphere: bool, fit_below: float) -> np.ndarray:
    steps = array(radii, "radii")
    good = steps.ndim == 1 and len(steps) > 0 and np.all(np.isfinite(steps))
    if not (good and np.all(np.diff(steps) > 0) and steps[0] > 0):
        raise InputError(f"radii must be increasing numbers greater than 0, got {shown(radii)}")
    if sphere and steps[-1] > 2:
        raise InputError(
            f"no two points of the unit sphere are {steps[-1]:g} apart; give radii of at most 2, "
            "or sphere=False"
        )
    if np.sum(steps <= fit_below * (1 + 1e-9)) < 2:
        raise InputError(
            f"an exponent needs two radii of at most fit_below={fit_below:g}; give smaller radii "
            "or raise fit_below"
        )
    return steps


def _inputs(X: Any, count: int | None, sphere: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs in use, on the sphere if asked for, and their norms."""
    x = array(signals(X, None), "X")
    x = x[_norms(x) > 0]
    if len(x) == 0:
        raise InputError("every input is 0 everywhere, so that no relative distance exists")
    if sphere and x[0].size < 2:
        raise InputError("the unit sphere of one dimension is two points; pass sphere=False")
    x = x[chosen(len(x), count, seed)]
    if sphere:
        x = x / _column(binary_scale(x.reshape(len(x), -1), 1)[:, 0], x.ndim)
        x = x / _column(_norms(x), x.ndim)
    return x, _norms(x)


def _directions(noise: np.ndarray, x: np.ndarray | None) -> np.ndarray:
    """Random unit vectors (radii, directions, n, ...), orthogonal to the unit vectors x."""
    flat = noise.reshape(*noise.shape[:3], -1)
    if x is not None:
        unit = x.reshape(len(x), -1)
        # Twice: what rounding leaves of the first projection would matter at 1e-10.
        for _ in range(2):
            flat = flat - np.sum(flat * unit, axis=-1, keepdims=True) * unit
    return (flat / np.linalg.norm(flat, axis=-1, keepdims=True)).reshape(noise.shape)


def _norms(x: np.ndarray) -> np.ndarray:
    return norm(x.reshape(len(x), -1), 1)[:, 0]


def _column(values: np.ndarray, ndim: int) -> np.ndarray:
    return values.reshape(-1, *[1] * (ndim - 1))
