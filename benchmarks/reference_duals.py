"""Reference values of Gaussian duals of activations, 30 digits, without any code of tangency.

For centred Gaussians f, f' with variances q1, q2 and covariance s = c·√(q1 q2):
k = E[σ(f)σ(f')] and k̇ = E[σ'(f)σ'(f')] of the raw functions (not normalised). q and c are the
float64 numbers nearest to the decimals below, and s is c·√(q1 q2) without rounding.

Needs python-flint only (`pip install python-flint`): ball arithmetic, so that rounding is bounded;
errors of the quadratures are seen by computing every value twice, by two formulas where there are
two, else with two sets of nodes and two precisions. duals_check.py compares with plain double
integrals. `python duals.py duals.json` (15 minutes on one core) writes the file anew after each
function; functions already in it are kept, and names after the file ask for those only.
"""

import itertools
import json
import sys
import time
from functools import cache, lru_cache
from pathlib import Path

from flint import acb, arb, ctx

PAIRS = [(1e-6, 1e-6), (1e-2, 1e-2), (1.0, 1.0), (0.3, 2.0), (30.0, 30.0), (64.0, 784.0),
         (1e3, 1e3), (1e6, 1e6), (1e6, 1e-6), (1e-3, 1e2)]  # fmt: skip
COSINES = [-1.0, -0.999, -0.5, 0.0, 0.3, 0.9, 0.99, 0.9999, 1 - 1e-8, 1.0]
DIGITS, AGREE = 30, 1e-25  # written; at least, asked of the two computations
REACH = 16  # standard deviations: exp(-16²/2) = 1e-56


def sqrt(x):
    return arb(x).sqrt()


def density(x):
    """Of the standard normal distribution."""
    return (-x * x / 2).exp() / sqrt(2 * arb.pi())


def below(x):
    """Φ(x), relatively accurate in both tails."""
    return (-x / sqrt(2)).erfc() / 2


# ---------------------------------------------------------------------------------- closed forms


def gaussian(q1, q2, c, _):
    s = c * sqrt(q1 * q2)
    d = (1 + q1) * (1 + q2) - s * s
    return 1 / sqrt(d), s / (d * sqrt(d))


def sign(q1, q2, c, _):
    k = 2 / arb.pi() * c.asin()
    return k, None if abs(c) == 1 else 2 / arb.pi() / sqrt(q1 * q2 * (1 - c * c))


def users(q1, q2, c, _):
    """sin(3u)·exp(-u²/8) + u/4, by Gaussian integrals."""
    root = sqrt(q1 * q2)
    s, det = c * root, q1 * q2 * (1 - c * c)
    # E[exp(-(f² + f'²)/8) sin(3f) sin(3f')] = d^(-1/2) exp(-9n/2) sinh(9m),
    # and its derivative in s.
    d = 1 + (q1 + q2) / 4 + det / 16
    n, m = (q1 + q2 + det / 2) / d, s / d
    d_s = -s / 8
    n_s, m_s = -s / d - n * d_s / d, 1 / d - m * d_s / d
    up, down = (9 * m - 9 * n / 2).exp() / 2, (-9 * m - 9 * n / 2).exp() / 2
    both = (up - down) / sqrt(d)
    both_s = ((-d_s / (2 * d) - 9 * n_s / 2) * (up - down) + 9 * m_s * (up + down)) / sqrt(d)
    # E[d/du sin(3u)exp(-u²/8)]; the cross terms are s/4 times its values at q1 and q2 (Stein).
    slope = sum(3 * (-arb(9) / 2 * q / (1 + q / 4)).exp() / (1 + q / 4) / sqrt(1 + q / 4)
                for q in (q1, q2))  # fmt: skip
    return both + s * slope / 4 + s / 16, both_s + slope / 4 + arb(1) / 16


# -------------------------------------------------------- one-dimensional integrals, graded panels


@cache
def legendre(n, precision):
    """Nodes and weights of Gauss-Legendre on [0, 1]."""
    pairs = [arb.legendre_p_root(n, i, weight=True) for i in range(n)]
    return [((x.mid() + 1) / 2, w.mid() / 2) for x, w in pairs]


