"""Layers made of layers, and the elementwise rescalings between them."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .. import checks
from ..errors import NetworkError
from .base import Layer, check_identity, number, shown, truth
from .meeting import Sum
from .operators import Normalize, Operator, Scale
from .signal import Signal, input_signal

_NESTING = 50
_LONG = 400


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Layer):
    """A network: layers applied one after the other. A Sequential inside is spliced in.

    Args:
        layers: any layers of this library.

    Indexing gives a layer, slicing a network (its first layers are the network whose kernel is
    the kernel of a hidden layer).

    >>> from tangency import Conv, Dense, GlobalAvgPool, ReLU, Sequential, parse
    >>> net = Sequential(Conv(3), ReLU(), GlobalAvgPool(), Dense())
    >>> print(net)
    conv3 relu gap dense
    >>> net == parse("conv3 relu gap dense")
    True
    >>> net.output_shape((28, 28, 1))
    ()
    >>> net[:2].output_shape((28, 28, 1))
    (28, 28)
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        spliced: list[Layer] = []
        for layer in layers:
            if not isinstance(layer, Layer):
                raise NetworkError(_no_layer(layer))
            check_identity(layer)
            spliced.extend(layer.layers if isinstance(layer, Sequential) else [layer])
        object.__setattr__(self, "layers", tuple(spliced))

    def infer(self, signal: Signal) -> Signal:
        for index, layer in enumerate(self.layers):
            try:
                signal = layer.infer(signal)
            except NetworkError as error:
                if len(str(error)) > _LONG:
                    raise  # the layers inside say enough; each one around them would add a line
                raise NetworkError(
                    f"layer {index + 1}, {shown(layer)}, cannot take {signal.grid}: {error}"
                ) from None
        return signal

    def on_vectors(self) -> Sequential | None:
        found = [new for layer in self.layers if (new := layer.on_vectors()) is not None]
        return Sequential(*found) if found else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The spatial shape of the output, () for a vector, for inputs (*space, channels).

        Raises:
            NetworkError: layers that do not fit; the message names the layer, the shape that
                reached it and the remedy.
        """
        return self.infer(input_signal(input_shape)).space

    def summary(self, input_shape: tuple[int, ...]) -> str:
        """A table of the layers: the shape of Σ each works on, and its cost for a pair of inputs.

        >>> from tangency import parse
        >>> print(parse("dense relu dense").summary((784,)))
        layer  output  Σ for a pair  operations
        input  vector  1                    784
        dense  vector  1                      4
        relu   vector  1                     40
        dense  vector  1                      4
        total                               832
        """
        from .summary import summary_table

        return summary_table(self, input_shape)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(*self.layers[index])
        return self.layers[checks.whole(index, "the place of a layer", error=NetworkError)]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


@dataclass(frozen=True, repr=False)
class Branches(Layer):
    """What layers have in common that are made of branches.

    `held` are the names of the fields that hold them; the text form has the others as options.
    """

    held: ClassVar[tuple[str, ...]] = ("branches",)

    def chains(self) -> tuple[Sequential, ...]:
        """The branches; an empty one is the identity."""
        raise NotImplementedError

    def rebuilt(self, chains: Sequence[Sequential]) -> Layer:
        """The same layer with other branches, as many."""
        raise NotImplementedError

    def check_nesting(self) -> None:
        """Refuses branches inside branches, more than 50 deep."""
        if nesting(self) > _NESTING:
            raise NetworkError(
                f"{type(self).__name__}s are nested more than {_NESTING} deep; put them one after "
                "the other in a Sequential"
            )


@dataclass(frozen=True, repr=False)
class Residual(Branches):
    """The sum of a body and a shortcut (None: the identity): Σ and Θ are the sums of the two.

    Covariances add because weights of one branch are independent of the other's, so at least one
    branch must end in a layer with weights (pooling or rescaling may follow it).

    >>> from tangency import Conv, ReLU, Residual, Sequential
    >>> print(Residual(Sequential(ReLU(), Conv(3), ReLU(), Conv(3))))
    res(relu conv3 relu conv3)
    """

    body: Layer
    shortcut: Layer | None = None

    held: ClassVar[tuple[str, ...]] = ("body", "shortcut")
    token: ClassVar[str] = "res"
    hint: ClassVar[str] = (
        "Layers that follow each other are one branch, Residual(Sequential(ReLU(), Conv(3))); a "
        "shortcut of a single layer beside a body of a single layer is written "
        "Residual(Conv(3), shortcut=Conv(1))"
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # In other libraries, layers passed one by one are a sequence.
        single = [isinstance(a, Layer) and not isinstance(a, Sequential) for a in args]
        if single == [True, True]:
            raise NetworkError(
                f"Residual({args[0]!r}, {args[1]!r}): the second would be the shortcut, which is "
                f"added. {cls.hint}"
            )
        return super().__new__(cls, *args, **kwargs)

    def __post_init__(self) -> None:
        for name in ("body", "shortcut"):
            branch = getattr(self, name)
            if branch is None and name == "shortcut":
                continue
            if not isinstance(branch, Layer):
                raise NetworkError(f"{name} must be a layer or a Sequential, got {shown(branch)}")
            if not isinstance(branch, Sequential):
                object.__setattr__(self, name, Sequential(branch))
        if len(self.body.layers) == 0:  # type: ignore[attr-defined]
            raise NetworkError(
                "the body of a Residual has no layers; the identity is the shortcut, and the "
                "layers with weights are the body"
            )
        if self.shortcut is not None and len(self.shortcut.layers) == 0:  # type: ignore[attr-defined]
            object.__setattr__(self, "shortcut", None)
        self.check_nesting()

    def chains(self) -> tuple[Sequential, ...]:
        return (self.body, Sequential() if self.shortcut is None else self.shortcut)  # type: ignore[return-value]

    def rebuilt(self, chains: Sequence[Sequential]) -> Layer:
        return Residual(*chains)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Sum(self.chains(), residual=True),)

    def on_vectors(self) -> Layer | None:
        body = self.body.on_vectors()
        shortcut = None if self.shortcut is None else self.shortcut.on_vectors()
        return None if body is None else Residual(body, shortcut)


def nesting(layer: Layer) -> int:
    """How many layers with branches lie one inside the other."""
    if isinstance(layer, Sequential):
        return max(map(nesting, layer.layers), default=0)
    if isinstance(layer, Branches):
        return 1 + max(map(nesting, layer.chains()))
    return 0


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Normalisation over the channels: Σ[u,u'] and Θ[u,u'] are divided by √(q[u] q'[u']).

    It must follow a layer with weights, whose channels have mean zero in the limit of infinite
    width. A position of variance zero stays zero.

    Args:
        space: normalise over all positions too: by √(q̄ q̄'), q̄ the mean of q[u] over u.

    Source: the infinite-width limit of Ba, Kiros & Hinton 2016, as in Yang 2019.

    >>> from tangency import LayerNorm
    >>> LayerNorm(space=True)
    LayerNorm(space=True)
    """

    space: bool = field(default=False, kw_only=True)

    token: ClassVar[str] = "layernorm"
    hint: ClassVar[str] = "It normalises over the channels, however many there are"
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"space": ("space", True)}

    def __post_init__(self) -> None:
        truth(self.space, "space")

    def check(self, signal: Signal) -> None:
        if not signal.centred:
            raise NetworkError(
                "LayerNorm needs channels of mean zero, which a layer with weights makes, but it "
                "does not follow one; put it right after Conv(...) or Dense()"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        # Of a vector there is nothing more to normalise over.
        return (Normalize(self.space and bool(space)),)


@dataclass(frozen=True, repr=False)
class Rescale(Layer):
    """Multiplication by a constant: Σ and Θ are multiplied by factor².

    >>> from tangency import Rescale
    >>> Rescale(0.5)
    Rescale(0.5)
    """

    factor: Any

    token: ClassVar[str] = "rescale"
    lead: ClassVar[str | None] = "factor"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", number(self.factor, "factor"))

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Scale(self.factor),)

    def on_vectors(self) -> Layer:
        return self


def _no_layer(value: Any) -> str:
    """What to do with something that is no layer."""
    got = f"a network is made of layers, got {shown(value)}"
    if isinstance(value, type) and issubclass(value, Layer):
        return f"{got}, which is a class; write {value.__name__}(...), with parentheses"
    module = type(value).__module__
    if module.split(".")[0] in ("torch", "keras", "tensorflow", "flax", "haiku", "equinox"):
        return (
            f"{got}, a layer of {module.split('.')[0]}; take the one of tangency with the same "
            "name, which has no width: Dense() for Linear, Conv(3) for Conv2d(…, 3)"
        )
    return f"{got}; a text is read by parse(...), a list of layers is passed as Sequential(*layers)"
