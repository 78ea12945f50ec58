"""The README's example runs, and names no file that is not there."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    scores = dict(line.split() for line in printed[:2])
    assert set(scores) == {"NTK", "NNGP"}
    assert all(float(score) > 0.9 for score in scores.values())
    assert printed[2].startswith("engine: fused")


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    missing = [link for link in links if not (Path(__file__).parents[1] / link).exists()]
    assert missing == []
