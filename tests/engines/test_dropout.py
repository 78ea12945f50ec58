"""Random masks: on the diagonal of K(X) and in `diag`, and nowhere else."""

import numpy as np
import pytest

import tangency as tg

X = np.random.default_rng(0).normal(size=(6, 5))
X[4] = X[1]
GRIDS = np.random.default_rng(1).normal(size=(5, 6, 2))
GRIDS[3] = GRIDS[0]
CASES = [
    (X, "dense relu dropout0.7 dense erf dense"),
    (GRIDS, "conv3 relu dropout0.5 conv3 relu gap dense"),
    (GRIDS, "conv3 res(relu conv3 dropout0.8) avg2 flatten dense"),
]


@pytest.mark.parametrize(("x", "text"), CASES, ids=[t for _, t in CASES])
@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_the_diagonal_alone_has_masks(x, text, kind):
    kernel = kind(text)
    own, cross = kernel(x), kernel(x, x.copy())
    np.testing.assert_allclose(kernel.diag(x), np.diag(own), rtol=1e-14)
    apart = ~np.eye(len(x), dtype=bool)
    scale = np.sqrt(np.outer(np.diag(own), np.diag(own)))
    assert (kernel(x, x) == own).all()
    assert (np.abs(own - cross) / scale)[apart].max() < 1e-13
    # An input and its copy, in X or in Y, have masks of their own.
    assert (np.diag(own) > 1.01 * np.diag(cross)).all()
    i, j = (1, 4) if x is X else (0, 3)
    assert own[i, j] == pytest.approx(cross[i, i], rel=1e-12)
    assert (own == own.T).all()
    assert np.linalg.eigvalsh(own).min() > 0


def test_one_mask_by_hand():
    """E_2 has Σ = κ₁(0) = 1/π between the two, and the mask makes 1/keep of the variances."""
    keep = 0.25
    q, c = 1 / keep, keep / np.pi
    theta = np.arccos(c)
    found = tg.NNGP("dense relu dropout0.25 dense relu dense")(np.eye(2))
    assert found[0, 1] == pytest.approx(q * (np.sin(theta) + (np.pi - theta) * c) / np.pi)
    assert found[0, 0] == pytest.approx(q)


def test_without_a_mask_it_is_the_identity():
    plain = tg.NTK("dense relu dense", engine="reference")(X)
    assert (tg.NTK("dense relu dropout1 dense", engine="reference")(X) == plain).all()


def test_means_over_masks_of_finite_networks():
    torch = pytest.importorskip("torch")
    from tangency import finite

    net, x, draws = "dense dropout0.5 dense", X[:3], 4000
    module = finite.build(net, 50, (5,))
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    inputs, found = torch.as_tensor(x, dtype=torch.float32), []
    for _ in range(draws):
        for p in module.parameters():
            p.data.normal_(generator=generator)
        f = module(inputs)[:, 0].detach().double().numpy()
        found.append(np.outer(f, f))
    found, expected = np.array(found), tg.NNGP(net)(x)
    error = found.std(0) / np.sqrt(draws)
    assert (np.abs(found.mean(0) - expected) < 4 * error).all()
    assert (error < 0.05 * np.diag(expected).max()).all()


def test_what_has_no_loop_or_features_says_so():
    net = "dense relu dropout0.5 dense"
    with pytest.raises(tg.InputError, match="Dropout has random masks"):
        tg.NTK(net, engine="fused")(X)
    with pytest.raises(tg.NetworkError, match=r"no feature map of Dropout\(0.5\)"):
        tg.LayerwiseFeatures(tg.NTK(net)).fit(X)


def test_learning_rates_in_finite_networks():
    """The tangent kernels of wide networks whose weights learn at rates of their own."""
    pytest.importorskip("torch")
    from tangency import finite

    net = "dense:b=0.3,weight_rate=3,bias_rate=0.5 erf dense:w=0.7,weight_rate=0.2"
    x, draws = X[:3], 60
    modules = [finite.build(net, 400, (5,), seed=seed) for seed in range(draws)]
    found = np.array([np.asarray(finite.empirical_ntk(m, x), float) for m in modules])
    found, expected = found.reshape(draws, 3, 3), tg.NTK(net)(x)
    error = found.std(0) / np.sqrt(draws)
    assert (np.abs(found.mean(0) - expected) < 4.5 * error).all()
    assert (error < 0.02 * np.diag(expected).max()).all()
