"""The two plain methods: products of Jacobians, and kernel-vector products."""

from __future__ import annotations

from torch import Tensor

from .alone import check_mapped, values
from .contraction import stacked
from .jacobians import jacobian
from .products import PartChecks, check_push, pull_back, push_forward
from .request import Blocks, Done, Request, blocks, cut


def jacobian_blocks(request: Request, activations: tuple[int, int]) -> Blocks:
    """How the kernel is cut so that two blocks of Jacobians fit in the budget."""
    stored = request.count * request.subject.count * request.subject.itemsize
    kept, largest = activations
    # A backward pass holds what it computes twice: as it comes, and in rows.
    return cut(request, stored, (kept + 4 * largest) * request.count + 2 * stored, "jacobian")


def by_jacobians(request: Request, activations: tuple[int, int], done: Done) -> Tensor:
    """J(x)J(y)ᵀ in blocks of inputs."""
    plan = jacobian_blocks(request, activations)

    def gradients(x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for part in blocks(len(x), plan.at_once):
            for name, g in jacobian(request.subject, x[part], request.directions).items():
                if name not in found:
                    found[name] = g.new_empty((len(x), *g.shape[1:]))
                found[name][part] = g
            done(part.stop - part.start)
        return found

    def add(block: Tensor, left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
        for name, g in left.items():
            a, b = stacked(g, request.outputs), stacked(right[name], request.outputs)
            for k in range(len(block)):
                block[k].addmm_(a[k], b[k].T)

    return request.assembled(plan, gradients, add)


def product_rows(request: Request, activations: tuple[int, int]) -> int:
    """How many inputs go through a forward pass at once in the method of products."""
    kept, largest = activations
    fixed = product_copies(request) * request.subject.count * request.subject.itemsize
    return cut(request, 0, kept + 4 * largest, "ntvp", fixed).at_once


def product_copies(request: Request) -> int:
    """Copies of the parameters that the method of products makes."""
    return 4 if request.symmetric else 3


def by_products(request: Request, activations: tuple[int, int], done: Done) -> Tensor:
    """One column after the other: J(x)·(J(y)ᵀ e)."""
    subject, q = request.subject, request.count
    size = product_rows(request, activations)
    whole = request.zeros()
    n, m = request.pairs
    check_mapped(subject, request.probe, q)
    check_push(subject, [request.x[rows] for rows in blocks(n, size)], q)
    parts = PartChecks(subject, q, size)
    for j in range(m):
        # Of a symmetric kernel, what is on and above the diagonal.
        count = j + 1 if request.symmetric else n
        for k, direction in enumerate(request.directions):
            u = pull_back(subject, request.columns[j : j + 1], direction[None])
            for rows in blocks(count, size):
                x = request.x[rows]
                column = push_forward(subject, x, u)
                if request.symmetric and rows.stop == count:
                    column = parts.checked(column, x, u, k)
                _put(whole, column, rows, j, k, q, request.outputs)
        done(1)
    return request.finished(whole)


def _put(whole: Tensor, column: Tensor, rows: slice, j: int, k: int, q: int, outputs: str) -> None:
    if outputs == "trace":
        whole[0, rows, j] += column[:, k]
    elif outputs == "diagonal":
        whole[k, rows, j] = column[:, k]
    else:
        whole[0, rows.start * q : rows.stop * q, j * q + k] = column.reshape(-1)


def no_gradient(request: Request) -> Tensor:
    """⟨f(x), f(y)⟩ in place of gradients: the kernel of the outputs themselves."""
    left = values(request.subject, request.x)
    right = left if request.symmetric else values(request.subject, request.columns)
    whole = request.zeros()
    a, b = stacked(left[:, :, None], request.outputs), stacked(right[:, :, None], request.outputs)
    whole.baddbmm_(a, b.mT)
    return request.finished(whole)
