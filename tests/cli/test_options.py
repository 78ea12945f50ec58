"""The text of options."""

import pytest

from tangency.cli.options import parse_alpha, parse_jobs, parse_memory, parse_scale, parse_shape


@pytest.mark.parametrize(("text", "shape"), [("784", (784,)), ("8×8x1", (8, 8, 1))])
def test_shapes(text, shape):
    assert parse_shape(text) == shape


@pytest.mark.parametrize("text", ["", "x", "8x", "8x0", "-8", "8x8x8x8x8", "8.5"])
def test_shapes_that_are_refused(text):
    with pytest.raises(ValueError, match="expected whole numbers with x between them"):
        parse_shape(text)


@pytest.mark.parametrize("text", ["", "lo", "-1", "1,", "nan", "inf", "0.1,-2", "1_0", "١"])
def test_alphas_that_are_refused(text):
    with pytest.raises(ValueError, match="expected a number that is 0 or more"):
        parse_alpha(text)


@pytest.mark.parametrize(("text", "scale"), [("auto", "auto"), ("none", None), ("255", 255.0)])
def test_scales(text, scale):
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "big", "1_0"])
def test_scales_that_are_refused(text):
    with pytest.raises(ValueError, match="expected a positive number, auto or none"):
        parse_scale(text)


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500 * 10**6), ("1.5gb", 15 * 10**8), ("2 KiB", 2048), (None, None)]
)
def test_sizes_of_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "4", "GB", "0GB", "-1GB", "4G", "1e3MB", "nanGB"])
def test_sizes_of_memory_that_are_refused(text):
    with pytest.raises(ValueError, match="expected a size with its unit, as 500MB or 4GB"):
        parse_memory(text)


def test_numbers_of_threads():
    assert [parse_jobs(number) for number in (None, 1, -1)] == [None, 1, -1]
    with pytest.raises(ValueError, match="expected a number of threads, or -1"):
        parse_jobs(0)
