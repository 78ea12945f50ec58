"""docs/lazy-training.md: what it shows is so; and the example runs."""

import runpy

import pytest

from manual import ROOT, follow_links, run_examples

pytest.importorskip("torch")


def test_examples():
    run_examples("lazy-training.md", 10)


def test_pictures_and_links_lead_somewhere():
    follow_links("lazy-training.md", pictures=1)


@pytest.mark.slow
def test_the_example_runs(capsys):
    runpy.run_path(str(ROOT / "examples" / "lazy_training.py"))
    kernel, *functions = capsys.readouterr().out.splitlines()
    assert kernel.startswith("kernel at the start")
    assert len(functions) == 2
    for line in (kernel, *functions):
        assert -0.8 < float(line.rpartition("slope ")[2]) < -0.25