def panels(low, high, centres, widest):
    """Panels that grow by the factor three away from each centre (place, finest width)."""
    inside = sorted(((p, w) for p, w in centres if low < p < high), key=lambda pw: float(pw[0]))
    ends = [(low, None), *inside, (high, None)]
    # An end that is itself a centre keeps its width.
    for i in (0, -1):
        widths = [w for p, w in centres if p == ends[i][0]]
        ends[i] = (ends[i][0], min(widths, key=float) if widths else widest)
    for (a, wa), (b, wb) in itertools.pairwise(ends):
        middle = ((a + b) / 2).mid()
        for start, width, way in ((a, wa, 1), (b, wb, -1)):
            place, length = start, abs(middle - start)
            edge = arb(0)
            while edge < length:
                step = min(width if edge == 0 else 2 * edge, widest, key=float)
                new = (edge + step).mid()
                if not new < length * 0.8:
                    new = length
                place, other = start + way * edge, start + way * new
                yield (place, other) if way == 1 else (other, place)
                edge = new


def integral(functions, low, high, centres, widest, nodes):
    """Of several functions at once (one callable that returns a tuple)."""
    total = None
    for a, b in panels(low, high, centres, widest):
        for x, w in legendre(nodes, ctx.prec):
            values = functions(a + (b - a) * x)
            w = w * (b - a)
            if total is None:
                total = [arb(0)] * len(values)
            total = [t + w * v for t, v in zip(total, values, strict=True)]
    return total


def hinge_mean(m, v, t):
    """E[max(f - t, 0)] and P(f > t) of f with mean m and variance v."""
    if v == 0:
        return (m - t, arb(1)) if m > t else (arb(0), arb(0))
    z = (m - t) / sqrt(v)
    p = below(z)
    return (m - t) * p + sqrt(v) * density(z), p


def hinges(*terms, constant=0):
    """σ(u) = constant + Σ weight·max(u - kink, 0): its means at (mean, variance)."""

    def mean(m, v):
        parts = [(w, hinge_mean(m, v, t)) for w, t in terms]
        return (constant + sum((w * p[0] for w, p in parts), arb(0)),
                sum((w * p[1] for w, p in parts), arb(0)))  # fmt: skip

    mean.kinks = [t for _, t in terms]
    mean.terms, mean.constant = terms, constant
    return mean


def elu_mean(m, v):
    up, p = hinge_mean(m, v, arb(0))
    if v == 0:
        return (up, p) if m > 0 else (up + m.exp() - 1, p + m.exp())
    negative = (m + v / 2).exp() * below(-(m + v) / sqrt(v))  # E[exp(f); f < 0]
    return up + negative - (1 - p), p + negative


elu_mean.kinks = [arb(0)]


def step_mean(m, v):
    return (hinge_mean(m, v, arb("0.5"))[1],)


step_mean.kinks = [arb("0.5")]
HARD_TANH = hinges((1, arb(-1)), (-1, arb(1)), constant=-1)
# 0.3 and 0.5 are float64 numbers too: 0.3 is not the decimal.
SHIFTED = hinges((1, arb(0.3)))
RELU6 = hinges((1, arb(0)), (-1, arb(6)))


def conditional(mean, q1, q2, c, nodes, scale=1):
    """E over the variable of smaller variance of σ times its partner's mean given the other."""
    if q1 < q2:
        q1, q2 = q2, q1
    r1, r2, v = sqrt(q1), sqrt(q2), q1 * (1 - c * c)
    own = [(t / r2).mid() for t in mean.kinks]
    rare = min(own, key=float) > 0  # σ is zero below its first kink
    low, high = (own[0], (own[0] + REACH).mid()) if rare else (arb(-REACH), arb(REACH))
    finest = min((1 / (1 + own[0]) if rare else arb(1)), 1 / (1 + r2), key=float)
    centres = [(t, finest) for t in own]
    if c != 0:
        width = sqrt(1 - c * c) / abs(c)
        width = width if width > 0 else arb(1)
        width = min(width, 1 / (1 + abs(c) * r1), finest, key=float)
        centres = [(t, width) for t in own]
        centres += [((t / (c * r1)).mid(), width) for t in mean.kinks]
    # The same place twice, but for rounding, is one.
    centres = list({p.str(60, radius=False): (p, w) for p, w in reversed(centres)}.values())
    zero = arb(0)

    def functions(y):
        return tuple(density(y) * a * b for a, b in
                     zip(mean(r2 * y, zero), mean(c * r1 * y, v), strict=True))  # fmt: skip

    return integral(functions, low, high, centres, arb(2) * scale, nodes)


