"""The finite network of a description: the same layers with a width, as a PyTorch module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..checks import choice, flag, is_number, items, number, shown, whole
from ..engines.sides import split
from ..errors import InputError, NetworkError
from ..kernels.inputs import checked, signals
from ..kernels.packing import Structured
from ..nets import Layer
from ..nets import Sequential as Network
from ..nets.attached import Attached
from ..nets.coerce import as_network
from ..nets.parameters import numbers_only
from ..nets.plan import Plan, plan
from .assembly import Assembly, readouts
from .inputs import as_tensor, require_values
from .sided import Sides


class FiniteNetwork(nn.Module):
    """A network of finite width in NTK parametrisation; `build` makes it.

    Inputs are (n, *space, channels) or rows (n, prod(input_shape)), tensors or NumPy arrays, and
    are brought to the dtype and device of the parameters; outputs are (n, outputs).

    Attributes:
        net: the description.
        width, outputs: channels of the hidden layers and of the last.
        input_shape: (*space, channels) of one input.
        output_scale: the factor α on the output.
        centred: whether the output at the initial parameters is subtracted.
        layers: the modules of the layers.
    """

    def __init__(
        self,
        net: Network,
        layers: nn.Sequential,
        sizes: tuple[int, int],
        input_shape: tuple[int, ...],
        output: tuple[float, bool],
        structured: tuple[Plan, Sides] | None = None,
    ) -> None:
        super().__init__()
        self._structured = structured
        self.net, self.layers = net, layers
        self.width, self.outputs = sizes
        self.input_shape = input_shape
        self.output_scale, self.centred = output
        self._names = [name for name, _ in layers.named_parameters()] if self.centred else []
        for index, parameter in enumerate(layers.parameters() if self.centred else ()):
            self.register_buffer(f"start_{index}", parameter.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        x = self._signals(x) if self._structured is None else self._values(x, *self._structured)
        f = self.layers(x)
        if self.centred:
            start = {name: self.get_buffer(f"start_{i}") for i, name in enumerate(self._names)}
            f = f - functional_call(self.layers, start, (x,))
        return f if self.output_scale == 1 else self.output_scale * f

    def _signals(self, x: Any) -> Tensor:
        like = next(self.layers.parameters())
        if not isinstance(x, Tensor):
            x = as_tensor(signals(x, self.input_shape))
        if not (x.is_meta and like.is_meta):
            require_values(x, "x")
        shape, wanted = tuple(x.shape), self.input_shape
        if shape[1:] != wanted:
            if len(shape) != 2 or shape[1] != math.prod(wanted):
                sizes = ", ".join(map(str, wanted))
                raise InputError(
                    f"inputs have shape {shape}, but this network takes (n, {sizes}), or rows of "
                    f"{math.prod(wanted)} numbers; a single input x is passed as x[None]"
                )
            x = x.reshape(shape[0], *wanted)
        return x.to(device=like.device, dtype=like.dtype)

    def _values(self, x: Any, steps: Plan, sides: Sides) -> Tensor:
        """The values of inputs with masks or edges; what they have beside is kept in `sides`."""
        attached = steps.attached
        graphs = attached is not None and attached.nodes > 0
        if not isinstance(x, Structured) or (x.adjacency is not None) != graphs:
            kind = "Graphs" if graphs else "Masked"
            raise InputError(f"this network was built for inputs that are {kind}; got {shown(x)}")
        packed = as_tensor(checked(x, self.input_shape).inputs)
        values, side = split(packed, attached)
        like = next(self.layers.parameters())
        assert side is not None
        sides.enter(steps.steps, side, like)
        return values.to(device=like.device, dtype=like.dtype)

    def extra_repr(self) -> str:
        scale = f", output_scale={self.output_scale:g}" if self.output_scale != 1 else ""
        return f"'{self.net}', width={self.width}, outputs={self.outputs}{scale}"


def build(
    net: Network | Layer | str,
    width: int,
    input_shape: Sequence[int],
    outputs: int = 1,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    scale: float = 1.0,
    centred: bool = False,
    inputs: str = "arrays",
) -> FiniteNetwork:
    """The finite network whose infinite-width limit `net` describes, with random parameters.

    Parameters are standard normal, but for layers with learning rates of their own; a layer
    multiplies its weights by weight_std/√(channels in · positions of the patch) and its bias by
    bias_std. As in the kernels, the first layer does not divide by the channels of the input. As
    the width grows, the covariance of the outputs
    over seeds goes to NNGP(net), and the empirical NTK of each output to NTK(net).

    What has no counterpart of finite width is refused by name. `Exponential` and `Polynomial`,
    kernels on patches that no pointwise function has, become random waves and Hermite polynomials
    that are rescaled by the norm of the patch, which is measured over the channels.

    Args:
        net: the network, a single layer, or the text form.
        width: channels of every hidden layer with weights.
        input_shape: (*space, channels) of one input, channels last.
        outputs: channels of the last layer with weights. (An activation after it, as in
            "dense relu", is applied to the outputs: the kernels are then means over seeds, from
            which a single network does not cease to differ.)
        seed: of the parameters; the same seed gives the same network in every dtype, up to
            rounding.
        dtype: torch.float32 or torch.float64.
        scale: a factor on the output. A large one makes training lazy at any width (Chizat,
            Oyallon & Bach 2019); covariance and NTK are multiplied by its square.
        centred: subtract the output at the initial parameters, so that training starts from 0.
        inputs: "arrays", or what the module takes in their place: "masked" (`Masked`) or "graphs"
            (`Graphs`), of up to as many positions or nodes as `input_shape` has.

    Raises:
        NetworkError: layers that do not fit the input, or that end on a grid.
        InputError: a bad width, number of outputs, seed, dtype or scale; a network whose last
            layers leave no place for `outputs`.

    Source: Jacot, Gabriel & Hongler 2018 (NTK parametrisation); Bietti & Mairal 2019, section 2.

    >>> import torch, tangency as tg
    >>> module = tg.finite.build("conv3 relu gap dense", width=64, input_shape=(8, 8, 1))
    >>> module(torch.zeros(5, 8, 8, 1)).shape
    torch.Size([5, 1])
    >>> [tuple(p.shape) for p in module.parameters()]
    [(64, 1, 3, 3), (1, 64)]
    """
    network = numbers_only(as_network(net))
    shape = _shape(input_shape)
    kind = choice(inputs, "inputs", ("arrays", "masked", "graphs"))
    attached = {"arrays": None, "masked": Attached(), "graphs": Attached(shape[0])}[kind]
    steps = plan(network, shape, attached=attached)
    sides = None if attached is None else Sides()
    _require_vectors(steps)
    width, outputs = whole(width, "width", 1), whole(outputs, "outputs", 1)
    generator = torch.Generator().manual_seed(whole(seed, "seed", 0))
    output = (_scale(scale), flag(centred, "centred"))
    if not isinstance(dtype, torch.dtype) or dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype must be torch.float32 or torch.float64, got {shown(dtype)}")
    last = readouts(steps.steps)
    assembly = Assembly(width, outputs, last, (generator, dtype), sides)
    layers = assembly.network(steps.steps, shape[-1])
    structured = None if sides is None else (steps, sides)
    return FiniteNetwork(network, layers, (width, outputs), shape, output, structured)


def _require_vectors(steps: Plan) -> None:
    if steps.space_out:
        grid = "×".join(map(str, steps.space_out))
        raise NetworkError(
            f"the network ends on a grid of {grid}, but its outputs must be a vector; add "
            "GlobalAvgPool() or Flatten(), then Dense() (before them it acts at each position)"
        )


def _shape(input_shape: Any) -> tuple[int, ...]:
    if is_number(input_shape):
        input_shape = (input_shape,)
    try:
        given = items(input_shape, "input_shape")
    except InputError:
        raise InputError(
            f"input_shape must be (*space, channels), as in (28, 28, 1); got {shown(input_shape)}"
        ) from None
    if not given:
        raise InputError(
            "input_shape is empty; it must be (*space, channels), as in (28, 28, 1), or (3,) for "
            "vectors"
        )
    return tuple(whole(n, "input_shape", 1) for n in given)


def _scale(value: Any) -> float:
    try:
        scale = number(value, "scale")
    except InputError:
        scale = 0.0
    if scale == 0:
        raise InputError(f"scale must be a finite number other than 0, got {shown(value)}")
    return scale
