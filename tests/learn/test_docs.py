"""The page about learning says what the code does."""

from __future__ import annotations

from manual import run_examples


def test_the_examples_of_the_page_run():
    run_examples("learning.md", 9)


def test_the_examples_about_uncertainty_run():
    run_examples("uncertainty.md", 2)
