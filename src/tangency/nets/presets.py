"""Networks of the literature, by name."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from ..errors import NetworkError
from .activations import GELU, ReLU
from .attention import PositionalEmbedding, SelfAttention
from .base import Layer, choice, fixed, number, shown, whole
from .branches import Concatenate
from .linear import Conv, Dense
from .pooling import AvgPool, Flatten, GaussianPool, GlobalAvgPool
from .structure import LayerNorm, Residual, Sequential
from .transposed import ConvTranspose

_WIDTHS = "widths are infinite here; tangency.finite.build(net, width, ...) has a width"
_DEEPEST = 50


def _depth(depth: int, name: str, least: int) -> int:
    """A number of layers; one as large as a width is taken to be one.

    Raises:
        NetworkError: less than `least`, or more than 50.
    """
    if whole(depth, "depth", least) > _DEEPEST:
        raise NetworkError(
            f"{name}({depth}) is a network of {depth} layers, not of {depth} units: {_WIDTHS}. One "
            f"of more than {_DEEPEST} layers is written out, as in "
            f"Sequential(*[Dense(), ReLU()] * {_DEEPEST}, Dense())"
        )
    return int(depth)


def mlp(depth: int = 2, activation: Layer | None = None, bias_std: float = 0.0) -> Sequential:
    """A fully connected network of `depth` layers with weights, `depth` − 1 activations.

    Args:
        depth: at most 50; a larger number is taken for a width, which is infinite here.
        activation: a layer; default ReLU.
        bias_std: standard deviation of the biases of all layers.

    Raises:
        NetworkError: arguments out of these bounds, or no layer.

    >>> from tangency import mlp
    >>> print(mlp(3))
    dense relu dense relu dense
    """
    depth = _depth(depth, "mlp", 1)
    if activation is not None and not isinstance(activation, Layer):
        raise NetworkError(
            f"activation must be a layer such as ReLU() or Erf(), got {shown(activation)}; "
            f"{_WIDTHS}"
        )
    hidden = [Dense(bias_std=bias_std), activation or ReLU()] * (depth - 1)
    return Sequential(*hidden, Dense(bias_std=bias_std))


def cntk(depth: int = 3, readout: str = "gap", patch: int = 3) -> Sequential:
    """The convolutional networks of Arora et al. 2019: `depth` − 1 convolutions and a last layer.

    Args:
        depth: layers with weights, the last (dense) one included, as they count it; 2 to 50.
        readout: "gap", global average pooling with the first and last layer frozen, or "flatten"
            (their "vanilla" CNTK), all layers trained.

    Source: Arora, Du, Hu, Li, Salakhutdinov & Wang 2019, "On exact computation with an infinitely
    wide neural net", section 4.

    >>> from tangency import cntk
    >>> print(cntk(3))
    conv3:frozen relu conv3 relu gap dense:frozen
    """
    depth = _depth(depth, "cntk", 2)
    readout = choice(readout, "readout", ("gap", "flatten"))
    frozen = readout == "gap"
    layers: list[Layer] = []
    for index in range(depth - 1):
        layers += [Conv(patch, trainable=not (frozen and index == 0)), ReLU()]
    layers.append(GlobalAvgPool() if readout == "gap" else Flatten())
    return Sequential(*layers, Dense(trainable=not frozen))


def ckn(
    patches: tuple[int, ...] = (3, 3),
    pools: tuple[int, ...] = (2, 5),
    activation: Layer | None = None,
) -> Sequential:
    """A convolutional kernel network: patch, kernel, Gaussian pooling, repeated; then a readout.

    Args:
        patches: the patch size of each layer.
        pools: the pooling factor of each layer.
        activation: the kernel on patches; default ReLU, `Exponential(sigma)` is the other usual
            choice.

    Source: Mairal 2016; Bietti & Mairal 2019 (their networks on digits are the default).

    >>> from tangency import ckn
    >>> print(ckn())
    conv3 relu gauss2 conv3 relu gauss5 flatten dense
    """
    pair = (patches, pools)
    if (
        not all(isinstance(p, tuple | list) for p in pair)
        or len(patches) != len(pools)
        or not pools
    ):
        raise NetworkError(
            "patches and pools need one number for each layer, as in ckn((3, 3), (2, 5)); got "
            f"{shown(patches)} and {shown(pools)}"
        )
    layers: list[Layer] = []
    for patch, factor in zip(patches, pools, strict=True):
        layers += [Conv(patch), ReLU() if activation is None else activation, GaussianPool(factor)]
    return Sequential(*layers, Flatten(), Dense())


def myrtle(depth: int = 5) -> Sequential:
    """The Myrtle networks of Shankar et al. 2020, with 5, 7 or 10 layers; for 32×32 images.

    >>> from tangency import myrtle
    >>> print(myrtle(5))
    conv3 relu conv3 relu avg2 conv3 relu avg2 conv3 relu avg2 avg2 avg2 flatten dense
    """
    blocks = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}
    if not isinstance(depth, int) or depth not in blocks:
        raise NetworkError(f"Myrtle networks have 5, 7 or 10 layers, got {shown(depth)}")
    layers: list[Layer] = []
    for count in blocks[depth]:
        layers += [Conv(3), ReLU()] * count + [AvgPool(2)]
    return Sequential(*layers, AvgPool(2), AvgPool(2), Flatten(), Dense())


def wide_resnet(*sizes: int, blocks: int = 1, groups: int = 3) -> Sequential:
    """A wide residual network: `groups` groups of `blocks` pre-activation blocks, then the mean.

    Both are passed by name: WRN-28-10 elsewhere is a depth and a width, and widths are infinite
    here. The first block of a group has a convolution as shortcut; from the second group on it
    halves the grid.

    Source: Zagoruyko & Komodakis 2016, with stride-1 first convolution and 3×3 shortcuts.

    >>> from tangency import wide_resnet
    >>> print(wide_resnet(groups=1))
    conv3 res(relu conv3 relu conv3 | conv3) relu gap dense
    """
    if sizes:
        came = ", ".join(map(shown, sizes))
        raise NetworkError(
            f"wide_resnet({came}): both numbers are passed by name, wide_resnet(blocks=4, "
            "groups=3), the blocks in each group and the groups; WRN-28-10 has blocks=4 (a depth "
            f"of 28 is 6·blocks + 4) and a width of 10, and {_WIDTHS}"
        )
    blocks, groups = whole(blocks, "blocks", 1), whole(groups, "groups", 1)
    layers: list[Layer] = [Conv(3)]
    for group in range(groups):
        for block in range(blocks):
            stride = 2 if group > 0 and block == 0 else 1
            body = Sequential(ReLU(), Conv(3, stride=stride), ReLU(), Conv(3))
            layers.append(Residual(body, Conv(3, stride=stride) if block == 0 else None))
    return Sequential(*layers, ReLU(), GlobalAvgPool(), Dense())


def densenet(*sizes: int, layers: int = 4, blocks: int = 3, compression: float = 0.5) -> Sequential:
    """A densely connected network: `blocks` blocks of `layers` convolutions, then the mean.

    Each convolution reads the channels of all before it in its block and adds its own to them;
    between blocks a 1×1 convolution keeps `compression` of the channels, and pooling halves the
    grid. Both numbers are passed by name, as DenseNet-121 elsewhere is a depth. The first
    convolution has twice as many channels as those that are added.

    Without batch normalisation an activation before a convolution, of all channels so far, is the
    same as one after it, of the new ones.

    Source: Huang, Liu, van der Maaten & Weinberger 2017.

    >>> from tangency import densenet
    >>> print(densenet(blocks=1, layers=2))
    conv3 relu cat( | conv3 relu):widths=2x1 cat( | conv3 relu):widths=3x1 gap dense
    """
    if sizes:
        came = ", ".join(map(shown, sizes))
        raise NetworkError(
            f"densenet({came}): both numbers are passed by name, densenet(layers=6, blocks=3), the "
            f"convolutions in each block and the blocks; there is no growth rate, as {_WIDTHS}"
        )
    layers, blocks = whole(layers, "layers", 1), whole(blocks, "blocks", 1)
    kept = fixed(compression, "compression", positive=True, most=1.0)
    chain: list[Layer] = [Conv(3), ReLU()]
    width = 2.0
    for block in range(blocks):
        if block > 0:
            chain += [Conv(1), AvgPool(2), ReLU()]
            width *= kept
        for _ in range(layers):
            chain.append(Concatenate(None, Sequential(Conv(3), ReLU()), widths=(width, 1)))
            width += 1
    return Sequential(*chain, GlobalAvgPool(), Dense())


def unet(*sizes: int, levels: int = 2, convs: int = 2, readout: str = "gap") -> Sequential:
    """A U-shaped network: the grid is halved `levels` times and restored, with skip connections.

    On each level `convs` convolutions are followed by average pooling, by the levels below, by a
    transposed convolution that doubles the grid, and by `convs` convolutions of both together,
    each with as many channels. The numbers are passed by name. Sides of the grid must be multiples
    of 2^levels; the weights of transposed convolutions are such that variances of images stay.

    Args:
        levels: how many times the grid is halved.
        convs: convolutions before and after each.
        readout: "gap" or "flatten", before a last dense layer.

    Raises:
        NetworkError: arguments out of these bounds.

    Source: Ronneberger, Fischer & Brox 2015, with padding, and averages in place of maxima.

    >>> from tangency import unet
    >>> print(unet(levels=1, convs=1))
    conv3 relu cat( | avg2 conv3 relu convt2:stride=2,w=2) conv3 relu gap dense
    """
    if sizes:
        came = ", ".join(map(shown, sizes))
        raise NetworkError(
            f"unet({came}): both numbers are passed by name, unet(levels=4, convs=2), how many "
            f"times the grid is halved and the convolutions between; {_WIDTHS}"
        )
    levels, convs = _depth(levels, "unet", 1), whole(convs, "convs", 1)
    readout = choice(readout, "readout", ("gap", "flatten"))
    block: list[Layer] = [Conv(3), ReLU()] * convs
    chain = block
    for _ in range(levels):
        below = Sequential(AvgPool(2), *chain, ConvTranspose(2, stride=2, weight_std=2.0))
        chain = [*block, Concatenate(None, below), *block]
    return Sequential(*chain, GlobalAvgPool() if readout == "gap" else Flatten(), Dense())


def vit(
    *sizes: int,
    patch: int | tuple[int, ...] = 4,
    blocks: int = 2,
    mechanism: str = "softmax",
    position_std: float = 1.0,
) -> Sequential:
    """A vision transformer: patches, vectors of their positions, `blocks` blocks, the mean.

    Args:
        patch: the size of a patch, a number or one per axis; what is left at the edge is cut off.
        blocks: each is attention and an MLP, with LayerNorm before and a shortcut around both.
        mechanism: of the attention, as in `SelfAttention`: queries and keys are scaled linearly,
            where those of the literature have the root of their width, which has no closed form.
        position_std: standard deviation of the vectors of positions; 0 leaves them out.

    All are passed by name. The mean over patches stands in place of a class token.

    Source: Dosovitskiy et al. 2021, "An image is worth 16×16 words", with pre-LayerNorm blocks.

    >>> from tangency import vit
    >>> print(vit(patch=8, blocks=1, position_std=0).layers[0])
    conv8:stride=8,pad=valid
    >>> vit().output_shape((32, 32, 3))
    ()
    """
    _by_name("vit", sizes, "vit(patch=4, blocks=2)", "the size of a patch and the blocks")
    return _transformer(Conv(patch, stride=patch, padding="valid"), blocks, mechanism, position_std)


def transformer(
    *sizes: int, blocks: int = 2, mechanism: str = "softmax", position_std: float = 1.0
) -> Sequential:
    """A transformer that reads whole sequences (n, tokens, channels), and takes their mean.

    Args:
        blocks, mechanism, position_std: as in `vit`.

    Tokens come as vectors, one-hot ones (n, tokens, words) for words: the first layer embeds them.

    Source: Vaswani et al. 2017, the encoder, with pre-LayerNorm blocks.

    >>> from tangency import transformer
    >>> print(transformer(blocks=1, position_std=0))
    dense res(layernorm attention) res(layernorm dense gelu dense) layernorm gap dense
    """
    _by_name("transformer", sizes, "transformer(blocks=2)", "blocks")
    return _transformer(Dense(), blocks, mechanism, position_std)


def _by_name(name: str, sizes: tuple[int, ...], example: str, words: str) -> None:
    if sizes:
        came = ", ".join(map(shown, sizes))
        raise NetworkError(
            f"{name}({came}): {words} are passed by name, {example}; heads and channels have no "
            f"numbers, as {_WIDTHS}"
        )


def _transformer(first: Layer, blocks: int, mechanism: str, position_std: float) -> Sequential:
    blocks, std = whole(blocks, "blocks", 1), number(position_std, "position_std", nonnegative=True)
    chain = [first, PositionalEmbedding(weight_std=std)] if std != 0 else [first]
    for _ in range(blocks):
        chain += [
            Residual(Sequential(LayerNorm(), SelfAttention(mechanism))),
            Residual(Sequential(LayerNorm(), Dense(), GELU(), Dense())),
        ]
    return Sequential(*chain, LayerNorm(), GlobalAvgPool(), Dense())
