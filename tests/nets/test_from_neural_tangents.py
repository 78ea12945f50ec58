"""docs/from-neural-tangents.md: every expression of its tables runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from manual import run_examples

PAGE = Path(__file__).parents[2] / "docs" / "from-neural-tangents.md"
ROWS = re.findall(r"^\| (?!---)(.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
EXPRESSIONS = [code for _, here in ROWS for code in re.findall(r"`(tg\.[^`]+)`", here)]


@pytest.mark.filterwarnings("ignore::tangency.learn.IllConditionedWarning")
@pytest.mark.parametrize("code", EXPRESSIONS)
def test_every_expression_runs(code):
    pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 3))
    names = {"tg": tg, "np": np, "X": x, "y": np.arange(6.0)}
    names["net"] = tg.parse("conv3 relu gap dense")
    assert eval(code, names) is not None


def test_the_page():
    assert len(EXPRESSIONS) > 60
    run_examples("from-neural-tangents.md", 5)
