"""Tiles and memory: estimates against measured peaks, budgets, and what does not fit."""

import tracemalloc

import numpy as np
import pytest

import oracle
import tangency as tg
from cases import each, networks
from tangency.engines import driver, memory, tiles
from tangency.engines.engine import Wanted
from tangency.engines.gradients import has_gradient
from tangency.nets.plan import plan


def peak(function):
    """The most memory allocated during a call, in bytes, beyond what was there before."""
    function()  # caches and imports
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@each("memory")
def test_the_estimate_for_a_pair_is_an_upper_bound_and_not_a_wild_one(shape, text):
    steps = plan(tg.parse(text), shape)
    # Diagonals are small: enough pairs that they outweigh the fixed part.
    n = 100 if "flatten" in text else 16
    x = np.random.default_rng(0).normal(size=(n, *shape))
    grid = tiles.tiles(steps, n, n, 8, 2**33, False, False)
    side = min(n, grid.side)
    fixed = (2 * n * n + 2 * n * tiles.marginal_entries(steps)) * 8
    measured = peak(lambda: driver.gram(steps, x, x.copy(), max_memory=2**33))
    estimate = side * side * tiles.pair_bytes(steps, 8) + fixed
    assert measured <= 1.05 * estimate + 20_000 + x.nbytes
    assert estimate <= 6 * measured


@pytest.mark.parametrize(
    "text", ["dense activation:function=tanh dense", "dense relu dense erf dense"]
)
def test_the_estimate_for_vectors_is_an_upper_bound(text):
    steps = plan(tg.parse(text), (20,))
    x = np.random.default_rng(0).normal(size=(300, 20))
    for budget in (2**23, 2**33):
        measured = peak(lambda budget=budget: driver.gram(steps, x, None, max_memory=budget))
        assert measured <= budget
    assert measured < 2**26


@pytest.mark.parametrize("want", [Wanted(), Wanted(nngp=False), Wanted(ntk=False)])
def test_only_what_is_wanted_takes_room(want):
    n = 800
    steps = plan(tg.parse("dense relu dense"), (2,))
    x = np.random.default_rng(0).normal(size=(n, 2))
    measured = peak(lambda: driver.gram(steps, x, None, max_memory=2**26, wanted=want))
    count = 3 if all(want) else 2  # and the products
    budget = count * n * n * 8 + 2**20
    assert peak(lambda: driver.gram(steps, x, None, max_memory=budget, wanted=want)) <= budget
    assert measured >= count * n * n * 8


@each("memory")
@pytest.mark.parametrize("share", [1.2, 4])
def test_the_budget_is_kept(shape, text, share):
    steps = plan(tg.parse(text), shape)
    x = np.random.default_rng(0).normal(size=(12, *shape))
    least = tiles.pair_bytes(steps, 8) + (2 * 144 + 24 * tiles.marginal_entries(steps)) * 8
    budget = int(share * least) + 40_000
    measured = peak(lambda: driver.gram(steps, x, None, max_memory=budget))
    assert measured <= budget
    measured = peak(lambda: driver.diagonal(steps, x, max_memory=budget))
    assert measured <= budget


def test_marginals_do_not_keep_whole_covariances_alive():
    """The diagonal of Σ is a view of it; 2,000 of those would be 10 GB for images of 28 × 28."""
    steps = plan(tg.parse("conv3 relu gauss2 conv3 relu gap dense"), (10, 10, 1))
    x = np.random.default_rng(0).normal(size=(30, 10, 10, 1))
    held = driver.marginals(steps, x, 1)
    assert all(q.base is None or q.base.size == q.size for q in held)
    measured = peak(lambda: driver.marginals(steps, x, 1))
    assert measured <= tiles.pair_bytes(steps, 8) + 4 * sum(q.nbytes for q in held)


def test_what_cannot_fit_says_how_much_it_needs():
    x = np.zeros((3, 28, 28, 1))
    message = (
        r"a kernel matrix of 3 × 3 needs at least 65\.\d MiB \(.* for the result and the marginals,"
        r" 65\.\d MiB to work on one pair\), but 1\.0 MiB are allowed; raise max_memory, pass"
        r" fewer inputs at a time, or use float32"
    )
    with pytest.raises(tg.MemoryLimitError, match=message):
        oracle.NTK("conv3 relu gap dense", max_memory=2**20)(x)
    with pytest.raises(tg.MemoryLimitError, match="65"):
        oracle.NNGP("conv3 relu gap dense", max_memory=2**20).diag(x)
    with pytest.raises(tg.MemoryLimitError, match=r"1,000 × 1,000 needs at least 15\.\d MiB"):
        oracle.NTK("dense relu dense", max_memory=2**20)(np.zeros((1000, 2)))


