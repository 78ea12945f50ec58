"""Prepared inputs: the same bits as arrays, and nothing derived twice."""

import pickle

import numpy as np
import pytest

import tangency as tg
from cases import each
from tangency.engines import driver
from tangency.engines.fused import head, vectors
from tangency.errors import InputError
from tangency.kernels import Prepared


def _draw(shape, n, seed, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, *shape)).astype(dtype)


@each("prepared")
@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("normalize", [False, True])
def test_prepared_inputs_give_the_same_bits(text, shape, engine, normalize):
    x, y = _draw(shape, 5, 0), _draw(shape, 40, 1)
    kernel = tg.NTK(text, engine=engine, normalize=normalize)
    one, two = Prepared(x), Prepared(y)
    for _ in range(2):  # the second time from what is kept
        assert np.array_equal(kernel(one, two), kernel(x, y))
        assert np.array_equal(kernel(two, one), kernel(y, x))
        assert np.array_equal(kernel(one), kernel(x))
        assert np.array_equal(kernel.diag(two), kernel.diag(y))
        assert np.array_equal(kernel.distance(one, two), kernel.distance(x, y))
        both = tg.kernels.gram(text, one, two, engine=engine)
        assert all(map(np.array_equal, both, tg.kernels.gram(text, x, y, engine=engine)))


def test_one_set_serves_many_networks_and_dtypes():
    x, y = _draw((6, 6, 2), 4, 2), _draw((6, 6, 2), 3, 3, np.float32)
    given = Prepared(x)
    for text in ("conv3 relu gauss2 conv3 relu gap dense relu dense", "conv3 relu flatten dense"):
        for kernel in (tg.NTK(text), tg.NNGP(text), 0.5 * tg.NTK(text) + tg.NNGP(text)):
            assert np.array_equal(kernel(given), kernel(x))
            assert np.array_equal(kernel(Prepared(y), given), kernel(y, x))
            assert kernel(Prepared(y)).dtype == np.float32


def test_rows_of_flat_inputs_are_given_their_shape():
    x = _draw((6, 6, 2), 4, 4)
    given = Prepared(x.reshape(4, -1))
    kernel = tg.NTK("conv3 relu gap dense", input_shape=(6, 6, 2))
    assert np.array_equal(kernel(given), kernel(x))


@each("prepared", "Conv")
def test_marginals_of_a_block_are_computed_once(text, shape, monkeypatch):
    calls = []
    original = head.Head.marginals

    def counted(self, x, jobs):
        calls.append(len(x))
        return original(self, x, jobs)

    monkeypatch.setattr(head.Head, "marginals", counted)
    blocks = [Prepared(_draw(shape, n, n)) for n in (5, 6, 7)]
    kernel = tg.NTK(text)
    for one in blocks:
        for two in blocks:
            kernel(one, two)
    assert sorted(calls) == [5, 6, 7]


def test_norms_of_a_block_are_computed_once(monkeypatch):
    calls = []
    original = vectors.Norms

    def counted(*parts):
        calls.append(len(parts[0]))
        return original(*parts)

    monkeypatch.setattr(vectors, "Norms", counted)
    blocks = [Prepared(_draw((7,), n, n)) for n in (5, 6)]
    for one in blocks:
        for two in blocks:
            tg.NTK("dense relu dense")(one, two)
    assert sorted(calls) == [5, 6]


def test_the_reference_engine_computes_marginals_once(monkeypatch):
    calls = []
    original = driver.marginals

    def counted(plan, x, side):
        calls.append(len(x))
        return original(plan, x, side)

    monkeypatch.setattr(driver, "marginals", counted)
    given = Prepared(_draw((5, 1), 3, 0))
    for kernel in (tg.NTK, tg.NNGP):
        kernel("conv3 relu gap dense", engine="reference")(given)
    assert calls == [3]


def test_marginals_too_large_to_hold_are_not_kept(monkeypatch):
    monkeypatch.setattr(head, "BAND", 1)
    given = Prepared(_draw((6, 6, 1), 200, 0, np.float32))
    kernel = tg.NTK("conv3 relu gap dense")
    kernel(given)
    assert given.nbytes < given.inputs.nbytes + 10_000
    monkeypatch.undo()
    tg.NTK("conv3 relu conv3 relu gap dense")(given)
    assert given.nbytes > 3 * given.inputs.nbytes


def test_gradients_are_not_kept():
    torch = pytest.importorskip("torch")
    x = torch.tensor(_draw((4,), 3, 0), requires_grad=True)
    given = Prepared(x)
    kernel = tg.NTK("dense relu dense")
    first = torch.autograd.grad(kernel(given).sum(), x)[0]
    second = torch.autograd.grad(kernel(given).sum(), x)[0]
    assert torch.equal(first, second)
    assert torch.equal(first, torch.autograd.grad(kernel(x).sum(), x)[0])


def test_bad_inputs_are_refused_as_arrays_are():
    with pytest.raises(InputError, match="X holds NaN or infinity in 1 of 2 inputs"):
        tg.NTK("dense relu dense")(Prepared(np.array([[1.0], [np.nan]])))
    with pytest.raises(InputError, match="they must be equal"):
        tg.NTK("dense relu dense")(Prepared(np.ones((2, 3))), Prepared(np.ones((2, 4))))


def test_it_can_be_sent_to_another_process():
    given = Prepared(_draw((6, 6, 1), 4, 0))
    kernel = tg.NTK("conv3 relu gap dense")
    expected = kernel(given)
    copy = pickle.loads(pickle.dumps(given))
    assert copy.nbytes == given.inputs.nbytes
    assert np.array_equal(kernel(copy), expected)
