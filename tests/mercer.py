"""Eigenvalues on the sphere once more, in many digits and by another rule: tanh-sinh in u = cos θ.

The kernel is the recursion of `naive`, in loops; nothing of the package but the layers as data.
"""

from __future__ import annotations

from mpmath import mp, mpf

from naive import State, apply

HERE = ((), ())


def kernel_values(net, cosines):
    """(Σ, Θ) at multiprecision cosines, for inputs of norm 1."""
    pairs = []
    for u in cosines:
        one = {HERE: mpf(1)}
        state = State((), one, one, {HERE: u}, {HERE: mpf(0)})
        for layer in net.layers:
            state = apply(layer, state)
        pairs.append((state.xy[HERE], state.tangent[HERE]))
    return pairs


def tanh_sinh(step, digits):
    """Nodes u in (−1, 1), 1 − u², and weights, cut where weights fall below 10^−digits."""
    nodes, j = [], 0
    while True:
        x = mpf(j) * step
        inner = mp.pi / 2 * mp.sinh(x)
        weight = step * mp.pi / 2 * mp.cosh(x) / mp.cosh(inner) ** 2
        if weight < mpf(10) ** -digits:
            return nodes
        u, gap = mp.tanh(inner), 1 / mp.cosh(inner) ** 2
        nodes.append((u, gap, weight))
        if j:
            nodes.append((-u, gap, weight))
        j += 1


def eigenvalues(function, dim, degree):
    """[μ_0, ..., μ_degree] of each of the values that `function(cosines)` gives, as mpf."""
    nodes = tanh_sinh(mpf(1) / 64, 2 * mp.dps // 3)
    scale = mp.gamma(mpf(dim) / 2) / (mp.sqrt(mp.pi) * mp.gamma(mpf(dim - 1) / 2))
    values = function([u for u, _, _ in nodes])
    totals = [[mpf(0)] * (degree + 1) for _ in values[0]]
    for (u, gap, weight), both in zip(nodes, values, strict=True):
        parts = [scale * weight * gap ** (mpf(dim - 3) / 2) * value for value in both]
        before, now = mpf(1), u
        for k in range(degree + 1):
            row = before if k == 0 else now
            for total, part in zip(totals, parts, strict=True):
                total[k] += part * row
            if k:
                before, now = now, ((2 * k + dim - 2) * u * now - k * before) / (k + dim - 2)
    return totals


def of_network(net, dim, degree):
    """The eigenvalues of the two kernels of a network, (nngp, ntk)."""
    return eigenvalues(lambda u: kernel_values(net, u), dim, degree)