def test_the_stated_need_is_enough():
    """The message's figure is no guess: with it the same call runs."""
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 1))
    with pytest.raises(tg.MemoryLimitError) as caught:
        oracle.NTK("conv3 relu gap dense", max_memory=1000)(x)
    need = float(str(caught.value).split("needs at least ")[1].split(" MiB")[0])
    oracle.NTK("conv3 relu gap dense", max_memory=int((need + 0.1) * 2**20))(x)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize("free", [2**31, 2**34])
def test_two_thousand_images_fit_in_a_quarter_of_what_is_free(shape, free):
    """Planned, not computed: on machines with 2 and 16 GiB free, in double precision."""
    for net in (tg.cntk(11), tg.ckn(), tg.myrtle(10), tg.wide_resnet(), tg.cntk(5, "flatten")):
        if net == tg.myrtle(10) and shape[0] < 32:
            continue
        for itemsize in (4, 8):
            grid = tiles.tiles(plan(net, shape), 2000, 2000, itemsize, free // 4, True, False)
            assert grid.side >= 1


@pytest.mark.parametrize(
    ("n", "m", "side"), [(1, 1, 1), (7, 7, 3), (7, 4, 3), (5, 9, 20), (6, 6, 1)]
)
@pytest.mark.parametrize("symmetric", [True, False])
def test_tiles_cover_every_pair_once(n, m, side, symmetric):
    m = n if symmetric else m
    seen = np.zeros((n, m), dtype=int)
    grid = tiles.Tiles(n, m, side, symmetric)
    for rows, cols in grid:
        seen[rows, cols] += 1
        assert rows.stop - rows.start <= side
    assert grid.pairs == seen.sum()
    assert np.array_equal(np.triu(seen), np.triu(np.ones((n, m)))) if symmetric else seen.all()
    assert seen.max() == 1


def test_the_default_budget_is_a_quarter_of_what_is_free(monkeypatch):
    class Free:
        available = 4_000_000

    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Free)
    assert memory.default_budget(np.ones(1)) == 1_000_000
    with pytest.raises(tg.MemoryLimitError, match=r"but 976\.6 KiB are allowed"):
        oracle.NTK("conv3 relu gap dense")(np.ones((1, 28, 28, 1)))


def test_a_differentiable_matrix_counts_what_is_kept():
    torch = pytest.importorskip("torch")
    x = torch.ones((16, 4, 4, 1), dtype=torch.float64)
    kernel = oracle.NTK("conv3 relu conv3 relu gap dense", max_memory=2**20)
    kernel(x)
    values = kernel(x.requires_grad_(True))
    values.sum().backward(retain_graph=True)
    with pytest.raises(tg.MemoryLimitError, match=r"keeps .* for the backward pass.*no_grad"):
        torch.autograd.grad(values.sum(), x, create_graph=True)
    with torch.no_grad():
        kernel(x)
    w = torch.tensor(1.0, requires_grad=True)
    body = tg.Sequential(tg.ReLU(), tg.Conv(3, weight_std=w))
    assert has_gradient(tg.Sequential(tg.Conv(3), tg.Residual(body)))
    assert not has_gradient(tg.wide_resnet())


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        *networks("memory"),
        ((20,), "dense relu dense erf dense"),
        ((6, 6, 1), "conv3 activation:function=tanh gap dense"),
    ],
)
def test_the_estimate_of_what_a_backward_pass_keeps_is_an_upper_bound(shape, text):
    torch = pytest.importorskip("torch")
    steps = plan(tg.parse(text), shape)
    n = 40 if len(shape) == 1 else 6
    x = torch.tensor(np.random.default_rng(0).normal(size=(n, *shape)), requires_grad=True)
    kept, held = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        driver.gram(steps, x, x.detach() + 1, max_memory=2**34)
    inputs = sum(map(tiles.coefficient_entries, steps.steps)) * 2 * n * 8
    estimate = n * n * tiles.pair_bytes(steps, 8, gradient=True) + inputs
    # Arrays that do not grow with the number of pairs: inputs, quadrature rules.
    assert sum(kept.values()) <= estimate + 40 * x.nbytes + 400_000
