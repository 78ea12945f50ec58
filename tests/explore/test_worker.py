"""The thread behind a page."""

from threading import Event

from tangency.explore.worker import Worker

PATIENCE = 30


def test_the_last_job_is_done():
    done, begun, go_on = [], Event(), Event()
    finished = Event()

    def run(job, given_up):
        begun.set()
        go_on.wait(PATIENCE)
        done.append((job, given_up()))
        if job == 3:
            finished.set()

    worker = Worker(run)
    worker.ask(1)
    assert begun.wait(PATIENCE)
    worker.ask(2)
    worker.ask(3)
    go_on.set()
    assert finished.wait(PATIENCE)
    worker.close(PATIENCE)
    assert done == [(1, True), (3, False)]


def test_stop_gives_up_what_runs():
    begun, ended, seen = Event(), Event(), []

    def run(job, given_up):
        begun.set()
        while not given_up():
            ended.wait(0.001)
        seen.append(job)
        ended.set()

    worker = Worker(run)
    worker.ask("long")
    assert begun.wait(PATIENCE)
    worker.stop()
    assert ended.wait(PATIENCE)
    worker.close(PATIENCE)
    assert seen == ["long"]


def test_nothing_is_done_after_the_end():
    done = []
    worker = Worker(lambda job, given_up: done.append(job))
    worker.close()
    worker.ask(1)
    worker.close(PATIENCE)
    assert done == []