def one_dimensional(mean):
    def dual(q1, q2, c, finer):
        return conditional(mean, q1, q2, c, 64 if finer else 46, 0.7 if finer else 1)

    return dual


def angle(x, bound):
    """The θ with |x|/cos θ = bound."""
    return (abs(x) / bound).acos() if abs(x) < bound else arb(0)


def price(mean):
    """The same by Price's theorem, d²k/ds² = Σ w w' (density at the kinks), c = sin θ."""
    terms, odd = mean.terms, mean.constant != 0

    def dual(q1, q2, c, finer):
        if not finer:
            return one_dimensional(mean)(q1, q2, c, finer)
        r1, r2 = sqrt(q1), sqrt(q2)
        k = k_dot = arb(0)
        start = arb(0) if odd else -arb.pi() / 2
        end = c.asin() if abs(c) < 1 else c * arb.pi() / 2
        if odd:  # k is 0 at c = 0, and k̇ a product; else both are 0 at c = -1
            k_dot = (below(1 / r1) - below(-1 / r1)) * (below(1 / r2) - below(-1 / r2))
            k = c * r1 * r2 * k_dot
        for (w1, t1), (w2, t2) in itertools.product(terms, terms):
            x, y = t1 / r1, t2 / r2
            # Beyond these angles the density is below exp(-200) of one that cannot be avoided.
            bound = sqrt(400 + x * x + y * y)
            lowest, highest = -angle(x + y, bound), angle(x - y, bound)
            a, b = (min(max(e, lowest, key=float), highest, key=float) for e in (start, end))

            def tail(z, _, x=x, y=y):
                exponent = acb(0)
                sine, cosine = z.sin(), z.cos()
                if float(z.real.mid()) > 0:
                    if x != y:
                        exponent -= (x - y) ** 2 / (2 * cosine * cosine)
                    if x * y != 0:
                        exponent -= x * y / (1 + sine)
                else:
                    if x != -y:
                        exponent -= (x + y) ** 2 / (2 * cosine * cosine)
                    if x * y != 0:
                        exponent += x * y / (1 - sine)
                return exponent.exp() / (2 * arb.pi())

            def first(z, e, tail=tail):
                return tail(z, e) * (c - z.sin()) * r1 * r2

            # √(k k) is tiny where all kinks are many standard deviations above zero.
            rare = terms[0][1] > 0
            tiny = (-(x * x + y * y) / 2 - 170).exp() if rare else arb(2) ** -ctx.prec
            pieces = [a, arb(0), b] if a < 0 < b else [a, b]
            for u, v in itertools.pairwise(pieces):
                k += w1 * w2 * acb.integral(first, u, v, abs_tol=tiny).real
                k_dot += w1 * w2 * acb.integral(tail, u, v, abs_tol=tiny).real
        return k, k_dot

    return dual


def step(q1, q2, c, finer):
    (k,) = one_dimensional(step_mean)(q1, q2, c, finer)
    if abs(c) == 1:
        return k, None if c == 1 and q1 == q2 else arb(0)
    x, y = arb("0.5") / sqrt(q1), arb("0.5") / sqrt(q2)
    det = 1 - c * c
    exponent = -(x * x + y * y - 2 * c * x * y) / (2 * det)
    return k, exponent.exp() / (2 * arb.pi() * sqrt(q1 * q2 * det))


# ----------------------------------------------------------- analytic functions: Fourier integrals
#
# With amplitudes b(ω): tanh u = ∫ b sin(ωu), b = 1/sinh(πω/2), sigmoid u = 1/2 + ∫ b sin(ωu),
# b = 1/sinh(πω), softplus u = u/2 + log 2 + ∫ b (1 - cos ωu), b = 1/(ω sinh πω), and
# silu u = u/2 + ∫ b (1 - cos ωu), b = π cosh(πω)/sinh²(πω), all over ω > 0. Means of products of
# sines and cosines are exp(-(q1 ω² + q2 ω'²)/2) times sinh, cosh or cosh - 1 of s ω ω'.


def inverse_sinh(ω, scale):
    return 2 * (-scale * ω).exp() / -((-2 * scale * ω).expm1())


