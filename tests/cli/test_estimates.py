"""`tangency gram-estimate`."""

import pytest

from commands import run

PLAN = ("gram-estimate", "--net", "dense relu dense", "--input-shape", "784")


def test_a_plan():
    result = run(*PLAN, "--examples", 60000, "--tile", 1000, "--machines", "1,0.5")
    assert result.exit_code == 0, result.stderr
    assert "matrix  ntk, 60,000 × 60,000, float64, symmetric" in result.stdout
    assert "tiles   1,830 of 1,000 × 1,000" in result.stdout
    assert "on 1.5 cores" in result.stdout


def test_a_plan_of_both_kernels_on_images():
    shape = ("--input-shape", "8x8x1", "--examples", 500, "--columns", 300)
    net = ("--net", "conv3 relu flatten dense", "--kernel", "both", "--dtype", "float32")
    result = run("gram-estimate", *net, *shape, "--machines", 64)
    assert result.exit_code == 0, result.stderr
    assert "nngp and ntk, 500 × 300, float32, not symmetric" in result.stdout
    assert "on 64 cores" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--examples", 0], "shape must be that of X"),
        (["--examples", 5, "--machines", "many"], "--machines many: expected a number of cores"),
        (["--examples", 5, "--machines", "0"], "machines must be a number of cores"),
        (["--examples", 5, "--tile", "0"], "--tile 0"),
        ([], "Missing option '--examples'"),
    ],
)
def test_errors(arguments, message):
    result = run(*PLAN, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
