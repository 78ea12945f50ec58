"""Sequences and images of several sizes, and graphs, as inputs of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..checks import plain_array, within_memory
from ..errors import InputError
from ..printable import shown
from .inputs import signals
from .packing import Structured


class Masked(Structured):
    """Inputs of several sizes in one array, with a mask of the positions that are padding.

    Args:
        X: values (n, *space, channels); or a list of arrays (length, channels), one for each
            input, which are filled up to the longest.
        mask: booleans (n, *space), True at positions that are left out, as in NumPy's masked
            arrays. What X holds there has no bearing on anything, and may be NaN. Without it X is
            a list.

    Each is the input at its own size: a masked position is zero behind every layer, biases
    included, and `GlobalAvgPool`, `Flatten` and `LayerNorm(space=True)` count the others alone.
    Convolutions of padding "same" leave the mask as it is, and see zeros there; windows of padding
    "valid" count where they hold no masked position. Layers for which where an input ends makes
    another difference (strides with padding "same", "circular" padding, `Resize`, …) refuse it.

    `NTK(net)(tg.Masked(X, mask))` and all else that a kernel can do; estimators take it in `fit`
    and `predict`.

    Raises:
        InputError: shapes that differ, a mask that is not of booleans, an input without positions.

    Source: the masks of neural-tangents (Novak et al. 2020).

    >>> import numpy as np
    >>> from tangency import NTK, Masked
    >>> words = [np.ones((2, 3)), np.ones((4, 3)), np.ones((3, 3))]
    >>> x = Masked(words)
    >>> x, x.sizes
    (Masked(3 inputs of up to 4 positions, 3 channels), array([2, 4, 3]))
    >>> k = NTK("conv3 relu gap dense")
    >>> bool(np.allclose(k(x)[0, 1], k(Masked(words[:1]), Masked(words[1:2]))))
    True
    """

    @within_memory()
    def __init__(self, X: Any, mask: Any = None) -> None:
        if isinstance(X, Structured):
            raise InputError(f"X is {type(X).__name__} already; pass its values, X.X")
        if mask is None:
            X, mask = _filled_up(X, "X")
        mask = _mask(mask)
        super().__init__(*_values(X, mask))

    def __repr__(self) -> str:
        n, *space, channels = self.X.shape
        size = "×".join(map(str, space))
        return f"Masked({n} inputs of up to {size} positions, {channels} channels)"


class Graphs(Structured):
    """Graphs as inputs: the values at their nodes, and the weights of their edges.

    Args:
        X: values (n, nodes, channels); or a list of arrays (nodes, channels), one for each graph,
            which are filled up to the largest.
        adjacency: (n, nodes, nodes), or a list of n square matrices, dense or SciPy's sparse ones,
            of as many nodes as their graph has. [i, j] is the weight of the edge from i to j: node
            j takes it from node i. Numbers of any sign, integers and booleans too.
        mask: booleans (n, nodes), True at nodes that are left out, with their edges; as in
            `Masked`.

    The layer `Aggregate` sums over the edges; others act at each node, and `GlobalAvgPool`,
    `GlobalSumPool` read all of them. A kernel of such a network does not depend on the order of
    the nodes, nor on how many are filled up. Graphs of one kernel call may differ in size.

    Raises:
        InputError: matrices that are not square, or of other sizes than their graphs, NaN or
            infinity.

    Source: Du et al. 2019, "Graph neural tangent kernel: fusing graph neural networks with graph
    kernels".

    >>> import numpy as np
    >>> import tangency as tg
    >>> path, triangle = np.eye(3, k=1) + np.eye(3, k=-1), np.ones((3, 3)) - np.eye(3)
    >>> atoms = tg.Graphs([np.ones((3, 1)), np.ones((3, 1))], [path, triangle])
    >>> tg.NTK("aggregate dense relu gsp dense")(atoms)
    array([[32., 48.],
           [48., 72.]])
    """

    @within_memory()
    def __init__(self, X: Any, adjacency: Any, mask: Any = None) -> None:
        if isinstance(X, Structured):
            raise InputError(f"X is {type(X).__name__} already; pass its values, X.X")
        if isinstance(X, list | tuple) and mask is None:
            X, mask = _filled_up(X, "X")
        X = signals(X, None, "X") if mask is None else X
        mask = np.zeros(tuple(X.shape[:-1]), dtype=bool) if mask is None else _mask(mask)
        values, mask = _values(X, mask)
        if mask.ndim != 2:
            raise InputError(
                f"X must have the nodes of each graph along one axis, (n, nodes, channels); got "
                f"shape {tuple(values.shape)}"
            )
        super().__init__(values, mask, _edges(adjacency, mask, values))

    def __repr__(self) -> str:
        n, nodes, channels = self.X.shape
        return f"Graphs({n} graphs of up to {nodes} nodes, {channels} channels)"


def _values(X: Any, mask: np.ndarray) -> tuple[Any, np.ndarray]:
    """Checked values, zero where they are masked, and the mask."""
    X = plain_array(X, "X") if isinstance(X, list | tuple) else X
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) < 3 or mask.shape != shape[:-1]:
        raise InputError(
            f"X has shape {shape} and the mask {mask.shape}; expected X (n, *space, channels) and "
            "one truth value for each position, (n, *space)"
        )
    if not mask.size:
        raise InputError(f"X is empty: shape {shape}; give at least one input and one position")
    gone = mask.reshape(len(mask), -1).all(axis=1)
    if gone.any():
        raise InputError(
            f"{int(gone.sum())} of {len(mask)} inputs have no position that is not masked (the "
            f"first is number {int(np.argmax(gone))}); drop them. The mask is True where a "
            "position is left out: pass ~mask if it is True where there is one"
        )
    if mask.any():
        xp = array_namespace(X)
        X = xp.where(xp.asarray(mask[..., None]), xp.zeros_like(X), X)
    return signals(X, None, "X"), mask


def _mask(mask: Any) -> np.ndarray:
    if is_torch_array(mask):
        mask = mask.detach().cpu().numpy()
    found = plain_array(mask, "mask")
    if found.dtype != bool:
        raise InputError(
            "mask must be of booleans, True where a position is left out, got dtype "
            f"{found.dtype}; of numbers that are 1 where there is a position pass mask == 0"
        )
    return found


def _filled_up(inputs: Any, name: str) -> tuple[Any, np.ndarray]:
    """Arrays (length, channels) one below the other in one, and where they ended."""
    if not isinstance(inputs, list | tuple) or not len(inputs):
        raise InputError(
            f"{name} without a mask must be a list of arrays (length, channels), got "
            f"{shown(inputs)}; for an array pass the mask of positions that are left out"
        )
    parts = [signals(part, None, f"{name}[{i}]") for i, part in enumerate(inputs)]
    shapes = [tuple(part.shape) for part in parts]
    if any(len(shape) != len(shapes[0]) or shape[-1] != shapes[0][-1] for shape in shapes):
        raise InputError(
            f"the arrays of {name} must all be (length, channels) of one number of channels, got "
            f"shapes {shown(sorted(set(shapes)))}"
        )
    xp = array_namespace(*parts)
    space = tuple(max(sizes) for sizes in zip(*(shape[:-1] for shape in shapes), strict=True))
    mask = np.ones((len(parts), *space), dtype=bool)
    rows = []
    for i, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        mask[(i, *(slice(n) for n in shape[:-1]))] = False
        each = Structured(part[None, ...], np.zeros((1, *shape[:-1]), dtype=bool))
        rows.append(each.on(space).X)
    return xp.concat(rows, axis=0), mask


def _edges(adjacency: Any, mask: np.ndarray, values: Any) -> Any:
    """Checked weights (n, nodes, nodes) of the library and dtype of the values; 0 at what is
    masked."""
    n, nodes = mask.shape
    if hasattr(adjacency, "toarray"):
        raise InputError(
            f"adjacency is one sparse matrix; pass a list of them, one for each of the {n} graphs"
        )
    if isinstance(adjacency, list | tuple):
        adjacency = _matrices(adjacency, mask)
    if is_torch_array(adjacency) and str(adjacency.layout) != "torch.strided":
        adjacency = adjacency.to_dense()
    if tuple(getattr(adjacency, "shape", ())) != (n, nodes, nodes):
        raise InputError(
            f"adjacency must have a square matrix for each graph, ({n}, {nodes}, {nodes}) for "
            f"these X of shape {tuple(values.shape)}; got "
            f"{shown(tuple(getattr(adjacency, 'shape', ())) or adjacency)}"
        )
    if is_torch_array(adjacency) != is_torch_array(values):
        if is_torch_array(adjacency):
            raise InputError(
                f"adjacency is a {type(adjacency).__name__} and X a {type(values).__name__}; pass "
                "both of one library"
            )
        import torch

        adjacency = torch.as_tensor(np.asarray(adjacency), device=values.device)
    edges = signals(adjacency, tuple(adjacency.shape[1:]), "adjacency")
    xp = array_namespace(values)
    edges = xp.astype(edges, values.dtype, copy=False)
    gone = mask[:, :, None] | mask[:, None, :]
    return xp.where(xp.asarray(gone), xp.zeros_like(edges), edges) if mask.any() else edges


def _matrices(given: Sequence[Any], mask: np.ndarray) -> np.ndarray:
    """Square matrices in one array, each as far as its graph reaches."""
    n, nodes = mask.shape
    if len(given) != n:
        raise InputError(f"adjacency has {len(given)} matrices for {n} graphs; give one for each")
    out = np.zeros((n, nodes, nodes))
    for i, matrix in enumerate(given):
        if hasattr(matrix, "toarray"):
            matrix = matrix.toarray()
        if is_torch_array(matrix):
            matrix = matrix.detach().to_dense().cpu().numpy()
        try:
            found = np.asarray(matrix, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"adjacency[{i}] is no matrix of numbers: {error}") from None
        size = int(np.sum(~mask[i]))
        if found.ndim != 2 or found.shape not in ((size, size), (nodes, nodes)):
            raise InputError(
                f"adjacency[{i}] has shape {found.shape}, but graph {i} has {size} nodes and needs "
                f"({size}, {size})"
            )
        if found.shape[0] < nodes and mask[i, :size].any():
            raise InputError(
                f"adjacency[{i}] has as many nodes as graph {i} has unmasked ones, {size}, but "
                f"these are not the first; give ({nodes}, {nodes})"
            )
        out[i, : len(found), : len(found)] = found
    return out