AMPLITUDES = {
    "tanh": lambda ω: inverse_sinh(ω, arb.pi() / 2),
    "sigmoid": lambda ω: inverse_sinh(ω, arb.pi()),
    "softplus": lambda ω: inverse_sinh(ω, arb.pi()) / ω,
    "silu": lambda ω: arb.pi() * (1 + (-2 * arb.pi() * ω).exp())
    / -((-2 * arb.pi() * ω).expm1()) * inverse_sinh(ω, arb.pi()),
}  # fmt: skip


@lru_cache(2)
def amplitudes(name, step, precision):
    """b((i + 1/2)·step), filled as needed."""
    return {}


def fourier_pairs(name, q1, q2, c, finer):
    """The double integrals for k and k̇, trapezoidal rule in ω and in asinh of ω'."""
    if (q1 < q2) != bool(finer and q1 != q2):  # the finer one has the roles changed as well
        q1, q2 = q2, q1
    b, odd = AMPLITUDES[name], name in ("tanh", "sigmoid")
    strip = 2 if name == "tanh" else 1  # the first pole
    fine = arb("0.71") if finer else arb(1)
    h = min(arb("0.4") / sqrt(q1), arb("0.07") * strip, key=float) * fine
    hv = arb("0.05") * fine
    a = min(1 / sqrt(q2), arb("0.5"), key=float) * (arb("1.3") if finer else 1)
    rate = arb.pi() / strip
    ratio, s = abs(c) * sqrt(q2 / q1), abs(c) * sqrt(q1 * q2)
    rest, reach = q2 * (1 - c * c), 15 / sqrt(q1)
    last = 90 / rate
    if rest > 0:
        last = min(last, 15 / sqrt(rest), key=float)
    table = amplitudes(name, h.str(40), ctx.prec)
    k = k_dot = arb(0)
    for j in itertools.count():
        v = (j + arb("0.5")) * hv
        w = a * v.sinh()
        if w > last:
            break
        middle = ratio * w
        start = max(0, int(float((middle - reach) / h)) - 1)
        stop = int(float(min(middle + reach, 90 / rate, key=float) / h)) + 1
        row = row_dot = arb(0)
        for i in range(start, stop):
            ω = (i + arb("0.5")) * h
            if i not in table:
                table[i] = b(ω).mid()
            x = s * ω * w
            e = (-q1 * (ω - middle) ** 2 / 2).exp() * table[i]
            f = (-x).expm1()
            # exp(-x) times 2 sinh, and 2 cosh or 2(cosh - 1)
            row_sinh = e * -f * (2 + f)
            if odd:
                row += row_sinh
                row_dot += e * ω * (1 + (1 + f) ** 2)
            else:
                row += e * f * f
                row_dot += row_sinh * ω
        weight = h * hv * a * v.cosh() * b(w) * (-rest * w * w / 2).exp() / 2
        k += row * weight
        k_dot += row_dot * weight * w
    sign_s = -1 if c < 0 else 1
    return (sign_s * k, k_dot) if odd else (k, sign_s * k_dot)


def log_cosh(u):
    return abs(u) / 2 + (-abs(u)).exp().log1p()


def half_tanh(u):
    e = (-abs(u)).expm1()
    return abs(u) / 2 * -e / (2 + e)


@lru_cache(8)
def even_mean(name, q, nodes, precision):
    """E[log(2 cosh(u/2))] or E[u tanh(u/2)/2]."""
    even, r = {"softplus": log_cosh, "silu": half_tanh}[name], sqrt(q)
    (mean,) = integral(lambda y: (2 * density(y) * even(r * y),), arb(0), arb(REACH),
                       [(arb(0), 1 / (1 + r))], arb(2), nodes)  # fmt: skip
    return mean


def fourier(name):
    def dual(q1, q2, c, finer):
        k, k_dot = fourier_pairs(name, q1, q2, c, finer)
        s = c * sqrt(q1 * q2)
        if name == "tanh":
            return k, k_dot
        if name == "sigmoid":
            return k + arb(1) / 4, k_dot
        n = 80 if finer else 60
        means = even_mean(name, q1, n, ctx.prec) * even_mean(name, q2, n, ctx.prec)
        return k + means + s / 4, k_dot + arb(1) / 4

    return dual


# ------------------------------------------------------------------------------------- the table

