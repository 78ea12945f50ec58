"""Data on its way into a kernel: checked, turned to floating point, laid out as signals."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..checks import within_memory
from ..engines.prepared import Prepared, prepared, prepared_with
from ..errors import InputError, NetworkError, callers_level
from ..nets import Sequential
from ..nets.operators import Average, Shifts, Stack
from ..nets.plan import plan, walk
from ..nets.signal import channels_first
from .foreign import (
    holds_tensors,
    is_table,
    readable_tensor,
    refuse_masked,
    refuse_no_data,
    refuse_uncomputed,
    refuse_unlike_columns,
    refuse_unread,
    table_values,
)
from .packing import Structured, refuse_structured


class InputWarning(UserWarning):
    """Data that can be read in two ways, and the way that was taken."""


def refuse_channels_first(shape: tuple[int, ...], name: str = "X") -> None:
    """Refuses pictures whose channels seem to come first, where no `input_shape` was stated.

    An error, not a warning: the values would be those of another data set, by any factor, and
    whoever means such a grid can say so. `nets.signal.channels_first` has the rule.

    Raises:
        InputError: with both ways out.
    """
    if channels_first(shape):
        sizes = ", ".join(map(str, shape[1:]))
        raise InputError(
            f"{name} has shape {shape}, which looks as if channels came first; here they are "
            f"last: pass np.moveaxis({name}, 1, -1), for a tensor {name}.movedim(1, -1). If this "
            f"is a grid of {'×'.join(map(str, shape[1:-1]))} with {shape[-1]} channels, say so "
            f"with input_shape=({sizes}), as in NTK(net, input_shape=({sizes}))"
        )


@within_memory()
def signals(data: Any, input_shape: tuple[int, ...] | None, name: str = "X") -> Any:
    """`data` as a floating-point array (n, *space, channels) of its own library.

    Args:
        data: a NumPy array, a PyTorch tensor, or nested lists. Integers and booleans become
            float64 with their values unchanged (an image of bytes keeps 0 to 255); float16 and
            bfloat16 become float32; float32 and float64 of any byte order stay what they are.
        input_shape: (*space, channels); rows of a 2-d array are given this shape.

    Raises:
        InputError: wrong rank or shape, no inputs, NaN or infinity, or not numbers; without
            `input_shape`, pictures whose channels seem to come first.
    """
    array = _floating(_array(data, name), name)
    shape = tuple(array.shape)
    if len(shape) < 2:
        raise InputError(
            f"{name} must have a row for each input, (n, features) or (n, *space, channels); got "
            f"shape {shape}; a single input x is passed as x[None] (scikit-learn's own estimators "
            'call a kernel so, for each pair: give them kernel="precomputed" and matrices K(X, X))'
        )
    if input_shape is None:
        refuse_channels_first(shape, name)
    elif shape[1:] != input_shape:
        if len(shape) != 2 or shape[1] != math.prod(input_shape):
            raise InputError(
                f"{name} has shape {shape}, but input_shape={input_shape} needs (n, "
                f"{', '.join(map(str, input_shape))}), or rows of {math.prod(input_shape)} numbers"
            )
        array = array_namespace(array).reshape(array, (shape[0], *input_shape))
    if len(shape) > 5:
        raise InputError(
            f"{name} has shape {shape}; signals have at most 3 spatial axes, (n, *space, channels)"
        )
    if 0 in array.shape:
        raise InputError(f"{name} is empty: shape {tuple(array.shape)}; give at least one input")
    _check_finite(array, name)
    return array


@within_memory()
def checked(data: Any, input_shape: tuple[int, ...] | None, name: str = "X") -> Prepared:
    """`signals`, prepared: of inputs that come prepared, they are made and checked once."""
    given = prepared(data)
    if isinstance(given.inputs, Structured):
        return given.derive(("packed", input_shape), lambda: _packed(given, input_shape, name))
    return given.derive(
        ("signals", input_shape), lambda: Prepared(signals(given.inputs, input_shape, name))
    )


def _packed(given: Prepared, input_shape: tuple[int, ...] | None, name: str) -> Prepared:
    """Inputs with masks or edges in one array, on the grid of `input_shape` where it is given."""
    inputs = given.inputs
    if not len(inputs):
        raise InputError(f"{name} is empty: {inputs!r}; give at least one input")
    if input_shape is not None:
        shape = tuple(inputs.X.shape[1:])
        fits = len(shape) == len(input_shape) and shape[-1] == input_shape[-1]
        if not fits or any(n > m for n, m in zip(shape, input_shape, strict=True)):
            raise InputError(
                f"{name} has inputs of up to {shape}, but input_shape={input_shape}; give one that "
                "holds them, of as many channels, or leave it out"
            )
        inputs = inputs.on(input_shape[:-1])
    return prepared_with(inputs.packed(), inputs.attached)


def prepared_inputs(
    net: Sequential, X: Any, Y: Any | None, input_shape: tuple[int, ...] | None
) -> tuple[Prepared, Prepared | None]:
    """Checked inputs; no second set where the call is symmetric."""
    if Y is None or Y is X:
        x, y = checked(X, input_shape), None
    else:
        x, y = pair(X, Y, input_shape)
    if x.attached is None:
        warn_if_ambiguous(net, x.inputs, input_shape)
    return x, y


@within_memory()
def pair(first: Any, second: Any, input_shape: tuple[int, ...] | None) -> tuple[Prepared, Prepared]:
    """Two sets of inputs of one library, one dtype and one shape.

    Raises:
        InputError: as `signals`, or the two do not match.
    """
    refuse_unlike_columns(prepared(first).inputs, prepared(second).inputs)
    first, second = on_one_grid(first, second)
    left, right = checked(first, input_shape, "X"), checked(second, input_shape, "Y")
    x, y = left.inputs, right.inputs
    if left.input_shape != right.input_shape:
        raise InputError(
            f"X has inputs of shape {left.input_shape} and Y of shape {right.input_shape}; "
            "they must be equal"
        )
    if is_torch_array(x) != is_torch_array(y):
        raise InputError(
            f"X is a {type(x).__name__} and Y a {type(y).__name__}; pass both as NumPy arrays or "
            "both as PyTorch tensors"
        )
    if is_torch_array(x) and x.device != y.device:
        raise InputError(f"X is on {x.device} and Y on {y.device}; move them to one device")
    xp = array_namespace(x)
    dtype = xp.result_type(x.dtype, y.dtype)
    return as_type(left, dtype), as_type(right, dtype)


def on_one_grid(first: Any, second: Any) -> tuple[Any, Any]:
    """Inputs with masks or edges, filled up to the larger grid of the two."""
    one, two = prepared(first).inputs, prepared(second).inputs
    if not isinstance(one, Structured) and not isinstance(two, Structured):
        return first, second
    kinds = [type(each).__name__ for each in (one, two)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"X is {kinds[0]} and Y {kinds[1]}; pass both as Masked, or both as Graphs (of inputs "
            "without masked positions, Masked(X, np.zeros(X.shape[:-1], bool)))"
        )
    spaces = [each.mask.shape[1:] for each in (one, two)]
    if len(spaces[0]) != len(spaces[1]):
        return first, second
    space = tuple(map(max, *spaces))
    given = [first if spaces[0] == space else one.on(space), second]
    given[1] = second if spaces[1] == space else two.on(space)
    return given[0], given[1]


def as_type(given: Prepared, dtype: Any) -> Prepared:
    """Inputs in another precision, converted once."""
    if given.inputs.dtype == dtype:
        return given
    xp = array_namespace(given.inputs)
    return given.derive(
        ("dtype", dtype), lambda: prepared_with(xp.astype(given.inputs, dtype), given.attached)
    )


def result_dtype(X: Any, Y: Any | None = None) -> Any:
    """The dtype of a result for these inputs."""
    given = [(prepared(d).inputs, name) for d, name in ((X, "X"), (Y, "Y")) if d is not None]
    arrays = [
        each.X if isinstance(each, Structured) else _floating(_array(each, name), name)
        for each, name in given
    ]
    return array_namespace(arrays[0]).result_type(*(a.dtype for a in arrays))


def warn_if_ambiguous(net: Sequential, x: Any, input_shape: tuple[int, ...] | None) -> None:
    """Warns where 1-d signals could be something else, and the network looks at their positions.

    Square grey images without a channel axis pass as 1-d signals, and so do 1-d signals whose
    single channel comes first.
    """
    if input_shape is not None or x.ndim != 3:
        return
    n, channels = x.shape[1:]
    square, single = n == channels >= 5, n == 1 and channels >= 5
    if not (square or single):
        return
    if not _looks_at_positions(net, x.shape[1:]):
        return
    if single:
        warnings.warn(
            f"inputs of shape (1, {channels}) are read as 1-d signals of a single position with "
            f"{channels} channels; for signals of {channels} positions pass "
            f"np.moveaxis(X, 1, -1), and for one position input_shape=(1, {channels}) to say so",
            InputWarning,
            stacklevel=4,
        )
    else:
        warnings.warn(
            f"inputs of shape ({n}, {n}) are read as 1-d signals of {n} positions with {n} "
            f"channels; for grey images pass X[..., None] or input_shape=({n}, {n}, 1), and for "
            f"1-d signals input_shape=({n}, {n}) to say so",
            InputWarning,
            stacklevel=callers_level(),
        )


def _looks_at_positions(net: Sequential, shape: tuple[int, ...]) -> bool:
    try:
        steps = plan(net, tuple(shape)).steps
    except NetworkError:  # which is said where the kernel is computed
        return False
    return any(isinstance(step.operator, Shifts | Stack | Average) for step in walk(steps))


def _array(data: Any, name: str) -> Any:
    refuse_structured(data, name)
    if is_torch_array(data):
        return readable_tensor(data, name)
    refuse_masked(data, name)
    refuse_uncomputed(data, name)
    refuse_unread(data, name)
    refuse_no_data(data, name)
    if holds_tensors(data):
        raise InputError(f"{name} is a list of tensors; pass torch.stack({name})")
    if is_table(data):
        return table_values(data, name)
    if isinstance(data, np.ndarray):
        return np.asarray(data)
    if hasattr(data, "toarray"):
        raise InputError(f"{name} is a sparse matrix; pass {name}.toarray()")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(data)
    except (ValueError, TypeError, Warning) as error:
        raise InputError(
            f"{name} cannot be read as an array of numbers ({error}); all rows need one length"
        ) from None


def _floating(array: Any, name: str) -> Any:
    if is_torch_array(array):
        import torch

        if array.is_complex():
            raise InputError(f"{name} is complex; pass real numbers")
        if not array.is_floating_point():
            return array.to(torch.float64)
        return array.to(torch.float32) if array.dtype.itemsize < 4 else array
    kind = array.dtype.kind
    if kind in "biu":
        return array.astype(np.float64)
    if kind != "f":
        if kind == "O":
            raise InputError(
                f"{name} holds Python objects (dtype object), not numbers; convert it with "
                f"np.asarray({name}, dtype=float)"
            )
        raise InputError(f"{name} has dtype {array.dtype}; pass real numbers")
    if array.dtype.itemsize < 4:
        return array.astype(np.float32)
    dtype = np.float32 if array.dtype.itemsize == 4 else np.float64
    return array.astype(dtype, copy=False)  # in the byte order of this machine


def _check_finite(array: Any, name: str) -> None:
    xp = array_namespace(array)
    with np.errstate(over="ignore", invalid="ignore"):
        # One pass, which needs no array of its own; a sum that overflows is looked at again.
        if bool(xp.isfinite(xp.sum(array))):
            return
    bad = ~xp.isfinite(array)
    if not bool(xp.any(bad)):
        return
    rows = xp.any(xp.reshape(bad, (array.shape[0], -1)), axis=-1)
    count, first = int(xp.sum(xp.astype(rows, xp.int64))), int(xp.argmax(xp.astype(rows, xp.int8)))
    raise InputError(
        f"{name} holds NaN or infinity in {count} of {array.shape[0]} inputs (the first is number "
        f"{first}); impute or drop them"
    )
