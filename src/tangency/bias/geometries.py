"""What a kernel finds near an image, network by network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..kernels.coerce import both_kernels
from ..results import Result, Table
from .geometry import Geometry, geometry

if TYPE_CHECKING:
    from ..typing import ArrayLike, NetworkLike

#: Networks that differ in their pooling only, for images of 8×8 pixels and more.
POOLINGS = {
    "no pooling": "conv3 relu conv3 relu flatten dense",
    "pooling 2": "conv3 relu conv3 relu gauss2 flatten dense",
    "pooling 4": "conv3 relu conv3 relu gauss4 flatten dense",
    "mean over all": "conv3 relu conv3 relu gap dense",
}


@dataclass(frozen=True, eq=False)
class Geometries(Result):
    """`Geometry` network by network; made by `geometries`.

    Attributes:
        results: network -> `Geometry` of its NTK and its last-layer kernel.
    """

    results: Mapping[str, Geometry]

    @property
    def title(self) -> str:
        return "What a kernel finds near an image, by network"

    @property
    def reading(self) -> str:
        return (
            "Each column is a network, each row one of its two kernels: the more stable a kernel, "
            "the lower its deformed copies compared with the grey lines of the classes."
        )

    @property
    def summary(self) -> str:
        parts = []
        for network, result in self.results.items():
            shares = ", ".join(
                f"{name} {n.deformed[-1] / n.same:.2f}" for name, n in result.neighbours.items()
            )
            parts.append(f"{network}: {shares}")
        strength = next(iter(self.results.values())).strengths[-1]
        return (
            f"Distance to deformations with ‖∇τ‖ = {strength:.2g} over the distance to the same "
            f"class: {'; '.join(parts)}."
        )

    def table(self) -> Table:
        """One row for each network and kernel, deformations at the greatest strength."""
        columns = (
            "network",
            "kernel",
            "deformation",
            "deformation and translation",
            "translation",
            "same class",
            "other classes",
        )
        rows = [
            (net, name, n.deformed[-1], n.both[-1], n.translated, n.same, n.other)
            for net, result in self.results.items()
            for name, n in result.neighbours.items()
        ]
        return Table(columns, rows)


def geometries(
    networks: Mapping[str, NetworkLike], images: ArrayLike, labels: ArrayLike, **options: Any
) -> Geometries:
    """`geometry` for several networks, NTK beside last-layer kernel.

    Args:
        networks: name -> network or text form, as in `POOLINGS`.
        images, labels, options: as in `geometry`.

    Raises:
        InputError: as `geometry`, or no networks.
    """
    if not isinstance(networks, Mapping) or not networks:
        raise InputError("networks must be given by name, as in {'flat': 'conv3 relu ...'}")
    results = {}
    for name, net in networks.items():
        kernels = both_kernels(net)
        results[str(name)] = geometry(kernels, images, labels, **options)
    return Geometries(results)
