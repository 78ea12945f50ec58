"""Compilation ahead of the first use."""

from tangency.engines.extended import loops
from tangency.engines.extended.warm import warm_up


def test_every_loop_is_reached(monkeypatch):
    reached = set()
    compiled = {name: loop for name, loop in vars(loops).items() if hasattr(loop, "py_func")}
    for name, loop in compiled.items():

        def noted(*arguments, name=name, loop=loop):
            reached.add(name)
            return loop(*arguments)

        monkeypatch.setattr(loops, name, noted)
    warm_up()
    assert len(compiled) == 12
    assert reached == set(compiled)
