"""The empirical kernel as a linear operator: products with it, without its matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from ..checks import number, real_array
from ..errors import InputError
from .alone import check_mapped
from .empirical import request_of
from .gradients import add
from .inputs import as_tensor
from .products import check_push, pull_back, push_forward
from .request import Request, activation_bytes, blocks, cut
from .state import untouched
from .subject import Params

if TYPE_CHECKING:
    from ..typing import ArrayLike


def ntk_operator(
    module: Any,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    params: Params = None,
    ridge: float = 0.0,
    max_memory: float | None = None,
) -> NTKOperator:
    """v ↦ J(X)J(Y)ᵀv (+ ridge·v) as a SciPy linear operator, for solvers such as `cg`.

    A product costs one backward pass over Y and one forward-mode pass over X, and the memory of
    three copies of the parameters; the matrix of all (n·o, m·o) entries is never formed. Vectors
    are (input, output), the output index running faster; for one output the operator is
    `empirical_ntk(module, X, Y)`, and it is always the "full" kernel.

    Args:
        module, X, Y, params, max_memory: as in `empirical_ntk`.
        ridge: added on the diagonal; only without Y.

    Raises:
        InputError: as `empirical_ntk`; a ridge with Y, or a negative one.

    >>> import numpy as np
    >>> import torch
    >>> from scipy.sparse.linalg import cg
    >>> from tangency.finite import ntk_operator
    >>> module = torch.nn.Linear(3, 1, bias=False).double()
    >>> operator = ntk_operator(module, np.eye(3), ridge=1.0)
    >>> cg(operator, np.array([2.0, 4.0, 6.0]))[0].round(6).tolist()
    [1.0, 2.0, 3.0]
    """
    ridge = number(ridge, "ridge", least=0)
    if ridge and Y is not None:
        raise InputError("a ridge belongs on the diagonal of a symmetric kernel; leave out Y")
    with torch.inference_mode(False), untouched(module):
        request = request_of(module, X, Y, "full", params, max_memory)
        return NTKOperator(request, ridge)


class NTKOperator(LinearOperator):
    """J(X)J(Y)ᵀ + ridge, in the module's dtype; `ntk_operator` makes it.

    The parameters are those that the module has when a product is taken: an operator of a module
    that is trained on changes with it.
    """

    def __init__(self, request: Request, ridge: float) -> None:
        self._request, self.ridge = request, ridge
        (n, m), q = request.pairs, request.count
        kept, largest = activation_bytes(request.subject, request.x[:1])
        fixed = 3 * request.subject.count * request.subject.itemsize
        free = _without_result(request)
        self._rows = cut(free, 0, kept + 4 * largest, "ntvp", fixed).at_once
        check_mapped(request.subject, request.probe, q)
        sides = (request.x,) if request.symmetric else (request.x, request.columns)
        parts = [inputs[rows] for inputs in sides for rows in blocks(len(inputs), self._rows)]
        check_push(request.subject, parts, q)
        dtype = np.float32 if request.subject.dtype == torch.float32 else np.float64
        super().__init__(np.dtype(dtype), (n * q, m * q))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        request = self._request
        v = real_array(x, "the vector").reshape(-1)
        found = self._product(v, request.columns, request.x)
        return found + self.ridge * v.astype(self.dtype) if self.ridge else found

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        request = self._request
        v = real_array(x, "the vector").reshape(-1)
        if request.symmetric:
            return self._matvec(v)
        return self._product(v, request.x, request.columns)

    def _product(self, v: np.ndarray, back: Tensor, forward: Tensor) -> np.ndarray:
        """J(forward)J(back)ᵀv."""
        request = self._request
        # Of the parameters as they are by now.
        subject, q = request.subject.renewed(), request.count
        first = next(iter(subject.params.values()))
        values = as_tensor(v.reshape(-1, q)).to(first)
        with torch.inference_mode(False), untouched(subject.module):
            u: dict[str, Tensor] = {}
            for rows in blocks(len(back), self._rows):
                add(u, pull_back(subject, back[rows], values[rows]))
            parts = [push_forward(subject, forward[r], u) for r in blocks(len(forward), self._rows)]
        return torch.cat(parts).reshape(-1).cpu().numpy()


def _without_result(request: Request) -> Request:
    """The same request for one column: a product has no matrix as its result."""
    return Request(
        request.subject, request.x, request.x[:1], "trace", request.count, request.budget
    )
