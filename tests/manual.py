"""What the pages of docs/ promise: examples that run, links that lead somewhere."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def run_examples(name: str, least: int, options: int = 0) -> None:
    """Assert that all examples of a page give what it shows, and that there are so many."""
    page = str(DOCS / name)
    failed, tried = doctest.testfile(page, module_relative=False, optionflags=options)
    assert tried >= least
    assert failed == 0


def follow_links(name: str, pictures: int) -> None:
    """Assert that links lead to files, and that so many are pictures, none of them large."""
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / name).read_text(encoding="utf-8"))
    assert links
    assert sum(link.endswith(".png") for link in links) >= pictures
    for link in links:
        path = DOCS / link.partition("#")[0]
        assert path.exists(), link
        assert path.suffix != ".png" or path.stat().st_size < 150_000, link
