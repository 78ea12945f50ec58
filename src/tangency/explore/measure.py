"""From a state to numbers: one function for each thing that the page shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..bias.deformations import deform
from ..bias.distances import PRECISION, cross_distances, moved_distances
from ..bias.mercer import SpectrumComparison
from ..bias.spectrum import spectrum
from ..bias.zonal import sphere_kernel
from ..errors import InputError
from ..kernels import gram
from ..kernels.coerce import both_kernels
from ..kernels.kinds import labelled
from ..nets import Sequential, parse
from ..report.learning import LearningCurves, measure_learning
from ..report.material import work
from ..report.matrices import KernelMatrices
from ..report.measured import dense_version, is_dense
from ..report.sections import groups
from .results import Moved, Nearest, Neighbour, Profile
from .state import Motion, State
from .subject import SEED, Subject

Tick = Callable[[float], None]
"""Told how much of a matrix is done, from 0 to 1; it stops the work by raising an error."""

POINTS, DEGREE, NEAR, STEPS, DRAWS = 201, 30, 5, 8, 5
# Multiply-adds between two ticks, about a quarter of a second.
_BETWEEN = 2e9


@lru_cache(maxsize=32)
def network(text: str) -> Sequential:
    """The network that a text describes; raises `NetworkError`."""
    return parse(text)


def on_sphere(net: Sequential) -> tuple[Sequential, bool]:
    """The dense network whose kernels are functions of the cosine, and whether it is `net`."""
    return dense_version(net), is_dense(net)


def profile(subject: Subject, state: State) -> Profile:
    """Both kernels of the dense network as functions of the cosine."""
    net, own = on_sphere(network(state.net))
    u = np.linspace(-1, 1, POINTS)
    values = {name: sphere_kernel(k)(u) for name, k in both_kernels(net).items()}
    return Profile(u, values, str(net), own)


def spectra(subject: Subject, state: State) -> SpectrumComparison:
    """Their eigenvalues on the sphere, degree by degree."""
    return spectrum(both_kernels(on_sphere(network(state.net))[0]), state.dim, DEGREE)


def matrices(subject: Subject, state: State, tick: Tick) -> dict[str, np.ndarray]:
    """Both kernels between the examples, (n, n), in blocks between which it can be stopped."""
    net, X = network(state.net), subject.X[subject.rows(state.examples)]
    n = len(X)
    total = n * (n + 1) / 2
    blocks = int(np.clip(round(total * work(net, subject.shape) / _BETWEEN), 1, max(1, n // 4)))
    tick(0.0)
    if blocks == 1:
        return labelled(gram(net, X))
    # Below the diagonal, rows of about as many pairs each.
    cuts = np.unique(np.round(n * np.sqrt(np.linspace(0, 1, blocks + 1))).astype(int))
    found = {name: np.empty((n, n)) for name in labelled(gram(net, X[:1]))}
    for start, stop in pairwise(cuts.tolist()):
        for name, part in labelled(gram(net, X[start:stop], X[:stop])).items():
            found[name][start:stop, :stop] = part
            found[name][:stop, start:stop] = part.T
        tick(stop * (stop + 1) / 2 / total)
    return found


def by_class(subject: Subject, state: State, kernels: dict[str, np.ndarray]) -> KernelMatrices:
    """The matrices sorted by class, or by quarters of the target."""
    labels, names = groups(subject.data, subject.y, subject.rows(state.examples))
    return KernelMatrices(kernels, labels, names, f"{subject.noun}s")


def learning(subject: Subject, state: State, kernels: dict[str, np.ndarray]) -> LearningCurves:
    """Learning curves cut out of the matrices."""
    if subject.y is None:
        raise InputError("the data have no labels to learn")
    y = subject.y[subject.rows(state.examples)]
    words = {"network": state.net, "examples": f"{subject.noun}s"}
    return measure_learning(kernels, y, None, DRAWS, SEED, **words)


def nearest(subject: Subject, state: State) -> Nearest:
    """The nearest of the other examples, for each kernel."""
    row, others = state.image, _others(subject, state)
    found = {}
    for name, kernel in both_kernels(network(state.net)).items():
        distances = cross_distances(kernel, subject.X[[row]], subject.X[others])[0]
        found[name] = _nearest(subject, others, distances)
    alike = None
    if subject.classes is not None:
        own = subject.classes[row]
        alike = {
            name: float(np.mean([subject.classes[one.row] == own for one in near]))
            for name, near in found.items()
        }
    return Nearest(row, subject.name(row), subject.noun, len(others), found, alike)


def _others(subject: Subject, state: State) -> np.ndarray:
    """The compared examples but the one that is looked at; raises `InputError` without any."""
    others = np.setdiff1d(subject.rows(state.examples), [state.image])
    if len(others) == 0:
        raise InputError(f"there is no other {subject.noun} to compare it with")
    return others


def _nearest(
    subject: Subject, others: np.ndarray, distances: np.ndarray, count: int = NEAR
) -> list[Neighbour]:
    order = np.argsort(distances, kind="stable")[:count]
    rows = [(int(others[i]), float(distances[i])) for i in order]
    return [Neighbour(row, subject.name(row), distance) for row, distance in rows]


def moved(subject: Subject, state: State) -> Moved:
    """The image on its way through the deformation, and what it comes near to."""
    if len(subject.space) != 2:
        raise InputError(f"only images can be deformed, and these are {subject.noun}s")
    row, others = state.image, _others(subject, state)
    x = subject.X[[row]]
    tau = state.motion.field(subject.space)[0]
    shares = np.linspace(0, 1, STEPS + 1)[1:]
    copies = np.stack([deform(x, t * tau, antialias=0) for t in shares])
    found: dict[str, dict[str, Any]] = {part: {} for part in ("way", "near", "same", "other")}
    for name, kernel in both_kernels(network(state.net)).items():
        still = state.motion == Motion()
        way = np.zeros(STEPS) if still else moved_distances(kernel, x, copies)[:, 0]
        found["way"][name] = way
        # Relative to the deformed image's own norm, which orders them in the same way.
        last = np.asarray(kernel.distance(copies[-1], subject.X[others], rtol=PRECISION))[0]
        found["near"][name] = _nearest(subject, others, last, 1)[0]
        if subject.classes is not None:
            distances = cross_distances(kernel, x, subject.X[others])[0]
            same = subject.classes[others] == subject.classes[row]
            if same.any() and not same.all():
                found["same"][name] = float(distances[same].mean())
                found["other"][name] = float(distances[~same].mean())
    gradient, displacement = tau.gradient_norm(subject.space), tau.sup_norm(subject.space)
    start = {name: np.concatenate([[0.0], way]) for name, way in found["way"].items()}
    return Moved(
        *(row, subject.name(row), np.concatenate([[0.0], shares]), start),
        np.concatenate([x, copies[:, 0]]),
        *(gradient, displacement, found["near"], found["same"], found["other"]),
    )
