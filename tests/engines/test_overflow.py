"""Large and small inputs: right where the result fits into its dtype, refused where it does not."""

from functools import partial

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import naive
import precise  # noqa: F401 (its duals belong to those of `naive`)
import tangency as tg
from cases import activations
from tangency.engines.fused.activations import kind_and_parameters
from tangency.engines.fused.elementwise import elementwise_row
from tangency.engines.fused.scalars import prepare
from tangency.engines.overflow import check_values

LAYERS = [
    tg.ReLU(),
    tg.LeakyReLU(0.2),
    tg.Abs(),
    tg.Erf(),
    tg.GELU(),
    tg.GELU(normalized=False),
    tg.Sine(),
    tg.Cosine(),
    tg.Exponential(0.6),
    tg.Polynomial(3),
    tg.Hermite(1),
    tg.Hermite(2),
    tg.Hermite(3, normalized=False),
]
COSINES = [-1.0, -0.5, 0.0, 0.999, 1.0]


def exact(layer, s, q1, q2):
    """(k, k̇) from formulas that share nothing with the library's.

    erf and GELU, as written there, take the difference of q q' and s², of up to 600 digits.
    """
    with mpmath.workdps(640 if isinstance(layer, tg.Erf | tg.GELU) else 60):
        return naive.DUALS[type(layer).__name__](layer, *(mpf(float(v)) for v in (s, q1, q2)))


def compiled(layer, s, q1, q2):
    from numba import njit

    call = njit(lambda kind, q, tiny: prepare(kind, q, tiny))
    kind, parameters = kind_and_parameters(layer)
    tiny = np.finfo(s.dtype).smallest_normal
    a, b = (np.array([call(kind, v, tiny) for v in q], dtype=s.dtype).T.ravel() for q in (q1, q2))
    k, slope, n = s.copy(), np.ones_like(s), len(s)
    p = np.array(parameters, dtype=s.dtype)
    elementwise_row(kind, k, 0, slope, 0, a, 0, b, 0, n, n, p, 0, True)
    return k, slope


