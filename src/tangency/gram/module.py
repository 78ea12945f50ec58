"""What makes `tangency.gram` a package that can be called."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..kernels import gram

if TYPE_CHECKING:
    from .compute import compute as _compute
    from .local_cluster import local_cluster as _local_cluster
    from .plan import Estimate as _Estimate
    from .plan import plan as _plan
    from .status import Status as _Status
    from .status import status as _status
    from .verify import Verification as _Verification
    from .verify import verify as _verify
    from .view import StoredGram as _StoredGram
    from .view import open as _open


class GramModule(ModuleType):
    """The module `tangency.gram`; called, it is `tangency.kernels.gram`.

    A small matrix is one call, `tg.gram(net, X)`, and one that does not fit in memory another,
    `tg.gram.compute(net, X, store="K.zarr")`. Both are one subject, so that they share its name:
    Python calls an object by its class, and a module may have a class of its own.
    """

    __call__ = staticmethod(gram)

    if TYPE_CHECKING:
        # What the package exports, as attributes of the object that `tg.gram` is.
        compute = staticmethod(_compute)
        local_cluster = staticmethod(_local_cluster)
        open = staticmethod(_open)
        plan = staticmethod(_plan)
        status = staticmethod(_status)
        verify = staticmethod(_verify)
        Estimate = _Estimate
        Status = _Status
        StoredGram = _StoredGram
        Verification = _Verification

    def __reduce__(self) -> tuple[Any, ...]:
        # Modules cannot be pickled, functions can, and `tg.gram` serves as one.
        return import_module, (self.__name__,)
