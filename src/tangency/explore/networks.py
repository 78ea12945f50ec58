"""From the page's controls to the text of a network and back, and the ready networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from ..errors import NetworkError
from ..kernels.work import vector_plan
from ..nets import Sequential, parse
from ..nets.presets import ckn, cntk, densenet, mlp, myrtle, vit, wide_resnet

CONVOLUTIONS, DENSE = "convolutions", "dense"
ACTIVATIONS = ("relu", "abs", "erf", "gelu", "sin", "rbf")
POOLS = ("gauss", "avg")
READOUTS = ("gap", "flatten")
DEPTHS, FACTORS = (1, 6), (1, 4)


@dataclass(frozen=True)
class Controls:
    """What the page's sliders and switches say.

    depth: activations. pool, factor: pooling between convolutions, none for a factor of 1.
    readout: how the grid ends, for convolutions.
    """

    kind: str = CONVOLUTIONS
    depth: int = 2
    activation: str = "relu"
    pool: str = "gauss"
    factor: int = 2
    readout: str = "gap"

    def text(self, space: tuple[int, ...]) -> str:
        """The network in text form, for inputs on this grid.

        >>> Controls().text((8, 8))
        'conv3 relu gauss2 conv3 relu gap dense'
        >>> Controls(kind="dense", activation="erf").text(())
        'dense erf dense erf dense'
        """
        if self.kind == DENSE or not space:
            first = "flatten " if space else ""
            return first + f"dense {self.activation} " * self.depth + "dense"
        between = f"{self.pool}{self.factor} " if self.factor > 1 else ""
        layers = between.join([f"conv3 {self.activation} "] * self.depth)
        return f"{layers}{self.readout} dense"


def controls_of(text: str, space: tuple[int, ...]) -> Controls | None:
    """The controls that give a network, None for one that they cannot give.

    >>> controls_of("conv3  erf gap dense", (8, 8)).activation
    'erf'
    >>> controls_of("conv5 erf gap dense", (8, 8)) is None
    True
    """
    return _known(space).get(" ".join(text.split()))


@cache
def _known(space: tuple[int, ...]) -> dict[str, Controls]:
    # Later ones win: those without pooling are written with the kind that comes first.
    every = [controls for controls in _all() if space or controls.kind == DENSE]
    return {controls.text(space): controls for controls in reversed(every)}


def _all() -> Iterator[Controls]:
    kinds, depths = (CONVOLUTIONS, DENSE), range(DEPTHS[0], DEPTHS[1] + 1)
    factors = range(FACTORS[0], FACTORS[1] + 1)
    for parts in product(kinds, depths, ACTIVATIONS, POOLS, factors, READOUTS):
        yield Controls(*parts)


_FOR_GRIDS: dict[str, Callable[[], Sequential]] = {
    "ckn()": ckn,
    "cntk(3)": lambda: cntk(3),
    'cntk(3, "flatten")': lambda: cntk(3, "flatten"),
    "myrtle(5)": lambda: myrtle(5),
    "wide_resnet(groups=1)": lambda: wide_resnet(groups=1),
    "densenet(blocks=1, layers=2)": lambda: densenet(blocks=1, layers=2),
    "vit(patch=2, blocks=1)": lambda: vit(patch=2, blocks=1),
    "mlp(3)": lambda: Sequential(*parse("flatten").layers, *mlp(3).layers),
}
_FOR_VECTORS: dict[str, Callable[[], Sequential]] = {
    "mlp(2)": lambda: mlp(2),
    "mlp(3)": lambda: mlp(3),
    "mlp(5)": lambda: mlp(5),
    "mlp(3, bias_std=0.5)": lambda: mlp(3, bias_std=0.5),
}


def presets(shape: tuple[int, ...]) -> dict[str, str]:
    """name -> text of the ready networks that take inputs of this shape.

    >>> list(presets((30,)))
    ['mlp(2)', 'mlp(3)', 'mlp(5)', 'mlp(3, bias_std=0.5)']
    """
    makers = _FOR_GRIDS if len(shape) > 1 else _FOR_VECTORS
    return {name: str(net) for name, make in makers.items() if _fits(net := make(), shape)}


def _fits(net: Sequential, shape: tuple[int, ...]) -> bool:
    try:
        vector_plan(net, shape)
    except NetworkError:
        return False
    return True


def start(shape: tuple[int, ...]) -> str:
    """The network that the page begins with: the first of these that takes the inputs."""
    space = shape[:-1]
    some = (Controls(), Controls(factor=1), Controls(kind=DENSE))
    texts = [controls.text(space) for controls in some]
    return next((text for text in texts if _fits(parse(text), shape)), texts[-1])
