"""The example of dataset distillation runs, and what it learns beats what it started from."""

import importlib.util
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
PATH = Path(__file__).parents[1] / "examples" / "distillation.py"


def test_learned_images_beat_random_ones(capsys, tmp_path):
    spec = importlib.util.spec_from_file_location("distillation", PATH)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    picture = tmp_path / "learned.png"
    sizes = ["--per-class", "1", "--steps", "6", "--batch", "60", "--limit", "200", "--draws", "2"]
    example.main([*sizes, "--labels", "--out", str(picture)])
    printed = capsys.readouterr().out
    found = re.findall(r"learned (0\.\d+), random (0\.\d+) ±", printed)
    assert len(found) == 2
    assert all(float(learned) > float(random) + 0.05 for learned, random in found)
    assert picture.stat().st_size > 1000
