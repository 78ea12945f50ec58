"""A bar for a job in named steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def named_steps(total: int) -> Iterator[Callable[[str], None]]:
    """A function to be told the name of each step as it begins; only persons see the bar."""
    from tqdm import tqdm

    begun: list[str] = []
    with tqdm(total=total, unit="step", disable=None, leave=False) as bar:

        def step(name: str) -> None:
            bar.update(1 if begun else 0)  # the step before this one is done
            bar.set_description(name)
            begun.append(name)

        yield step
