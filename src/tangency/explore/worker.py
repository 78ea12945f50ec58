"""A thread that computes what was asked for last, and can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, TypeVar

_J = TypeVar("_J")


class Worker(Generic[_J]):
    """Runs jobs one at a time; a new job takes the place of one that waits or runs.

    run: (job, given_up) -> None, which asks `given_up()` now and then, and ends when it is true.
    """

    def __init__(self, run: Callable[[_J, Callable[[], bool]], None]) -> None:
        self._run = run
        self._waiting: list[_J] = []
        self._asked = 0
        self._closed = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def ask(self, job: _J) -> None:
        """Run this job as soon as the present one has given up."""
        with self._changed:
            if self._closed:
                return
            self._waiting[:] = [job]
            self._asked += 1
            if self._thread is None:
                self._thread = Thread(target=self._work, name="tangency-explore", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Give up the job that runs, and the one that waits."""
        with self._changed:
            self._waiting.clear()
            self._asked += 1

    def close(self, timeout: float | None = None) -> None:
        """Stop, and end the thread."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._asked += 1
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job, asked = self._waiting.pop(), self._asked
            self._run(job, lambda asked=asked: self._asked != asked)