def pairs(dtype):
    """(s, q, q') over the range, of which √(q q') is exact: powers of four."""
    most = 120 if dtype is np.float32 else 990
    powers = [-most, -20, 0, 20, most]
    rows = []
    for a in powers:
        for b in powers:
            for c in COSINES:
                rows.append((dtype(c) * dtype(2.0) ** ((a + b) // 2), 2.0**a, 2.0**b))
    return (np.array(column, dtype=dtype) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_duals_over_the_whole_range(layer, dtype):
    """q from 2⁻¹²⁰ to 2¹²⁰ in float32 and from 2⁻⁹⁹⁰ to 2⁹⁹⁰ in float64, against 640 digits.

    Errors are relative to √(k(q)k(q')), which k cannot exceed, and for k̇ likewise. Beside it what
    is made of 8 units in the last place of s, where s is not ±√(q q').
    """
    s, q1, q2 = pairs(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        ways = [layer.dual(s, q1, q2), compiled(layer, s, q1, q2)]
    info = np.finfo(dtype)
    eps, most, least = (float(v) for v in (info.eps, info.max, info.smallest_normal))
    alone = {q: exact(layer, q, q, q) for q in set(q1.tolist())}
    checked = 0
    for place, (a, b, c) in enumerate(zip(s.tolist(), q1.tolist(), q2.tolist(), strict=True)):
        ends, true = (alone[b], alone[c]), exact(layer, a, b, c)
        inside = 0 < abs(a) < np.sqrt(b) * np.sqrt(c)
        near = exact(layer, a * (1 + 8 * eps), b, c) if inside else true
        for index in (0, 1):
            if max(end[index] for end in ends) > most / 4:
                continue
            scale = mpmath.sqrt(ends[0][index] * ends[1][index])
            allowed = 64 * eps * scale + abs(near[index] - true[index]) + 8 * least
            checked += 1
            for way in ways:
                assert abs(mpf(float(way[index][place])) - true[index]) <= allowed
    assert checked > len(s)


@pytest.mark.filterwarnings("ignore:for inputs that are nearly equal")
@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("name", activations("scales"))
def test_kernels_at_all_scales_of_float32(name, engine):
    """float64 has the range for all of these, and is what they are held to."""
    z = np.random.default_rng(0).normal(size=(9, 10))
    z[4] = z[2]
    for scale in (1e-25, 1e-18, 1e-9, 3e9, 1e18, 1e25):
        x = (z * scale).astype(np.float32)
        for kind in (tg.NTK, tg.NNGP):
            kernel = kind(f"dense {name} dense", engine=engine)
            true = kernel(x.astype(float))
            size = np.max(np.abs(true))
            if size > np.finfo(np.float32).max:
                with pytest.raises(tg.InputError, match="beyond the range of float32"):
                    kernel(x)
                continue
            found = kernel(x)
            assert found.dtype == np.float32
            assert np.max(np.abs(found - true)) <= 2e-6 * size + 1e-44
            assert np.array_equal(np.diag(found), kernel.diag(x))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("name", ["relu", "gelu", "exp0.5", "poly3", "hermite1", "layernorm relu"])
def test_homogeneous_kernels_at_the_ends_of_float64(name, scale):
    """What a homogeneous kernel is, it is at any scale; GELU goes to ReLU/√2 and to u/2."""
    z = np.random.default_rng(0).normal(size=(9, 10))
    like = name
    if name == "gelu":
        like = "relu:raw" if scale > 1 else "hermite1"
    for engine in ("fused", "reference"):
        for kind in (tg.NTK, tg.NNGP):
            found = kind(f"dense {name} dense", engine=engine)(scale * z)
            true = kind(f"dense {like} dense", engine=engine)(z)
            power = 0 if name == "layernorm relu" else 1
            found = found / (scale * scale) ** power
            factor = found[0, 0] / true[0, 0]
            assert np.max(np.abs(found / factor - true)) <= 1e-12 * np.max(true)
            if name != "gelu":
                assert factor == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("text", ["dense relu dense", "conv3 relu avg2 conv3 relu gap dense"])
def test_results_beyond_the_range_are_refused(text, engine):
    shape = (3,) if text.startswith("dense") else (4, 4, 1)
    x = np.ones((3, *shape))
    kernel = tg.NTK(text, engine=engine)
    for dtype, scale in (("float32", 1e20), ("float64", 1e160)):
        large = (scale * x).astype(dtype)
        remedy = (
            "pass float64 inputs, or scale" if dtype == "float32" else "; scale the inputs down"
        )
        for call in (
            kernel,
            lambda a: kernel(a, a + a),
            kernel.diag,
            partial(tg.gram, text, engine=engine),
            kernel + kernel,
        ):
            with pytest.raises(tg.InputError, match=f"beyond the range of {dtype}") as caught:
                call(large)
            assert remedy in str(caught.value)
    with pytest.raises(tg.InputError, match="beyond the range of float64"):
        kernel.distance(1e160 * x, -1e160 * x)


def test_products_and_multiples_beyond_the_range_are_refused():
    x = np.full((2, 3), 1e70)
    kernel = tg.NTK("dense relu dense")
    for large in (kernel * kernel * kernel, 1e300 * kernel):
        with pytest.raises(tg.InputError, match="beyond the range of float64"):
            large(x)
        with pytest.raises(tg.InputError, match="beyond the range of float64"):
            large.diag(x)


@pytest.mark.filterwarnings("ignore:for inputs that are nearly equal")
def test_torch_refuses_too_and_keeps_its_gradients():
    torch = pytest.importorskip("torch")
    x = torch.full((2, 3), 1e160, dtype=torch.float64, requires_grad=True)
    with pytest.raises(tg.InputError, match="beyond the range of float64"):
        tg.NTK("dense relu dense")(x)
    x = torch.full((2, 3), 1e18, dtype=torch.float32)
    x[1, 0] = 0
    x.requires_grad_(True)
    tg.NTK("dense erf dense")(x)[0, 1].backward()
    y = x.detach().double().requires_grad_(True)
    tg.NTK("dense erf dense")(y)[0, 1].backward()

    def along(direction, given):
        unit = torch.tensor(direction, dtype=given.dtype)
        return unit * (unit @ given) / (unit @ unit)

    # Of the angle alone: what is orthogonal to an input in the plane of both.
    size = float(y.grad.abs().max())
    assert size > 1e-19
    assert torch.allclose(y.grad[0] / size, along([-2, 1, 1], y.grad[0] / size), atol=1e-12)
    assert torch.allclose(y.grad[1] / size, along([1, 0, 0], y.grad[1] / size), atol=1e-12)
    assert torch.allclose(x.grad.double() / size, y.grad / size, atol=1e-5)


def test_inputs_too_small_for_a_normalized_kernel_are_refused():
    x = 1e-170 * np.eye(3)
    for kernel in (
        tg.NTK("dense relu dense", normalize=True),
        tg.NNGP("dense layernorm relu dense"),
    ):
        with pytest.raises(tg.InputError, match="scale the inputs up"):
            kernel(x)
    assert np.all(tg.NTK("dense relu dense")(x) == 0)
    y = np.concatenate([np.eye(3), np.zeros((1, 3))])
    assert tg.NTK("dense relu dense", normalize=True)(y)[3].tolist() == [0, 0, 0, 0]


def test_a_sum_that_overflows_is_no_overflow():
    large = np.full((4, 4), 2e38, dtype=np.float32)
    check_values(large)
    check_values(None)
    large[1, 2] = np.nan
    with pytest.raises(tg.InputError, match=r"^1 values of the kernel"):
        check_values(large)
