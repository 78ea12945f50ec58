"""The page of questions says what the code does, and its links lead somewhere."""

import pytest

from manual import follow_links, run_examples


def test_the_examples_of_the_page_run():
    pytest.importorskip("PIL")
    pytest.importorskip("torch")
    run_examples("questions.md", 7)


def test_links_lead_somewhere():
    follow_links("questions.md", pictures=0)
