"""RKHS distances to 70 digits, from the plain loops of `naive` and more activations."""

import mpmath
from mpmath import mp, mpf

import naive

DIGITS = 70


def distance(net, x, y, tangent, normalize=False):
    """(‖Φ(x) − Φ(y)‖, its square against K(x,x) + K(y,y)), for one pair of inputs."""
    with mp.workdps(DIGITS):
        xx, yy, xy = (kernel(net, a, b, tangent) for a, b in ((x, x), (y, y), (x, y)))
        if normalize:
            xx, yy, xy = mpf(1), mpf(1), xy / mpmath.sqrt(xx * yy)
        squared = xx + yy - 2 * xy
        return mpmath.sqrt(squared), squared / (xx + yy) if squared else squared


def kernel(net, x, y, tangent):
    state = naive.start(x, y)
    for layer in net.layers:
        state = naive.apply(layer, state)
    (nngp,), (ntk,) = state.xy.values(), state.tangent.values()
    return ntk if tangent else nngp


def absolute(layer, s, q, r):
    norm, c = naive.angle(s, q, r)
    theta = mpmath.acos(c)
    k = 2 / mp.pi * norm * (mpmath.sin(theta) + (mp.pi / 2 - theta) * c)
    return k, 2 / mp.pi * (mp.pi / 2 - theta)


def gelu(layer, s, q, r):
    area2 = (1 + q) * (1 + r) - s * s
    area = mpmath.sqrt(area2)
    both = mpf(1) / 4 + mpmath.atan(s / area) / (2 * mp.pi)
    density = 1 / (2 * mp.pi * area)
    shrink = 1 / (1 + q) + 1 / (1 + r)
    k = s * both + density * (q * r + s * s * (shrink - 1))
    k_dot = both + density * s * (shrink + 1 / area2)
    if not layer.normalized:
        return k, k_dot
    root = mpmath.sqrt(3)
    moment = mpf(1) / 4 + mpmath.atan(1 / root) / (2 * mp.pi) + 1 / (2 * mp.pi * root)
    return k / moment, k_dot / moment


def cosine(layer, s, q, r):
    a2 = mpf(layer.frequency) ** 2
    decay = mpmath.exp(-a2 * (q + r) / 2)
    scale = 2 / (1 + mpmath.exp(-2 * a2)) if layer.normalized else 1
    return scale * decay * mpmath.cosh(a2 * s), scale * a2 * decay * mpmath.sinh(a2 * s)


def hermite(layer, s, q, r):
    """From E[He_d(f)He_d(f')] written out for d ≤ 4."""
    both = (q - 1) * (r - 1)
    k, k_dot = [
        (mpf(1), mpf(0)),
        (s, mpf(1)),
        (2 * s**2 + both, 4 * s),
        (6 * s**3 + 9 * both * s, 18 * s**2 + 9 * both),
        (24 * s**4 + 72 * both * s**2 + 9 * both**2, 96 * s**3 + 144 * both * s),
    ][layer.degree]
    scale = 1 / mpmath.factorial(layer.degree) if layer.normalized else 1
    return scale * k, scale * k_dot


naive.DUALS.update(Abs=absolute, GELU=gelu, Cosine=cosine, Hermite=hermite)
