"""Messages for arguments that mean something else in other libraries."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ..checks import shown
from ..errors import NetworkError

CLOSED_FORMS = {
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU(0.01)",
    "leakyrelu": "LeakyReLU(0.01)",
    "abs": "Abs()",
    "erf": "Erf()",
    "gelu": "GELU()",
    "sin": "Sine()",
    "cos": "Cosine()",
    "sign": "Sign()",
    "exp": "Exp()",
    "gabor": "Gabor()",
    "rbf": "RBF()",
}
"""Functions that have a layer of their own, by the names that other libraries give them."""


_AFFINE = "Dense(), whose width is infinite (in a text: dense)"
_PATCHES = "Conv(3), a patch of 3 x 3 and no number of filters (in a text: conv3)"
_ONE_FUNCTION = "Activation({0!r}) (in a text: {0})"
_PRESET = "tangency.{0}(...) in Python, or here the text that print(tangency.{0}(...)) shows"
_SHORTCUT = "Residual(body, shortcut=...), whose shortcut is the identity if not given"

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("linear", "fc", "affine", "lazylinear"), _AFFINE),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "generalconv"), _PATCHES),
    **dict.fromkeys(
        ("convtranspose1d", "convtranspose2d", "convtranspose3d", "deconv", "deconvolution"),
        "ConvTranspose(3, stride=2) (in a text: convt3:stride=2)",
    ),
    **dict.fromkeys(
        ("depthwise", "depthwiseconv", "depthwiseconv2d", "separableconv2d", "depthwiseconv1d"),
        "Conv(3) and Dense() if no activation stands between the two; otherwise there is no limit "
        "(docs/networks.md says why)",
    ),
    **dict.fromkeys(("interpolate", "imageresize"), "Resize((8, 8)) (in a text: resize8x8)"),
    **dict.fromkeys(("index", "getitem"), "Slice((1, 5), (0, 7, 2)) (in a text: slice[[1,5],…])"),
    **dict.fromkeys(("zeropad2d", "zeropadding2d", "reflectionpad2d"), 'Pad(1, "zeros")'),
    **{
        name: _ONE_FUNCTION.format(name)
        for name in ("tanh", "sigmoid", "softplus", "silu", "elu", "gaussian")
    },
    **dict.fromkeys(("identity", "fanout", "faninsum", "skip", "add", "parallel"), _SHORTCUT),
    **dict.fromkeys(
        ("maxpool", "maxpool2d", "globalmaxpool"),
        "AvgPool(2) or GaussianPool(2): the largest of several numbers has no closed form",
    ),
    **dict.fromkeys(
        ("batchnorm", "batchnorm1d", "batchnorm2d", "batchnormalization", "bn", "groupnorm"),
        "LayerNorm(): a kernel knows no batch",
    ),
    "softmax": "nothing: a kernel stands for the network before its softmax",
    "serial": "Sequential(*layers)",
    "stax": "the layers of tangency itself, as Sequential(Dense(), ReLU(), Dense())",
    "resnet": "wide_resnet(blocks=..., groups=...), a function of tangency, or a text such as "
    "conv3 res(relu conv3 relu conv3) relu gap dense",
    **{
        name: _PRESET.format(name)
        for name in (
            "myrtle",
            "wide_resnet",
            "densenet",
            "unet",
            "vit",
            "transformer",
            "cntk",
            "ckn",
        )
    },
    "mlp": "mlp(depth), a function of tangency, or its text, as dense relu dense",
    "load": "tangency.learn.load (models), tangency.data.load or tangency.gram.open (stores)",
    "save": "the method save of a fitted model; kernels are saved in stores, gram.compute",
}
"""What stands here for what is called so in other libraries, by its name in small letters."""


def elsewhere(name: str, known: Iterable[str]) -> str:
    """What to use for a name from another library, as the end of a message; "" for any other.

    Args:
        known: the names here, of which one may differ from it by capitals only.

    >>> elsewhere("Relu", ["ReLU"]), elsewhere("Linear", []), elsewhere("x", [])
    ('; it is called ReLU', '; use Dense(), whose width is infinite (in a text: dense)', '')
    """
    same = [each for each in known if each.lower() == name.lower()]
    if same:
        return f"; it is called {same[0]}"
    found = ELSEWHERE.get(name.lower())
    return f"; use {found}" if found else ""


def closed_form(function: str) -> str:
    """The layer to use for a function that needs no quadrature, as the end of a message.

    >>> closed_form("relu")
    '; use ReLU(), which is exact'
    """
    layer = CLOSED_FORMS.get(function.lower())
    return f"; use {layer}, which is exact" if layer else ""


def check_call(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuses arguments that a layer does not take, and says how the call is written.

    Python's own TypeError counts arguments; it cannot say that a width, which comes first in every
    other library, has no place where widths are infinite.

    Raises:
        NetworkError: with the arguments that came, those that there are, and the class's `hint`.
    """
    signature = _signature(cls)
    try:
        signature.bind(None, *args, **kwargs)
    except TypeError:
        raise NetworkError(_message(cls, signature, args, kwargs)) from None


@lru_cache(maxsize=256)
def _signature(cls: type) -> inspect.Signature:
    return inspect.signature(cls.__init__)


def _message(
    cls: type, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    name = cls.__name__
    parameters = list(signature.parameters.values())[1:]
    places = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    came = ", ".join([*map(shown, args), *(f"{k}={shown(v)}" for k, v in kwargs.items())])
    unknown = [k for k in kwargs if k not in signature.parameters]
    if unknown:
        what = f"has no argument {unknown[0]!r}"
    elif len(args) > len(places):
        count = ("no argument", "one argument")[len(places)] if len(places) < 2 else None
        what = f"takes {count or f'{len(places)} arguments'} without a name"
    else:
        given = {p.name for p in places[: len(args)]} | set(kwargs)
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in given]
        what = f"needs {missing[0]}" if missing else "cannot take these arguments"
    known = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )
    hint = getattr(cls, "hint", "")
    call = f"{name}({known})"
    return f"{name}({came}): {name} {what}; it is {call}" + (f". {hint}" if hint else "")
