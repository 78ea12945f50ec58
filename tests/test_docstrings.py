"""How docstrings become pages of the reference: nothing in them is lost, or taken for markup."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")

SITE = Path(__file__).parents[1] / "docs" / "_site"


@pytest.fixture(autouse=True)
def _found(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(SITE), *sys.path])


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("|u|^a, (n, *space), dual_coef_", r"\|u\|^a, (n, \*space), dual_coef\_"),
        ("of `NTK` and `x[None]`", "of :py:obj:`NTK <tangency.NTK>` and ``x[None]``"),
        ("*Wide networks*, 2019", "*Wide networks*, 2019"),
        (
            "Args:\n    net: a network, or\n        its text.\n    X, y: data.",
            ".. rubric:: Parameters\n\n``net``\n    a network, or\n    its text.\n"
            "``X``, ``y``\n    data.",
        ),
        (
            "Attributes\n----------\nnoise_ (k,) : the noise.",
            ".. rubric:: Attributes\n\n``noise_`` (k,)\n    the noise.",
        ),
        ("Returns:\n    A matrix:\n    n_.", ".. rubric:: Returns\n\nA matrix:\nn\\_."),
        (">>> a_ * |b|\n2", ">>> a_ * |b|\n2"),
        ("By this:\n\n    K = |x|", "By this:\n\n.. code-block:: python\n\n    K = |x|"),
        ("- one\n\n    two*", "- one\n\n    two\\*"),
    ],
)
def test_markup(text, made):
    from docstrings import marked_up

    assert marked_up(text) == made


def test_names_in_code():
    from names import target

    assert target("tg.NTK(net)") == target("NTK") == target("tangency.NTK") == "tangency.NTK"
    assert target("learn.CG") == target("CG(tol=1e-6)") == "tangency.learn.CG"
    assert target("nets.Dense") == "tangency.Dense"
    assert target("tg.gram(net, X)") == "tangency.kernels.gram"
    assert target("open") is target("whatever") is target("dense relu") is None


def test_links_out_of_the_folder():
    import re

    from links import _OUTWARD, _on_site

    def on_site(text):
        return re.sub(_OUTWARD, _on_site, text)

    assert on_site("[a](../examples/tutorials/1_a.py)") == "[a](/tutorials/1_a.rst)"
    assert on_site("[b](../CONTRIBUTING.md#rules)") == "[b](/project/contributing.md#rules)"
    assert on_site("[c](../benchmarks/NOTES.md) [d](x.md)") == "c [d](x.md)"
