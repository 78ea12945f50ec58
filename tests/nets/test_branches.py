"""Branches that meet: what has a limit of infinite width, what has none, and what is said of it."""

import numpy as np
import pytest

import tangency as tg

BAD = [
    (
        "sum(dense relu | dense erf | dense)",
        (3,),
        "branches 1 and 2 of Sum do not end in layers",
    ),
    ("dense sum(relu | dense | )", (3,), "branches 1 and 3 of Sum .*end all but one of the branch"),
    (
        "sum(conv3:stride=2 | conv3 | conv1)",
        (6, 1),
        "branch 1 of Sum gives a grid of 3 and",
    ),
    ("dense prod(relu | erf)", (3,), "branches 1 and 2 of Product have no weights of their own"),
    (
        "prod( | dense)",
        (3,),
        "branch 1 of Product .* is the inputs themselves, .* too few",
    ),
    ("dense prod( | sum( | dense)) dense", (3,), "branches 1 and 2 of Product have no weights"),
    ("conv3 relu prod(conv1 flatten | conv1 flatten) dense", (5, 1), "different variances"),
    ("prod(dense | dense) relu dense", (3,), "needs Gaussian values"),
    ("cat(dense | dense:b=1) relu dense", (3,), "put it at the end of each branch"),
    (
        "cat(conv3 relu | conv1 relu):axis=0 gap dense",
        (5, 1),
        "covariances between their grids",
    ),
    ("cat(conv3 | conv1):axis=2 gap dense", (5, 1), "axis 2, but a grid of 5 .*axis=-1 is that of"),
    ("cat(conv3 | conv3:stride=1x2):axis=0 gap dense", (4, 6, 1), "the same in all axes but 0"),
    ("dense dropout0.5 relu dense", (3,), "needs Gaussian values"),
]


@pytest.mark.parametrize(("text", "shape", "message"), BAD, ids=[t for t, _, _ in BAD])
def test_what_has_no_limit_is_refused(text, shape, message):
    with pytest.raises(tg.NetworkError, match=message):
        tg.parse(text).output_shape(shape)


def test_what_has_one():
    for text, shape in [
        ("dense sum(relu | dense | relu dense) dense", (3,)),
        ("dense res(relu dense dropout0.9) dense", (3,)),
        ("dense sum(prod(dense | dense relu) | dense) dense", (3,)),
        ("dense cat( | dense | dense) layernorm dense", (3,)),
        ("conv3 cat(conv3 | relu):axis=0 flatten dense", (5, 1)),
        ("conv3 prod( | dropout0.5 conv1) gap dense", (5, 1)),
    ]:
        assert tg.parse(text).output_shape(shape) == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tg.Sum(tg.Dense()), "Sum needs two branches or more, got 1"),
        (lambda: tg.Sum(tg.Dense(), 3), "Sum takes branches, got 3"),
        (lambda: tg.Product(None, None), "no branch of Product has any layer"),
        (
            lambda: tg.Concatenate(tg.Dense(), None, widths=(1,)),
            "one number for each of 2",
        ),
        (lambda: tg.Concatenate(tg.Dense(), None, widths=(1, 0)), "width must be greater"),
        (lambda: tg.Concatenate(tg.Conv(1), None, axis=0, widths=(1, 1)), "axis=0 is one"),
        (lambda: tg.Concatenate(tg.Conv(1), None, axis=3), "axis must be"),
        (lambda: tg.Sum(tg.Dense(), None, axis=1), "Sum has no argument 'axis'"),
        (lambda: tg.parse("sum dense"), "no layer is called 'sum'"),
        (lambda: tg.parse("cat(dense | dense):width=2x1"), "unknown option 'width=2x1'"),
        (lambda: tg.parse("cat(dense | dense"), "a parenthesis is not closed"),
        (lambda: tg.Dropout(0), "keep must be greater than 0"),
        (lambda: tg.Dropout(1.5), "keep must be at most 1"),
        (lambda: tg.Dense(weight_rate=1, trainable=False), "a frozen layer does not learn"),
        (lambda: tg.standard("dense relu dense", (1,)), "one number for each of the 2 layers"),
        (lambda: tg.standard("dense:weight_rate=1", (1,)), "has learning rates of its own"),
    ],
)
def test_calls_that_cannot_be(make, message):
    with pytest.raises(tg.NetworkError, match=message):
        make()


def test_the_same_network_in_standard_parametrisation():
    net = tg.parse("conv3:b=0.1,frozen relu res(conv3:w=2 relu conv3:b=1) gap dense")
    found = tg.standard(net, (3, 64, 32, 16), s=(1, 1, 2, 1))
    assert str(found) == (
        "conv3:b=0.1,frozen relu res(conv3:w=2,weight_rate=64 relu "
        "conv3:b=1,weight_rate=16,bias_rate=1) gap dense:weight_rate=16"
    )
    assert tg.standard(net, (3, 64, 32, 16), s=2) != found


def test_a_sum_of_two_is_a_residual():
    x = np.random.default_rng(0).normal(size=(5, 6, 2))
    one, other = "conv3 res(relu conv3) relu gap dense", "conv3 sum(relu conv3 | ) relu gap dense"
    assert tg.parse(one) != tg.parse(other)
    for first, second in zip(tg.gram(one, x), tg.gram(other, x), strict=True):
        assert (first == second).all()
