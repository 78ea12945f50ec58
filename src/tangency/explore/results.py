"""What the page shows and no other part of the library does: profiles, neighbours, a moved image.

Like all results they have a title, how to read the figure, what was found, and a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..results import Table


@dataclass(frozen=True, eq=False)
class Profile:
    """Kernels as functions of the cosine: u (m,), values name -> κ(u) (m,), u from −1 to 1.

    net: the dense network that they belong to. own: whether that is the network of the page.
    """

    u: np.ndarray
    values: Mapping[str, np.ndarray]
    net: str
    own: bool

    @property
    def title(self) -> str:
        return "Profile κ(u)"

    @property
    def reading(self) -> str:
        text = (
            "How similar two inputs of norm 1 are to a dense network, against their cosine u, as a "
            "share of κ(1). A steep end at u = 1 tells near inputs apart; a flat line hardly "
            "tells any."
        )
        return text if self.own else f"{text} Shown for the dense network {self.net}."

    @property
    def summary(self) -> str:
        found = [
            f"{name}: κ(1) = {values[-1]:.4g}, κ(0)/κ(1) = {self.share(name)[self.middle]:.3f}"
            for name, values in self.values.items()
        ]
        return f"{'; '.join(found)}."

    @property
    def middle(self) -> int:
        """Where u is 0."""
        return len(self.u) // 2

    def share(self, name: str) -> np.ndarray:
        """(m,) κ(u)/κ(1); zeros for a kernel that is 0."""
        values = self.values[name]
        return values / values[-1] if values[-1] else np.zeros_like(values)

    def table(self) -> Table:
        columns = ["u", *self.values]
        step = max(1, (len(self.u) - 1) // 20)
        shown = range(0, len(self.u), step)
        return Table(
            columns, [[float(self.u[i]), *(v[i] for v in self.values.values())] for i in shown]
        )


@dataclass(frozen=True)
class Neighbour:
    """An example near another one: its row, its label in words, its relative distance."""

    row: int
    label: str
    distance: float


@dataclass(frozen=True, eq=False)
class Nearest:
    """What lies near an example: kernel -> its nearest others among `count`, the nearest first.

    label: of the example at `row`. alike: kernel -> share of the nearest with its label, None
    where labels are no classes.
    """

    row: int
    label: str
    noun: str
    count: int
    found: Mapping[str, Sequence[Neighbour]]
    alike: Mapping[str, float] | None

    @property
    def title(self) -> str:
        return f"What lies near an {self.noun}" if self.noun[0] in "ei" else f"Near a {self.noun}"

    @property
    def reading(self) -> str:
        return (
            f"The nearest of {self.count} other {self.noun}s in each kernel's feature space, with "
            "their distance ‖Φ(y) − Φ(x)‖/‖Φ(x)‖. Choose one to see what lies near it."
        )

    @property
    def summary(self) -> str:
        parts = []
        for name, near in self.found.items():
            text = f"{name}: {near[0].distance:.3f} to the nearest, {near[0].label}"
            if self.alike is not None:
                text += f"; {100 * self.alike[name]:.0f} % of the nearest {len(near)} are of class "
                text += self.label
            parts.append(text)
        return f"{'. '.join(parts)}."

    def table(self) -> Table:
        rows = [
            (name, one.row, one.label, one.distance)
            for name, near in self.found.items()
            for one in near
        ]
        return Table(("kernel", "row", "label", "relative distance"), rows)


@dataclass(frozen=True, eq=False)
class Moved:
    """An image on its way through a deformation t·τ, t from 0 to 1.

    shares: (s,) the t. distances: kernel -> (s,) ‖Φ(x_t) − Φ(x)‖/‖Φ(x)‖. images: (s, ...) the x_t.
    gradient, displacement: ‖∇τ‖ and ‖τ‖ in pixels. near: kernel -> what is nearest to the last.
    same, other: kernel -> mean distance of x to its class and to others, where there are both.
    """

    row: int
    label: str
    shares: np.ndarray
    distances: Mapping[str, np.ndarray]
    images: np.ndarray
    gradient: float
    displacement: float
    near: Mapping[str, Neighbour]
    same: Mapping[str, float]
    other: Mapping[str, float]

    @property
    def title(self) -> str:
        return "An image as it is deformed"

    @property
    def reading(self) -> str:
        return (
            "How far the image moves in each kernel's feature space on its way from t = 0 to the "
            "deformation that is set, t = 1. Thin lines: the mean distance to its class (dotted) "
            "and to other classes (dashed)."
        )

    @property
    def summary(self) -> str:
        size = f"‖∇τ‖ = {self.gradient:.2f}, ‖τ‖ = {self.displacement:.2f} pixels"
        found = [
            f"{name}: distance {values[-1]:.3f}, nearest to {self.near[name].label}"
            for name, values in self.distances.items()
        ]
        return f"{size}. {'; '.join(found)}."

    def table(self) -> Table:
        rows = zip(self.shares.tolist(), *self.distances.values(), strict=True)
        return Table(("t", *self.distances), list(rows))
