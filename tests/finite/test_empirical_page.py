"""The page about empirical kernels says what the code does."""

from manual import run_examples


def test_the_examples_of_the_page_run():
    run_examples("empirical-ntk.md", 8)
