"""`from_torch`: a module of PyTorch as the description of its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import checks
from ...checks import shown
from ...errors import InputError, NetworkError
from ..base import choice, truth
from ..structure import Sequential as Network
from .moving import beside, preactivated


def from_torch(
    module: Any,
    input_shape: Sequence[int],
    *,
    spreads: Mapping[str, tuple[float, float]] | None = None,
    batch_norm: str | None = None,
    max_pool: str | None = None,
    attention: str | None = None,
    preactivate: bool = False,
    standard: bool = False,
) -> Network:
    """Read a PyTorch module as the same network with infinitely many channels.

    The module is traced, never changed, and read as it is at initialisation in evaluation mode.
    Standard deviations are read from its weights: PyTorch's own initialisation, Kaiming's,
    Xavier's and LeCun's are recognised, and relative widths kept (channels that double, say, under
    an initialisation by fan_out). Parameters that need no gradient are frozen; gains and offsets
    of normalisations are taken as frozen.

    Args:
        module: any `torch.nn.Module` of known layers, whose branches part and meet.
        input_shape: of one input as the module takes it: (channels, height, width), (features,),
            or (positions, features) for transformers. Inputs of the result have their channels
            last: (n, height, width, channels).
        spreads: (weight_std, bias_std) by the name of a layer ("features.0"), of those that were
            initialised otherwise, in units of 1/√fan.
        batch_norm: what stands for batch normalisation, "identity" (what it is at
            initialisation) or "layernorm"; it has no kernel itself.
        max_pool: "average" takes means in the place of maxima.
        attention: "linear" gives queries and keys of attention the same weights, and divides their
            products by the width of a head: softmax(w²Σ_xx), as `SelfAttention`. With weights of
            their own and the root of the width, as most networks have it, the weights of a head
            stay random, and there is no closed form.
        preactivate: read blocks relu(x + f(x)) as x + f(relu(x)), means between the activation
            and the block before both. Where x has been through an activation, x + f(x) is not
            Gaussian, and the first has no kernel in closed form.
        standard: keep PyTorch's parametrisation, in which layers learn at rates by their widths
            (see `tangency.standard`): the NTK is then that of the module's own gradients, as it is
            at large widths. Default: the NTK parametrisation, which has a limit.

    Raises:
        NetworkError: what has no limit or no layer here, by its place in the module, with the
            remedy.

    >>> import torch
    >>> from tangency import from_torch
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
    ...     torch.nn.Linear(64 * 8 * 8, 10, bias=False))
    >>> print(from_torch(module, (3, 8, 8)))
    conv3:w=0.3333333333333333,b=0.1111111111111111 relu:raw flatten dense:w=0.5773502691896257
    """
    _check_module(module)
    from .nest import Nest
    from .states import State
    from .touched import check_numbers, check_untouched, traceable
    from .trace import traced
    from .translate import Replacing, Translator
    from .weights import Spreads

    shape = _shape(input_shape)
    module = traceable(module)
    check_numbers(module)
    check_untouched(module)
    replacing = Replacing(
        _allowed(batch_norm, "batch_norm", ("identity", "layernorm")),
        _allowed(max_pool, "max_pool", ("average",)),
        _allowed(attention, "attention", ("linear",)),
    )
    truth(preactivate, "preactivate")
    truth(standard, "standard")
    told = Spreads(_places(spreads), module, standard)
    last = traced(module, shape)
    start = _start(last)
    state = State.of_input(shape, _channels_last(start, last))
    net = Nest(Translator(told, replacing), start, state).of(last)
    told.check_used()
    if preactivate:
        net = preactivated(net)
    net = beside(net)
    _check(net, shape, state.axes[0] != "channels")
    _check_last(net, last)
    return net


def _check_module(module: Any) -> None:
    try:
        import torch
    except ImportError as error:
        raise NetworkError(
            f'from_torch needs PyTorch ({error}); install it with: pip install "tangency[torch]"'
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise NetworkError(
            f"from_torch takes a torch.nn.Module, got {shown(module)}; a network's text is read by "
            "tangency.parse(...)"
        )


def _shape(value: Any) -> tuple[int, ...]:
    try:
        shape = checks.sizes(value, "input_shape")
    except InputError:
        shape = ()
    if not 1 <= len(shape) <= 4:
        raise NetworkError(
            "input_shape is that of one input as the module takes it, batch left out, as in "
            f"(3, 32, 32) or (784,); got {shown(value)}"
        )
    return shape


def _allowed(value: Any, name: str, known: tuple[str, ...]) -> str | None:
    return None if value is None else choice(value, name, known)


def _places(spreads: Any) -> dict[str, Any]:
    if spreads is None:
        return {}
    if not isinstance(spreads, Mapping):
        raise NetworkError(
            'spreads is a mapping from names of layers to (weight_std, bias_std), as in {"fc": '
            f"(1.0, 0.1)}}; got {shown(spreads)}"
        )
    return dict(spreads)


def _calls(last: Any) -> list[Any]:
    """All calls that lead to the last."""
    found, pending = [], [last]
    while pending:
        call = pending.pop()
        if call not in found:
            found.append(call)
            pending += call.inputs
    return found


def _start(last: Any) -> Any:
    starts = [call for call in _calls(last) if call.kind == "input"]
    if len(starts) != 1:
        raise NetworkError(
            f"the result of the module depends on {len(starts)} inputs; a network here has one: "
            "wrap the module so that it takes one tensor"
        )
    return starts[0]


def _channels_last(start: Any, last: Any) -> bool:
    """Whether the channels of the input are its last axis: what takes it first tells."""
    if len(start.shape) < 2:
        return False
    calls = _calls(last)
    pending = [(start, list(range(len(start.shape) + 1)))]
    while pending:
        call, order = pending.pop()
        for taker in [each for each in calls if call in each.inputs]:
            attends = taker.kind == "attention"
            layer = taker.target.values.target if attends else taker.target
            if type(layer).__name__ in ("Linear", "LayerNorm"):
                return order[-1] == len(order) - 1
            moved = _reordered(taker, order)
            if moved is None and taker.shape == call.shape and len(taker.inputs) == 1:
                moved = order
            if moved is not None:
                pending.append((taker, moved))
    return False


def _reordered(call: Any, order: list[int]) -> list[int] | None:
    """The axes after a call that does no more than to move them; None for others."""
    name = call.target if isinstance(call.target, str) else getattr(call.target, "__name__", "")
    if name in ("transpose", "swapaxes"):
        given = call.bound(("dim0", "dim1"))
        order = list(order)
        one, other = given["dim0"], given["dim1"]
        order[one], order[other] = order[other], order[one]
        return order
    if name == "permute":
        dims = call.args[1:] or (call.options["dims"],)
        return [order[dim] for dim in (dims[0] if isinstance(dims[0], list | tuple) else dims)]
    return None


def _check_last(net: Network, last: Any) -> None:
    """Refuse a readout that begins at zero, which in the NTK parametrisation is never trained."""
    held = [layer for layer in net.layers if hasattr(layer, "weight_std") or hasattr(layer, "held")]
    end: Any = held[-1] if held else None
    if getattr(end, "weight_std", 1) or getattr(end, "bias_std", 1) or end.weight_rate is not None:
        return
    while not hasattr(last.target, "weight"):
        last = last.inputs[0]
    raise NetworkError(
        f"{last.name}: its weights begin at zero, and so does the module: its NNGP is zero, and so "
        "is its NTK in the NTK parametrisation, where weights are multiplied by their standard "
        f"deviation. Say what they would be, spreads={{{last.name!r}: (1.0, 0.0)}}, or take "
        "standard=True"
    )


def _check(net: Network, shape: tuple[int, ...], last: bool) -> None:
    """Whether the layers fit each other and the input."""
    ours = shape if last else (*shape[1:], shape[0])
    try:
        net.output_shape(ours)
    except NetworkError as error:
        remedy = ""
        if str(preactivated(net)) != str(net):
            remedy = (
                ". A sum with what has been through an activation is not Gaussian: "
                "preactivate=True reads relu(x + f(x)) as x + f(relu(x))"
            )
        raise NetworkError(f"the network {net} has no kernel here: {error}{remedy}") from None
