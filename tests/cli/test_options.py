"""The text of options."""

import pytest

from tangency.cli.options import parse_alpha, parse_scale, parse_shape


@pytest.mark.parametrize(("text", "shape"), [("784", (784,)), ("8×8x1", (8, 8, 1))])
def test_shapes(text, shape):
    assert parse_shape(text) == shape


@pytest.mark.parametrize("text", ["", "x", "8x", "8x0", "-8", "8x8x8x8x8", "8.5"])
def test_shapes_that_are_refused(text):
    with pytest.raises(ValueError, match="expected whole numbers with x between them"):
        parse_shape(text)


@pytest.mark.parametrize("text", ["", "lo", "-1", "1,", "nan", "inf", "0.1,-2"])
def test_alphas_that_are_refused(text):
    with pytest.raises(ValueError, match="expected a number that is 0 or more"):
        parse_alpha(text)


@pytest.mark.parametrize(("text", "scale"), [("auto", "auto"), ("none", None), ("255", 255.0)])
def test_scales(text, scale):
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "big"])
def test_scales_that_are_refused(text):
    with pytest.raises(ValueError, match="expected a positive number, auto or none"):
        parse_scale(text)
