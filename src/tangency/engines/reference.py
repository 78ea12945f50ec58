"""The reference engine: the recursion written out plainly, for any layer, on Array API arrays.

It is what every other engine is held to, so it shares no code with them: it reads the plan of
`nets/`, and the duals of the activations there. NumPy and PyTorch run the same lines; under
PyTorch everything is differentiable in the inputs and in layer parameters that are tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from array_api_compat import array_namespace, is_torch_array

from ..errors import NetworkError
from ..nets.activations import ActivationLayer
from ..nets.meeting import Branching
from ..nets.operators import (
    Aggregate,
    Attend,
    Average,
    Drop,
    Embed,
    Need,
    Normalize,
    Pointwise,
    Positions,
    Scale,
    Shifts,
    Stack,
    Weights,
)
from ..nets.plan import Plan, Step
from ..nets.special import safe_sqrt
from .attention import attended, attention, embedded
from .dual import dual
from .grids import dropped, normalized, patch_sum, stacked
from .layout import Covariances, Side
from .meeting import met
from .sides import aggregated, check_met, counted, follow, masked, pooled, split

# Products of vectors that are handled at a time, so that temporaries stay small.
PRODUCTS = 2**16


def marginals(plan_: Plan, x: Any) -> list[Any]:
    """What is read of each input alone: variances q[u], or all of its attention to itself.

    Args:
        plan_: any plan of the network; only its network and input shape matter here.
        x: inputs (n, *space, channels).

    Returns:
        One array for each operator that reads marginals, in order of evaluation: (n, *space), or
        (n, positions, positions) of an `Attend`.
    """
    steps = plan_.of(plan_.net, Need.NOTHING)
    recorder = _Recorder()
    if steps.need_in is not Need.NOTHING:
        _evaluate(steps.steps, _one_by_one(steps, x), recorder, False)
    return recorder.found


def diagonal(plan_: Plan, x: Any, want_ntk: bool = True) -> tuple[Any, Any]:
    """K(x, x) for each input: (nngp, ntk), each (n,); ntk is None where not wanted or zero."""
    out = _evaluate(plan_.steps, _one_by_one(plan_, x), _Recorder(), want_ntk)
    return out.nngp, out.ntk


def block(
    plan_: Plan,
    x: Any,
    y: Any,
    marginals_x: Sequence[Any],
    marginals_y: Sequence[Any],
    want_ntk: bool = True,
    products: Any | None = None,
) -> tuple[Any, Any]:
    """K(x_i, y_j) for all pairs: (nngp, ntk), each (n, m); ntk is None where not wanted or zero.

    Args:
        x, y: inputs (n, *space, channels) and (m, *space, channels).
        marginals_x, marginals_y: what `marginals` gave for these rows.
        products: ⟨x_i, y_j⟩ (n, m) for vectors, if it is known already.
    """
    start = _all_pairs(plan_, x, y, products)
    given = _Given(iter(marginals_x), iter(marginals_y))
    out = _evaluate(plan_.steps, start, given, want_ntk)
    return out.nngp, out.ntk


def after_layers(plan_: Plan, x: Any, given: tuple[Any, Any, Any] | None) -> Iterator[Any]:
    """Σ and Θ behind each layer of the chain, means over positions of Σ[u, u] and Θ[u, u].

    Args:
        given: inputs y, marginals of x and of y, for all pairs of x and y; None for each x alone.
    """
    if given is None:
        state, source = _one_by_one(plan_, x), _Recorder()
    else:
        y, left, right = given
        state = _all_pairs(plan_, x, y, None)
        source = _Given(iter(left), iter(right))
    for place, step in enumerate(plan_.steps):
        state = _evaluate([step], state, source, True)
        if place + 1 == len(plan_.steps) or plan_.steps[place + 1].part == 0:
            yield _over_positions(state.reduce(Need.DIAGONAL))


def _over_positions(state: Covariances) -> Covariances:
    axes = tuple(range(2 if state.outer else 1, state.nngp.ndim))
    if axes and state.sides is not None:
        return pooled(Positions(), state)
    return state.map(lambda a: state.xp.mean(a, axis=axes) if axes else 1.0 * a, ())


def pairs(
    plan_: Plan, x: Any, y: Any, want_ntk: bool = True
) -> tuple[tuple[Any, Any], tuple[Any, Any], tuple[Any, Any]]:
    """K(x_i, x_i), K(y_i, y_i) and K(x_i, y_i) for inputs taken two by two.

    Each is (nngp, ntk), arrays (n,); ntk is None where not wanted or zero. All three go through
    the same operations in the same order, so that what they have in common cancels exactly.
    """
    found = []
    given: list[_Recorder] = []
    for z in (x, y):
        recorder = _Recorder()
        alone = _evaluate(plan_.steps, _one_by_one(plan_, z), recorder, want_ntk)
        found.append((alone.nngp, alone.ntk))
        given.append(recorder)
    source = _Given(iter(given[0].found), iter(given[1].found))
    cross = _evaluate(plan_.steps, _one_by_one(plan_, x, y), source, want_ntk)
    return found[0], found[1], (cross.nngp, cross.ntk)


def vector_products(x: Any, y: Any) -> Any:
    """⟨x_i, y_j⟩ for vectors (n, p) and (m, p), exactly ±‖x_i‖‖y_j‖ where rounding cannot tell.

    Identical inputs then have correlation exactly 1, whatever order the products are summed in,
    and their product is their variance ‖x_i‖² to the last bit.
    """
    xp = array_namespace(x)
    products = x @ xp.matrix_transpose(y)
    squares_x, squares_y = _square_norms(x)[:, None], _square_norms(y)[None, :]
    norms_x, norms_y = safe_sqrt(squares_x), safe_sqrt(squares_y)
    # A blocked sum of p products is off by a few units in the last place, slowly growing with p.
    slack = (4 + 0.25 * x.shape[-1] ** 0.5) * xp.finfo(products.dtype).eps
    step = max(1, PRODUCTS // y.shape[0])
    for i in range(0, x.shape[0], step):
        s, square = products[i : i + step, :], squares_x[i : i + step, :]
        norm = norms_x[i : i + step, :] * norms_y
        norm = xp.where(square == squares_y, square, norm)
        missing = xp.where(xp.abs(s) >= (1 - slack) * norm, xp.sign(s) * norm - s, 0.0 * s)
        products[i : i + step, :] += missing.detach() if is_torch_array(missing) else missing
    return products


def _square_norms(x: Any) -> Any:
    """‖x_i‖² of vectors: the one sum that correlations of vectors are measured against."""
    return array_namespace(x).sum(x * x, axis=-1)


def _one_by_one(plan_: Plan, x: Any, y: Any | None = None) -> Covariances:
    """Σ of each input with itself, or with the input of `y` at the same place."""
    need = plan_.need_in
    x, first = split(x, plan_.attached)
    other, second = (x, first) if y is None else split(y, plan_.attached)
    space, dims = tuple(x.shape[1:-1]), x.ndim - 2
    if not dims:
        return Covariances(array_namespace(x).sum(x * other, axis=-1), None, False, (), False)
    full = need is Need.FULL and dims > 0
    total: Any = None
    for channel in range(x.shape[-1]):
        left, right = x[..., channel], other[..., channel]
        product = _outer_grid(left, right, dims) if full else left * right
        total = product if total is None else total + product
    return _start(Covariances(total, None, False, space, full), first, second)


def _start(state: Covariances, first: Side | None, second: Side | None) -> Covariances:
    if first is None or second is None:
        return state
    return masked(replace(state, sides=(first, second)))


def _all_pairs(plan_: Plan, x: Any, y: Any, products: Any | None) -> Covariances:
    """Σ of all pairs of inputs."""
    need = plan_.need_in
    x, first = split(x, plan_.attached)
    y, second = split(y, plan_.attached)
    space, dims = tuple(x.shape[1:-1]), x.ndim - 2
    if not dims:
        s = vector_products(x, y) if products is None else products
        return Covariances(s, None, True, (), False)
    full = need is Need.FULL
    total: Any = None
    # One channel at a time, in the order of `_one_by_one`: the same sums to the last bit.
    for channel in range(x.shape[-1]):
        left, right = x[:, None, ..., channel], y[None, ..., channel]
        product = _outer_grid(left, right, dims) if full else left * right
        total = product if total is None else total + product
    return _start(Covariances(total, None, True, space, full), first, second)


def _outer_grid(left: Any, right: Any, dims: int) -> Any:
    """left[.., u]·right[.., u'] for all u, u'."""
    ones = (1,) * dims
    xp = array_namespace(left)
    left = xp.reshape(left, (*left.shape, *ones))
    lead = right.shape[: right.ndim - dims]
    return left * xp.reshape(right, (*lead, *ones, *right.shape[right.ndim - dims :]))


class _Recorder:
    """Marginals of inputs paired with themselves: the diagonal of Σ, noted as it passes."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def next(self, state: Covariances) -> tuple[Any, Any]:
        # A copy: the diagonal of Σ is a view, which would keep all of Σ alive for each input.
        q = 1.0 * state.reduce(Need.DIAGONAL).nngp
        self.found.append(q)
        return state.expand(q, second=False), state.expand(q, second=True)

    def attention(self, operator: Attend, state: Covariances) -> tuple[Any, Any]:
        """The weights G_x of each input, (n, positions, positions), of both sides of a pair."""
        found = attention(operator, state)
        self.found.append(found)
        return found, found


class _Given:
    """Marginals computed before, for each of the two sets."""

    def __init__(self, first: Iterator[Any], second: Iterator[Any]) -> None:
        self.first, self.second = first, second

    def next(self, state: Covariances) -> tuple[Any, Any]:
        q1, q2 = next(self.first), next(self.second)
        return state.expand(q1, second=False), state.expand(q2, second=True)

    def attention(self, operator: Attend, state: Covariances) -> tuple[Any, Any]:
        return next(self.first), next(self.second)


_Marginals = _Recorder | _Given


def _evaluate(
    steps: Sequence[Step], state: Covariances, source: _Marginals, want_ntk: bool
) -> Covariances:
    for step in steps:
        if step.need_in is Need.NOTHING:
            continue
        state = state.reduce(step.need_in)
        state = follow(step, state, _apply(step, state, source, want_ntk))
    return state


def _apply(step: Step, state: Covariances, source: _Marginals, want_ntk: bool) -> Covariances:
    match step.operator:
        case Branching():
            return _branches(step, step.operator, state, source, want_ntk)
        case Pointwise(activation):
            return _pointwise(step, activation, state, source)
        case Normalize(space):
            return normalized(state, *source.next(state), space)
        case Drop(keep):
            # Masks of two inputs, or of one that is taken twice, are independent.
            return dropped(state, keep) if isinstance(source, _Recorder) else state
        case Embed() as embed:
            return embedded(state, embed, want_ntk and embed.trainable)
        case Attend() as operator:
            left, right = source.attention(operator, state)
            return state if step.need_out is Need.NOTHING else attended(state, left, right)
        case Scale(positions=True) if state.sides is not None:
            return counted(state)
        case Scale(factor):
            return state.map(lambda a: factor * factor * a)
        case Weights() as weights:
            after = _weights(weights, state, want_ntk)
            return after if weights.shared else after.spread(step.need_out)
        case Shifts(geometry):
            return state.map(lambda a: patch_sum(a, geometry, state), step.space_out)
        case Stack(maps):
            return state.map(lambda a: stacked(maps, a, state), step.space_out)
        case Aggregate():
            return aggregated(state)
        case Average() | Positions() as operator:
            if not state.space:
                return state
            if state.sides is not None:
                return pooled(operator, state)
            axes = tuple(range(2 if state.outer else 1, state.nngp.ndim))
            mean = state.map(lambda a: state.xp.mean(a, axis=axes), ())
            return replace(mean, full=False)
    raise NetworkError(f"no engine knows the operator {type(step.operator).__name__}")


def _branches(
    step: Step, operator: Branching, state: Covariances, source: _Marginals, want_ntk: bool
) -> Covariances:
    ends = [_evaluate(branch, state, source, want_ntk) for branch in step.branches]
    if step.need_out is Need.NOTHING:
        return state
    check_met(operator, [end.sides for end in ends])
    return met(operator, [end.reduce(step.need_out) for end in ends])


def _pointwise(
    step: Step, activation: ActivationLayer, state: Covariances, source: _Marginals
) -> Covariances:
    q1, q2 = source.next(state)
    if step.need_out is Need.NOTHING:
        return state
    k, k_dot = dual(activation, state.nngp, q1, q2)
    return replace(state, nngp=k, ntk=None if state.ntk is None else state.ntk * k_dot)


def _weights(weights: Weights, state: Covariances, want_ntk: bool) -> Covariances:
    """Σ̃ = w²Σ/fan + b² and Θ̃ = w²Θ/fan + Σ̃."""
    scale = weights.weight_std * weights.weight_std * (1.0 / weights.fan)
    nngp = scale * state.nngp
    if not (isinstance(weights.bias_std, float) and weights.bias_std == 0):
        nngp = nngp + weights.bias_std * weights.bias_std
    ntk = None if state.ntk is None else scale * state.ntk
    if want_ntk and weights.trainable:
        own = nngp
        if not weights.usual:
            factor, constant = weights.rates
            own = factor * state.nngp + constant
        ntk = own if ntk is None else ntk + own
    return replace(state, nngp=nngp, ntk=ntk)
