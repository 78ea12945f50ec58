"""The README's example runs, it names no file that is not there, and each page can be found."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
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
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []


def test_one_page_leads_to_every_page():
    assert "docs/README.md" in README
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md", "index.md"}
    assert len(pages) > 10
    assert pages <= set(links)
