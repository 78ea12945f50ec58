"""Kernel matrices at any scale: in memory by a call, beyond memory in a store that loses nothing.

    import tangency as tg

    tg.gram(net, X)  # both kernels as arrays
    K = tg.gram.compute(tg.NTK(net), X, store="K.zarr")  # tile by tile; killed, it goes on later
    K[:100, 7], K.dask, tg.gram.status("K.zarr"), tg.gram.verify("K.zarr")

Here are the tiles and their store, the clusters that compute them, and the plan of what it takes.
"""

import inspect
import sys

from ..kernels import gram
from .compute import compute
from .local_cluster import local_cluster
from .module import GramModule
from .plan import Estimate, plan
from .status import Status, status
from .verify import Verification, verify
from .view import StoredGram, open

sys.modules[__name__].__class__ = GramModule
__signature__ = inspect.signature(gram)
del gram

__all__ = [
    "Estimate",
    "Status",
    "StoredGram",
    "Verification",
    "compute",
    "local_cluster",
    "open",
    "plan",
    "status",
    "verify",
]
