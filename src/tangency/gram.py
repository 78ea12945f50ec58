"""Kernel matrices at any scale: in memory by a call, beyond memory in a store that loses nothing.

    import tangency as tg

    tg.gram(net, X)  # both kernels as arrays
    K = tg.gram.compute(tg.NTK(net), X, store="K.zarr")  # tile by tile; killed, it goes on later
    K[:100, 7], K.dask, tg.gram.status("K.zarr"), tg.gram.verify("K.zarr")

`tangency` has the object `gram` of this module under the module's name, so that
`from tangency.gram import compute` and `tg.gram.compute` are the same.
"""

from __future__ import annotations

import inspect

from .kernels import gram as _both
from .matrix.compute import compute
from .matrix.estimate import Estimate, estimate
from .matrix.local_cluster import local_cluster
from .matrix.status import Status, status
from .matrix.verify import Verification, verify
from .matrix.view import StoredGram, open

__all__ = [
    "Estimate",
    "Status",
    "StoredGram",
    "Verification",
    "compute",
    "estimate",
    "gram",
    "local_cluster",
    "open",
    "status",
    "verify",
]


class Gram:
    """The object `tg.gram`: both kernels of a network as arrays, and matrices larger than memory.

    `tg.gram(net, X)` returns both matrices as arrays; `tg.gram.compute(net, X, store="K.zarr")`
    writes matrices that do not fit in memory to disk, and the other functions read them.
    """

    __call__ = staticmethod(_both)
    __signature__ = inspect.signature(_both)

    compute = staticmethod(compute)
    local_cluster = staticmethod(local_cluster)
    open = staticmethod(open)
    estimate = staticmethod(estimate)
    status = staticmethod(status)
    verify = staticmethod(verify)
    Estimate = Estimate
    Status = Status
    StoredGram = StoredGram
    Verification = Verification

    def __repr__(self) -> str:
        return "<tangency.gram>"

    def __reduce__(self) -> str:
        return "gram"  # of this module: pickled by name, as functions are


gram: Gram = Gram()
