"""The kernels behind every layer of a network, and how they change with depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace

from ..engines.engine import Wanted
from ..engines.layers import layer_grams
from ..errors import InputError
from ..nets.coerce import as_network
from ..nets.operators import Need
from ..nets.plan import plan
from ..results import Result, Table
from .inputs import prepared_inputs

if TYPE_CHECKING:
    from ..typing import Array, Inputs, NetworkLike

_KINDS = Wanted._fields


@dataclass(frozen=True)
class LayerKernels(Result):
    """Σ and Θ after each layer of a network; made by `layer_kernels`.

    Attributes:
        net: the text of the network.
        layers: the texts of its layers, L of them.
        nngp, ntk: (L, n, n); on a grid the mean over positions u of Σ[u, u] and Θ[u, u].
    """

    net: str
    layers: tuple[str, ...]
    nngp: Array = field(repr=False)
    ntk: Array = field(repr=False)

    @property
    def title(self) -> str:
        return "Kernels behind each layer"

    @property
    def reading(self) -> str:
        return (
            "Cosines K(x, y)/√(K(x, x)K(y, y)) of all pairs of inputs behind each layer: the line "
            "is the median, the band holds 80 % of the pairs. Where all are near 1 the layers "
            "above cannot tell inputs apart."
        )

    @property
    def summary(self) -> str:
        first, last = self.cosines("nngp")[[0, -1]]
        return (
            f"Between the first layer and the last the median cosine of the last-layer kernel goes "
            f"from {np.median(first):.3g} to {np.median(last):.3g}."
        )

    def cosines(self, kind: str) -> np.ndarray:
        """K(x, y)/√(K(x, x)K(y, y)) of all pairs x ≠ y behind each layer, (L, n(n−1)/2).

        kind: "nngp" or "ntk". Zero where a kernel is (Θ before the first trained layer).
        """
        if kind not in _KINDS:
            raise InputError(f"kind must be 'nngp' or 'ntk', got {kind!r}")
        values: Any = self.nngp if kind == "nngp" else self.ntk
        values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, float)
        size = np.sqrt(np.diagonal(values, axis1=1, axis2=2))
        norms = size[:, :, None] * size[:, None, :]
        cosines = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
        return cosines[:, *np.triu_indices(values.shape[1], k=1)]

    def table(self) -> Table:
        columns = ("layer", "text", "K(x,x) nngp", "cosine nngp", "K(x,x) ntk", "cosine ntk")
        pairs = []
        for kind in _KINDS:
            values = getattr(self, kind)
            sizes = [float(values[k].diagonal().mean()) for k in range(len(self.layers))]
            pairs += [sizes, np.median(self.cosines(kind), axis=1)]
        rows = [
            (str(k + 1), text, *(f"{column[k]:.4g}" for column in pairs))
            for k, text in enumerate(self.layers)
        ]
        return Table(columns, rows)


def layer_kernels(net: NetworkLike, X: Inputs) -> LayerKernels:
    """The kernels of a network cut off after each of its layers, in one pass.

    Args:
        net: a network, or its text; layers inside branches count with the layer they are in. It
            may end on a grid.
        X: inputs (n, *space, channels), at least two.

    Returns:
        A `LayerKernels`. Behind the last layer they are those of `gram`.

    Raises:
        InputError: less than two inputs, or bad ones. NetworkError: layers that do not fit.

    >>> import numpy as np
    >>> from tangency import layer_kernels
    >>> found = layer_kernels("dense relu dense", np.eye(2))
    >>> print(found.table())
    layer   text  K(x,x) nngp  cosine nngp  K(x,x) ntk  cosine ntk
        1  dense            1            0           1           0
        2   relu            1       0.3183           1           0
        3  dense            1       0.3183           2      0.1592
    """
    network = as_network(net)
    given, _ = prepared_inputs(network, X, None, None)
    x: Any = given.inputs
    if len(x) < 2:
        raise InputError(f"layer_kernels compares inputs; give at least two, got {len(x)}")
    steps = plan(network, given.input_shape, Need.DIAGONAL, given.attached)
    found = layer_grams(steps, x)
    xp = array_namespace(x)
    texts = tuple(str(step.layer) for step in steps.steps if step.part == 0)
    return LayerKernels(
        str(network), texts, *(xp.stack([pair[k] for pair in found]) for k in range(2))
    )
