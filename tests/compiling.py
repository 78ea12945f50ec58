"""Processes that test at the same time share what is to be compiled: none compiles it again.

A fresh clone has nothing compiled, and compiling takes minutes; what one process has compiled
others load from the cache on disk in a moment.
"""

from functools import partial

from filelock import FileLock, Timeout


def compilations():
    """What nearly all tests need, by name, the longest first.

    Loops of one dtype go together: what they have in common is lowered once in a process, as only
    whole functions are kept on disk.
    """
    from tangency.engines.blocked import warm as blocked
    from tangency.engines.extended.warm import warm_up as extended
    from tangency.engines.fused import duals, warm, winograd
    from tangency.engines.fused.adjoint import engine as adjoint
    from tangency.nets.quadrature.warm import warm_up as quadrature

    def loops(dtype):
        warm.warm_up((dtype,))
        for grid in (False, True):
            adjoint.get_ready(dtype, grid)
        for others in (blocked, duals, winograd):
            others.get_ready(dtype)

    found = {dtype: partial(loops, dtype) for dtype in ("float64", "float32")}
    return found | {"quadrature": quadrature, "extended": extended}


def share(folder, todo):
    """Do all of `todo`, by name, once for all processes that were given this folder.

    A process that has nothing left to begin waits for the others. What one that died had begun is
    done by one that waits: its locks are free then.
    """
    for timeout in (0, -1):
        for name, do in todo.items():
            done = folder / f"{name}.done"
            try:
                with FileLock(folder / f"{name}.lock", timeout=timeout):
                    if not done.exists():
                        do()
                        done.touch()
            except Timeout:
                continue
