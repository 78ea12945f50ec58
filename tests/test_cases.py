"""The table of networks: every layer and option is in the tests of every interpreter."""

import pytest

import tangency as tg
from cases import CASES, USES, Case, activations, networks
from tangency.nets.plan import plan

LAYERS = {
    cls.__name__
    for cls in vars(tg.nets).values()
    if isinstance(cls, type) and issubclass(cls, tg.Layer)
} - {"Layer", "Sequential", "ActivationLayer"}
OPTIONS = {
    "stride", "dilation", "same padding", "valid padding", "circular padding",
    "counted padding", "offsets", "frozen",
    "bias", "raw", "over space", "rates", "channels", "grids",
}  # fmt: skip
# Random masks, finite networks that learn at rates of their own, and graphs, which are no arrays,
# have tests of their own.
MASKS = {"Dropout", "Aggregate"}
REFUSED = {
    "Product", "grids", "over space", "rates", "SelfAttention", "PositionalEmbedding", "ClassToken",
}  # fmt: skip
# An activation by its function has no compiled dual, and no closed form in plain loops.
NO_LOOPS = {
    "ABReLU", "Abs", "Activation", "Cosine", "Exp", "ExpNormalized", "GELU", "Gabor", "Gaussian",
    "Hermite", "Monomial", "PolynomialActivation", "RBF", "RectifiedMonomial", "SigmoidLike",
    "Sign",
}  # fmt: skip
GROUPS = {
    "plain loops": (["loops"], {*NO_LOOPS, *MASKS}),
    "the fused engine": (["fused"], {"Activation", *MASKS, *REFUSED}),
    "finite networks": ([use for use in USES if use.startswith("finite")], {*MASKS, "rates"}),
}


def held(group):
    """All tags of the cases of a group; finite networks have a test for each activation too."""
    uses, _ = GROUPS[group]
    chosen = [case for case in CASES if case.shapes.keys() & set(uses)]
    if group == "finite networks":
        chosen += [Case(f"dense {text} dense") for text in activations("finite")]
    return set().union(*(case.tags for case in chosen))


@pytest.mark.parametrize("group", GROUPS)
def test_every_layer_and_option_has_a_case(group):
    assert (LAYERS | OPTIONS) - held(group) == GROUPS[group][1]


def test_no_network_stands_twice_and_each_takes_its_inputs():
    texts = [case.text for case in CASES]
    assert len(set(texts)) == len(texts)
    for case in CASES:
        for shapes in case.shapes.values():
            assert len(set(shapes)) == len(shapes)
            for shape in shapes:
                plan(tg.parse(case.text), shape)


def test_every_use_has_cases_and_tags_choose_among_them():
    for use in USES:
        assert networks(use)
    assert ((3, 4, 2), "conv3 relu conv3 relu gap dense") in networks("loops", "Conv", "ReLU")
    assert all("res(" in text for _, text in networks("fused", "Residual"))
    with pytest.raises(AssertionError, match="no case has the use 'lanes' and the tags"):
        networks("lanes", "Hermite")
