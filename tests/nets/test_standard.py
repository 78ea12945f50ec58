"""Standard parametrisation: learning rates against the Jacobians of PyTorch's own layers."""

import numpy as np
import pytest

import tangency as tg

torch = pytest.importorskip("torch")


def jacobian_kernel(function, x, *shapes):
    """Σ of ∂f(x)/∂θ·∂f(y)/∂θ at the positions of one output channel, (n, n, outputs, outputs)."""
    signals = torch.tensor(np.moveaxis(x, -1, 1))
    start = tuple(torch.ones(shape, dtype=torch.float64) for shape in shapes)
    found = torch.autograd.functional.jacobian(lambda *p: function(signals, *p), start)
    flat = torch.cat(
        [j.reshape(len(x), -1, s.numel()) for j, s in zip(found, start, strict=True)], -1
    )
    return torch.einsum("nup,mvp->nmuv", flat, flat).numpy()


def convt(x, weight, bias):
    return torch.nn.functional.conv_transpose1d(x, weight, bias, stride=2)


def local(x, weight, bias):
    """Weights (positions, channels, patch) of their own at each position."""
    return torch.einsum("ncup,ucp->nu", x.unfold(2, 3, 1), weight) + bias


@pytest.mark.parametrize(
    ("layer", "function", "shapes"),
    [
        (tg.ConvTranspose(3, stride=2, padding="valid", bias_std=0.3), convt, [(2, 1, 3), (1,)]),
        (tg.ConvLocal(3, padding="valid", bias_std=0.3), local, [(4, 2, 3), (4,)]),
    ],
    ids=["transposed", "local"],
)
def test_layers_with_weights_of_their_own_kind(layer, function, shapes):
    x = np.random.default_rng(0).normal(size=(3, 6, 2))
    expected = jacobian_kernel(function, x, *shapes)
    for readout, mean in (("flatten", "nmuu->nm"), ("gap", "nmuv->nm")):
        net = tg.Sequential(layer, *tg.parse(f"{readout} dense:frozen"))
        # Inputs are taken as they are: one channel in.
        changed = tg.standard(net, (1, 64))
        assert changed[0].weight_rate == 1
        assert changed[0].bias_rate == 1
        terms = expected.shape[-1] ** (1 if readout == "flatten" else 2)
        np.testing.assert_allclose(
            tg.NTK(changed)(x), np.einsum(mean, expected) / terms, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("ratio", [0, "", np.array([1.0, 2.0])])
def test_ratios_of_widths_that_are_none(ratio):
    with pytest.raises(tg.NetworkError, match="s must be"):
        tg.standard("dense relu dense", (1, 512), ratio)
