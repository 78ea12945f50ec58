"""Attention, vectors of positions and transformers, by the reference engine."""

import numpy as np
import pytest

import tangency as tg
from tangency.nets import Layer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 6, 2))
MECHANISMS = ["softmax", "identity", "relu", "abs", "identity,root"]


def attention(mechanism: str, options: str = "") -> str:
    return f"dense relu attention:{mechanism}{options} relu gap dense"


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_order_of_positions_counts_only_where_they_are_known(kind, mechanism):
    moved = X.copy()
    moved[1:] = moved[1:, RNG.permutation(6)]
    blind, seeing = attention(mechanism), attention(mechanism, ",positions=sum")
    # Of one input and others whose positions are laid otherwise; of the mean, all are alike.
    np.testing.assert_allclose(kind(blind)(moved), kind(blind)(X), rtol=1e-12)
    before = f"dense posembed relu attention:{mechanism} relu gap dense"
    for net in (seeing.replace("gap", "flatten"), before):
        assert np.abs(kind(net)(moved) / kind(net)(X) - 1)[0, 1:].max() > 1e-4


@pytest.mark.parametrize("positions", ["", ",positions=sum", ",positions=concatenate"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_symmetric_positive_and_alone(mechanism, positions):
    for kind in (tg.NTK, tg.NNGP):
        kernel = kind(attention(mechanism, positions + ",b=0.2"))
        found = kernel(X)
        assert (found == found.T).all()
        assert np.linalg.eigvalsh(found).min() > -1e-12 * np.trace(found)
        np.testing.assert_allclose(kernel.diag(X), np.diag(found), rtol=1e-13)
        np.testing.assert_allclose(kernel(X, X[:2]), found[:, :2], rtol=1e-12)
        single = kernel(X.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, found, rtol=2e-4)


def test_one_position_of_softmax_is_two_layers():
    x = X[:, :1]
    for kind in (tg.NTK, tg.NNGP):
        found = kind("dense attention:value_std=1.3,b=0.1 relu gap dense")(x)
        plain = kind("dense dense:w=1.3 dense:b=0.1 relu gap dense")(x)
        np.testing.assert_allclose(found, plain, rtol=1e-13)


def test_by_hand():
    """G = q·k·Σ_xx with R/2 at the diagonal of half of it; Σ' = v²·o²·G Σ G'ᵀ."""
    s = np.einsum("iuc,jvc->ijuv", X, X)
    seen = np.array([s[i, i] for i in range(5)])
    g = 0.6 * seen
    expected = 4 * np.einsum("iua,ijab,jvb->ij", g, s, g) / 36
    net = "attention:identity,query_std=0.3,key_std=2,value_std=2 gap"
    np.testing.assert_allclose(tg.NNGP(net)(X), expected, rtol=1e-12)
    g = np.abs((seen + 0.49 * np.eye(6)) / 2)
    expected = np.einsum("iua,ijab,jvb->ij", g, s, g) / 36
    net = "dense attention:abs,positions=concatenate,position_std=0.7 gap"
    np.testing.assert_allclose(tg.NNGP(net)(X), expected, rtol=1e-12)


def test_vectors_of_positions_by_hand():
    near = np.exp(-((np.arange(6)[:, None] - np.arange(6)) ** 2) / 1.5**2)
    both = tg.gram("dense posembed:w=0.8,length=1.5 gap", X, engine="reference")
    plain = tg.gram("dense gap", X, engine="reference")
    for found, without in zip(both, plain, strict=True):
        np.testing.assert_allclose(found, without + 0.64 * near.mean(), rtol=1e-12)
    frozen = tg.NTK("dense posembed:w=0.8,length=1.5,frozen gap")(X)
    np.testing.assert_allclose(frozen, plain.ntk, rtol=1e-12)
    # Without a reason to know more than the diagonal, no more is known.
    flat = tg.NNGP("dense posembed:w=0.8 flatten")(X)
    np.testing.assert_allclose(flat, tg.NNGP("dense flatten")(X) + 0.64, rtol=1e-12)


def test_class_tokens_by_hand():
    """A token attends to itself with w², and to no other; of a picture, positions stand in rows."""
    x = X.reshape(5, 3, 2, 2)
    s = np.einsum("iuvc,jwxc->ijuvwx", x, x).reshape(5, 5, 6, 6)
    sigma = np.pad(s, ((0, 0), (0, 0), (1, 0), (1, 0)))
    sigma[:, :, 0, 0] = 0.49
    powers = np.exp(sigma[range(5), range(5)])
    g = powers / powers.sum(-1, keepdims=True)
    tokens = np.einsum("ia,ijab,jb->ij", g[:, 0], sigma, g[:, 0])
    bare = tg.gram("dense classtoken:w=0.7 attention:bare slice0", x)
    np.testing.assert_allclose(bare.nngp, tokens, rtol=1e-12)
    np.testing.assert_allclose(bare.ntk, tokens, rtol=1e-12)
    mean = tg.NNGP("dense classtoken:w=0.7 attention:query_std=0 gap")(x)
    np.testing.assert_allclose(mean, sigma.mean((-1, -2)), rtol=1e-12)
    frozen = tg.NTK("dense classtoken:w=0.7,frozen slice0 dense")(x)
    np.testing.assert_allclose(frozen, np.full((5, 5), 0.49), rtol=1e-12)
    wide = tg.gram("dense attention gap", X)
    plain = tg.gram("dense attention:bare dense dense gap", X)
    for found, expected in zip(wide, plain, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_large_logits_do_not_overflow():
    found = tg.NTK("conv3 attention:query_std=1000 gap dense")(X)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("mechanism", ["softmax,positions=sum", "abs", "identity,root"])
def test_gradients(mechanism):
    torch = pytest.importorskip("torch")
    std = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    layer = tg.parse(f"attention:{mechanism}").layers[0]
    x = torch.as_tensor(X[:2, :3]).requires_grad_()

    def kernel(x, std):
        from dataclasses import replace

        net = tg.Sequential(
            tg.Conv(2), replace(layer, query_std=std, value_std=std), tg.ReLU(), tg.Flatten()
        )
        return tg.NTK(net, engine="reference")(x)

    assert torch.autograd.gradcheck(kernel, (x, std))


@pytest.mark.parametrize("net", [tg.vit(patch=2), tg.vit(patch=2, mechanism="relu")], ids=str)
def test_a_vision_transformer(net):
    x = RNG.normal(size=(6, 4, 6, 3))
    found = tg.NTK(net)(x)
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.array_equal(tg.NTK(tg.parse(str(net)))(x), found)


def test_a_text_transformer():
    words = np.eye(7)[RNG.integers(0, 7, size=(6, 5))]
    words[1] = words[0]
    words[1, [0, 4]] = words[0, [4, 0]]
    net, blind = tg.transformer(blocks=1), tg.transformer(blocks=1, position_std=0)
    for kind in (tg.NTK, tg.NNGP):
        assert np.linalg.eigvalsh(kind(net)(words)).min() > -1e-12
        values = kind(blind)(words)
        assert values[0, 1] == pytest.approx(values[0, 0], rel=1e-12)


REFUSED: list[tuple[Layer | str, str]] = [
    ("gap attention dense", r"SelfAttention needs a grid of positions, got a vector"),
    ("flatten posembed dense", r"PositionalEmbedding needs a grid of positions, got a vector"),
    ("posembed gap dense", "have the few channels of the inputs here, .* put Conv"),
    ("attention:positions=sum gap dense", "have the few channels of the inputs here"),
    ("attention:identity,root,positions=sum gap dense", "have the few channels of the inputs"),
    ("flatten classtoken dense", r"ClassToken needs a grid of positions, got a vector"),
    ("classtoken slice0 dense", "have the few channels of the inputs here, .* put Conv"),
]


@pytest.mark.parametrize(("net", "message"), REFUSED, ids=[str(net) for net, _ in REFUSED])
def test_signals_that_are_refused(net, message):
    with pytest.raises(tg.NetworkError, match=message):
        tg.NTK(net)(X)


def test_options_that_are_refused():
    with pytest.raises(tg.NetworkError, match="divided by the root of the width has no closed"):
        tg.SelfAttention(linear_scaling=False)
    with pytest.raises(tg.NetworkError, match=r"mechanism must be one of softmax, .*; got 8"):
        tg.SelfAttention(8)
    with pytest.raises(tg.NetworkError, match="Heads and widths are infinite here"):
        tg.SelfAttention("softmax", 8)
    with pytest.raises(tg.NetworkError, match="positions must be one of sum, concatenate"):
        tg.SelfAttention(positions="rotary")
    with pytest.raises(tg.NetworkError, match="key_std must be at least 0"):
        tg.SelfAttention(key_std=-1)
    with pytest.raises(tg.NetworkError, match="weights=False takes linear_scaling=True"):
        tg.SelfAttention("identity", linear_scaling=False, weights=False)
    with pytest.raises(tg.NetworkError, match=r"out_std is that of weights which .*give it to the"):
        tg.SelfAttention(out_std=2, weights=False)
    with pytest.raises(tg.NetworkError, match="count must be at least 1"):
        tg.ClassToken(count=0)
    with pytest.raises(tg.NetworkError, match="Channels have no number here: write ClassToken"):
        tg.ClassToken(64)
    with pytest.raises(tg.NetworkError, match="length must be greater than 0"):
        tg.PositionalEmbedding(length=0)
    with pytest.raises(tg.NetworkError, match="takes all pairs of the positions of a grid of 512"):
        tg.parse("conv3 attention gap dense").output_shape((512, 512, 3))
    with pytest.raises(tg.NetworkError, match=r"SelfAttention\(\) has learning rates of its own"):
        tg.standard("conv3 attention gap dense", (1, 8))


def test_who_has_no_way_for_it_says_so():
    net = "conv3 attention gap dense"
    with pytest.raises(tg.InputError, match="SelfAttention takes sums over all positions with"):
        tg.NTK(net, engine="fused")(X)
    with pytest.raises(tg.InputError, match="PositionalEmbedding adds covariances of positions"):
        tg.NTK("conv3 posembed gap dense", engine="fused")(X)
    with pytest.raises(tg.NetworkError, match=r"no feature map of Product\(Dense"):
        tg.LayerwiseFeatures(tg.NTK("conv3 attention:identity,root gap dense")).fit(X)
    with pytest.raises(tg.InputError, match=r"attention dense' is not dense, .* is no function of"):
        tg.bias.spectrum(tg.NTK("attention dense"), 3)


@pytest.mark.parametrize(
    "text",
    [
        "dense posembed:w=0.7 attention:b=0.2 gap dense",
        "dense relu posembed:length=2,frozen attention:relu,positions=sum gap dense",
        "dense posembed erf attention:abs,positions=concatenate erf flatten dense",
    ],
)
def test_features_that_reach_the_rank_are_exact(text):
    for kind in (tg.NTK, tg.NNGP):
        kernel = kind(text)
        features = tg.LayerwiseFeatures(kernel, 400, widths=None, random_state=0).fit(X)
        found = features.transform(X)
        np.testing.assert_allclose(found @ found.T, kernel(X), rtol=1e-5, atol=1e-8)
