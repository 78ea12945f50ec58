"""What compiled engines share: the arrays that they take and give, series, room in memory."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any

import psutil
from array_api_compat import is_torch_array

from ..errors import MemoryLimitError
from ..nets.plan import Plan
from .driver import ReferenceEngine
from .engine import Computing, KernelPair, Pulled, Wanted
from .gradients import settled
from .prepared import Prepared
from .tiles import size_text

REFERENCE = ReferenceEngine()


class CompiledEngine:
    """An `Engine` on NumPy's arrays, which takes series in place of activations by quadrature.

    Where no series is long enough for the inputs, the reference engine computes. What an engine has
    of its own are the methods that raise `NotImplementedError` here; their modules are loaded on
    first use, as Numba takes as long as all else.
    """

    reason = "it knows every layer of this network"

    def uncovered(self, plan: Plan) -> str | None:
        """Why it cannot compute a network; None where it can."""
        raise NotImplementedError

    def fitted(self, plan: Plan, sets: list[Prepared], n_jobs: int | None) -> Plan | None:
        """The plan with series that are long enough for some inputs; None where none is."""
        raise NotImplementedError

    def room(self, plan: Plan, dtype: Any, wanted: Wanted) -> tuple[int, int]:
        """Numbers that are held for each pair of a matrix, and bytes to work in beside them."""
        raise NotImplementedError

    def matrices(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> tuple[Any, ...]:
        """As `gram`, of NumPy's arrays."""
        raise NotImplementedError

    def diagonals(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> tuple[Any, ...]:
        """As `diagonal`, of NumPy's arrays."""
        raise NotImplementedError

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        return unsuited(*arrays) or self.uncovered(settled(plan, *arrays))

    def gram(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> KernelPair:
        one, two = as_numpy(first), None if second is None else as_numpy(second)
        series = self.fitted(plan, [one] if two is None else [one, two], computing.n_jobs)
        if series is None:
            return REFERENCE.gram(plan, first, second, wanted, computing)
        held, working = self.room(plan, one.inputs.dtype, wanted)
        numbers = held * len(one) * len(one if two is None else two)
        check_memory(one.inputs, numbers, working, computing.max_memory)
        pair = self.matrices(series, one, two, wanted, computing)
        return KernelPair(*(like(first.inputs, k) for k in pair))

    def pull(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        cotangents: KernelPair,
        computing: Computing,
        parameters: bool,
    ) -> Pulled | None:
        return None

    def diagonal(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> KernelPair:
        one = as_numpy(given)
        series = self.fitted(plan, [one], computing.n_jobs)
        if series is None:
            return REFERENCE.diagonal(plan, given, want_ntk, computing)
        pair = self.diagonals(series, one, want_ntk, computing)
        return KernelPair(*(like(given.inputs, k) for k in pair))


def unsuited(*arrays: Any) -> str | None:
    """Why compiled loops cannot take these arrays, or anything; None where they can."""
    for x in arrays:
        if is_torch_array(x) and x.device.type != "cpu":
            return f"the inputs are on {x.device}"
    for x in arrays:
        if str(x.dtype).removeprefix("torch.") not in ("float32", "float64"):
            return f"the inputs have dtype {x.dtype}"
    load("numba")
    from numba.core import config

    if getattr(config, "DISABLE_JIT", 0):
        return "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"
    return None


def load(name: str) -> None:
    """Has a package loaded to its end, in a thread that Ctrl-C does not reach.

    What an interruption leaves half loaded fails in every later call of the process.
    """
    if name not in sys.modules:
        # What it raises is raised again where it is imported.
        thread = Thread(target=_tried, args=(name,))
        thread.start()
        thread.join()


def _tried(name: str) -> None:
    with suppress(Exception):
        import_module(name)


def check_memory(x: Any, numbers: int, working: int, max_memory: int | None) -> None:
    """Refuses results of so many numbers, beside bytes to work in (`MemoryLimitError`)."""
    need = numbers * x.dtype.itemsize
    allowed = psutil.virtual_memory().available
    if max_memory is not None:
        need, allowed = need + working, max_memory
    if need > allowed:
        raise MemoryLimitError(
            f"the kernel matrix, with room to work in, needs {size_text(need)}, but "
            f"{size_text(allowed)} are "
            f"{'allowed' if max_memory is not None else 'free'}; pass fewer inputs at a time, use "
            "float32, or raise max_memory"
        )


def as_numpy(given: Prepared) -> Prepared:
    """The same inputs as arrays of NumPy's, kept."""
    if not is_torch_array(given.inputs):
        return given
    return given.derive("numpy", lambda: Prepared(given.inputs.detach().numpy()))


def like(x: Any, k: Any) -> Any:
    """A result as an array of the inputs' library."""
    if k is None or not is_torch_array(x):
        return k
    import torch

    return torch.from_numpy(k)