FUNCTIONS = {
    "gaussian": gaussian,
    "sign": sign,
    "users": users,
    "step": step,
    "shifted_relu": price(SHIFTED),
    "relu6": price(RELU6),
    "hard_tanh": price(HARD_TANH),
    "elu": one_dimensional(elu_mean),
    "tanh": fourier("tanh"),
    "sigmoid": fourier("sigmoid"),
    "softplus": fourier("softplus"),
    "silu": fourier("silu"),
}


def twice(name, q1, q2, c):
    """(k, k̇) with both settings."""
    found = []
    for finer in (False, True):
        ctx.prec = 320 if finer else 256
        found.append(FUNCTIONS[name](arb(q1), arb(q2), arb(c), finer))
    ctx.prec = 320
    return found


def worst(x, y):
    """|x - y| with both radii."""
    return abs(x - y).abs_upper()


def text(x, scale):
    if scale is not None and abs(x).mid() < arb("1e-40") * scale:
        return "0.0"
    return x.mid().str(DIGITS, radius=False)


def table(name):
    """Lines of the file, and the largest difference of the two computations, relatively."""
    values, errors = [], (arb(0), arb(0))
    own = {}
    for q in {q for pair in PAIRS for q in pair}:
        own[q] = twice(name, q, q, 1.0)[1]
    for q1, q2 in PAIRS:
        scales = [
            None if a is None or b is None else sqrt(a.mid() * b.mid())
            for a, b in zip(own[q1], own[q2], strict=True)
        ]
        for c in COSINES:
            one, two = twice(name, q1, q2, c)
            line = {"function": name, "q1": q1, "q2": q2, "c": c}
            for label, x, y, scale in zip(("k", "k_dot"), one, two, scales, strict=True):
                if x is None:
                    line[label] = "inf"
                    continue
                error = worst(x, y)
                if error > 0:
                    error = (error / (abs(y) if scale is None else scale)).mid()
                if not error < AGREE:
                    print(f"{name} {q1} {q2} {c} {label}: {error.str(3)} {x.str(25)} {y.str(25)}")
                i = ("k", "k_dot").index(label)
                errors = tuple(max(e, error, key=float) if j == i else e
                               for j, e in enumerate(errors))  # fmt: skip
                line[label] = text(y, scale)
            values.append(line)
    return values, errors


ABOUT = (
    "Gaussian duals of activations: k = E[σ(f)σ(f')], k_dot = E[σ'(f)σ'(f')] for centred Gaussians "
    "of variances q1, q2 and covariance c·√(q1 q2) (not rounded); q1, q2, c are float64 numbers. "
    "Raw functions: gaussian exp(-u²/2); sign (σ' = 2δ); users sin(3u)exp(-u²/8) + u/4; "
    "step 1[u > 0.5]; shifted_relu max(u - 0.3, 0) with the float64 0.3; relu6 min(max(u, 0), 6); "
    "hard_tanh clip(u, -1, 1); elu (alpha 1); tanh; sigmoid; softplus; silu. 30 digits, errors of "
    "at most some 1e-30 of the scale √(k(q1,q1)k(q2,q2)), and the same for k_dot (of the value "
    "itself where that is infinite: sign, step); below 1e-40 of the scale: 0.0. Numbers may be too "
    "small for a float64. Written by duals.py with python-flint; each value was computed twice, "
    "and 'checked' is the largest difference of k and k_dot over the scale."
)


def main(path):
    path = Path(path)
    kept = json.loads(path.read_text()) if path.exists() else {"checked": {}, "values": []}
    for name in sys.argv[2:] or FUNCTIONS:
        if name in kept["checked"]:
            continue
        begun = time.perf_counter()
        values, errors = table(name)
        kept["values"] += values
        kept["checked"][name] = [e.str(2, radius=False) for e in errors]
        order = list(FUNCTIONS)
        kept["values"].sort(key=lambda v: order.index(v["function"]))
        lines = ",\n".join(json.dumps(v) for v in kept["values"])
        head, checked = json.dumps(ABOUT, ensure_ascii=False), json.dumps(kept["checked"])
        draft = path.with_suffix(".draft")
        draft.write_text(f'{{"about": {head},\n"checked": {checked},\n"values": [\n{lines}\n]}}\n')
        draft.replace(path)
        print(f"{name}: {kept['checked'][name]}, {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
