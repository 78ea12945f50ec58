"""How the constants of the stability bound move from network to network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..checks import text
from ..errors import InputError
from ..kernels.coerce import both_kernels
from ..results import Result, Table
from .constants import StabilityConstants, stability_constants

if TYPE_CHECKING:
    from ..typing import ArrayLike, NetworkLike

#: Networks in which one thing moves: for `stability_trends` on images of 8×8 pixels and more.
POOLING_SCALES = {
    f"σ = {s}": f"conv3 relu conv3 relu gauss{s}:stride=1 flatten dense" for s in (1, 2, 3, 4)
}
PATCH_SIZES = {f"{p}×{p}": f"conv{p} relu gauss2 conv3 relu gap dense" for p in (1, 3, 5, 7)}
DEPTHS = {str(n): "conv3 relu " * (n - 1) + "conv3 relu gauss2 flatten dense" for n in (1, 2, 3, 4)}


@dataclass(frozen=True, eq=False)
class StabilityTrends(Result):
    """Fitted constants network by network; made by `stability_trends`.

    Attributes:
        results: network -> `StabilityConstants` of its NTK and its last-layer kernel.
        varied: what moves from network to network, for the title.
    """

    results: Mapping[str, StabilityConstants]
    varied: str

    @property
    def title(self) -> str:
        return f"How the constants move with {self.varied}"

    @property
    def reading(self) -> str:
        return (
            "Larger C₁ and C₂ mean more change under deformations, larger C₃/σₙ more change under "
            "translations; compare the bars of one kernel from left to right."
        )

    @property
    def summary(self) -> str:
        first, *_, last = self.results if len(self.results) > 1 else (*self.results,) * 2
        parts = []
        for name in self.results[first].constants:
            a, b = (self.results[network].constants[name] for network in (first, last))
            parts.append(
                f"{name}: C₁ {a.root:.2g} → {b.root:.2g}, C₂ {a.linear:.2g} → {b.linear:.2g}, "
                f"C₃/σₙ {a.shift / a.scale:.2g} → {b.shift / b.scale:.2g} per pixel"
            )
        return f"From {first} to {last}: {'; '.join(parts)}."

    def table(self) -> Table:
        """One row for each network and kernel."""
        columns = ("network", "kernel", "C₁", "C₂", "C₃", "σₙ", "C₃/σₙ", "relative error")
        rows = [
            (network, name, c.root, c.linear, c.shift, c.scale, c.shift / c.scale, c.error)
            for network, result in self.results.items()
            for name, c in result.constants.items()
        ]
        return Table(columns, rows)


def stability_trends(
    networks: Mapping[str, NetworkLike],
    images: ArrayLike,
    varied: str = "the network",
    **options: Any,
) -> StabilityTrends:
    """The fitted constants of several networks, NTK beside last-layer kernel.

    Args:
        networks: name -> network or text form, as in `POOLING_SCALES`, `PATCH_SIZES`, `DEPTHS`.
        images: as in `stability_constants`.
        varied: what changes, for the title: "the pooling scale".
        options: passed on to `stability_constants`.

    >>> from sklearn.datasets import load_digits
    >>> from tangency.bias.trends import stability_trends
    >>> nets = {"1": "conv3 relu flatten dense", "2": "conv3 relu conv3 relu flatten dense"}
    >>> trends = stability_trends(nets, load_digits().images / 16, "depth", count=2)
    >>> len(trends.table().rows)
    4
    """
    if not isinstance(networks, Mapping) or not networks:
        raise InputError("networks must be given by name, as in {'flat': 'conv3 relu ...'}")
    results = {}
    for name, net in networks.items():
        kernels = both_kernels(net)
        results[str(name)] = stability_constants(kernels, images, **options)
    return StabilityTrends(results, text(varied, "varied"))
