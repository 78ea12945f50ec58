"""Compiled functions as parts of those that call them: optimised and translated once, with these.

Numba optimises each compiled function and translates it to machine code, and does both again within
each function that calls it, level by level, each with a way in from Python that only the outermost
needs. Here a function that compiled code calls is lowered and no more; the function that Python
calls is linked with all of its parts, then optimised and translated once. That takes half of the
time, and the compiler sees the whole. Parts belong to it: their copies in other functions, which
may round otherwise, are never taken in their place.

How a library of code comes to its end in Numba is no public interface, and was the same in all
versions since 0.61; where it is not, `function` is `numba.njit`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Thread, get_ident
from typing import Any

import numba
from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typed_passes import BaseNativeLowering

# What is done otherwise at the end of a library.
_ENDS = (
    "_optimize_functions",
    "_optimize_final_module",
    "_finalize_final_module",
    "_finalize_specific",
    "_finalize_dynamic_globals",
    "get_pointer_to_function",
    "get_defined_functions",
    "enable_object_caching",
)
# New objects until Python looks for garbage, while it compiles.
_SELDOM = 200_000


class Function(CPUDispatcher):
    """A function that Python calls as it is, and compiled functions as a part of them."""

    inner: Any

    def compile(self, sig: Any) -> Any:
        _registered()
        with _seldom_looking_for_garbage():
            return super().compile(sig)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        return self.inner.get_call_template(args, kws)

    def get_overload(self, sig: Any) -> Any:
        return self.inner.get_overload(sig)


def function(python: Any, **options: Any) -> Any:
    """`numba.njit(python, **options)`, which compiled functions take as a part of themselves."""
    if not _known():
        return numba.njit(python, **options)
    options["no_cfunc_wrapper"] = True
    whole: Any = numba.njit(python, pipeline_class=_Whole, **options)
    whole.__class__ = Function
    options["no_cpython_wrapper"] = True
    whole.inner = numba.njit(python, pipeline_class=_Part, **options)
    return whole


def parts(**options: Any) -> dict[str, Any]:
    """Options of `register_jitable` and `overload` for functions that only compiled code calls."""
    if not _known():
        return options
    return {
        **options,
        "pipeline_class": _Part,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }


def _known() -> bool:
    return all(hasattr(JITCodeLibrary, name) for name in _ENDS)


@contextmanager
def _seldom_looking_for_garbage() -> Iterator[None]:
    """Compiling makes millions of small objects, little of it garbage, and each look takes time."""
    with global_compiler_lock:
        before = gc.get_threshold()
        # 0 is never.
        gc.set_threshold(max(before[0], _SELDOM) if before[0] else 0, *before[1:])
        try:
            yield
        finally:
            gc.set_threshold(*before)


@contextmanager
def raised() -> Iterator[None]:
    """Raises what LLVM's calls back into Python raise, where it would be printed and forgotten.

    Ctrl-C while LLVM translates, which takes most of the time, comes up in the call that hands over
    the machine code: this is lost then, and so would be the interruption.
    """
    found: list[BaseException] = []
    thread, before = get_ident(), sys.unraisablehook

    def hook(lost: Any) -> None:
        if get_ident() == thread and "ctypes callback" in (lost.err_msg or ""):
            found.append(lost.exc_value or lost.exc_type())
        else:
            before(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        if found:
            raise found.pop()


@cache
def _registered() -> None:
    """Has Numba take note of all that it knows, which it does once.

    What an interruption leaves out it would never know. So this is done in a thread of its own,
    which goes on to its end: signals are those of the main one.
    """

    def refresh() -> None:
        # What fails here fails in what is to be compiled, and is raised there.
        contexts: Any = cpu_target.typing_context, cpu_target.target_context
        with global_compiler_lock, suppress(Exception):
            for context in contexts:
                context.refresh()

    thread = Thread(target=refresh)
    thread.start()
    thread.join()


class _NoEnvironment:
    """Of a function that Python does not call: loops have no objects as constants."""

    def set_env(self, name: str, env: Any) -> None:
        pass


class _PartLibrary(JITCodeLibrary):
    """Code as it was lowered, with all that it calls: not optimised, not translated."""

    def _optimize_final_module(self) -> None:
        pass

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def codegen(self) -> Any:
        return _NoEnvironment()

    def get_pointer_to_function(self, name: str) -> int:
        """None: there is no machine code."""
        self._ensure_finalized()
        return 0


class _WholeLibrary(JITCodeLibrary):
    """Code whose parts are its own: no other library's copies of them are taken instead.

    They have names of their own too, as the loader finds functions by name, those of one library
    alone among them: with other parameters, once the compiler has seen all calls.
    """

    def _optimize_final_module(self) -> None:
        for function in self.get_defined_functions():
            if function.linkage == Linkage.linkonce_odr and not function.name.startswith("NRT_"):
                function.linkage = Linkage.internal
                function.name = f"part.{function.name}"
        super()._optimize_final_module()

    def _finalize_specific(self) -> None:
        with raised():
            super()._finalize_specific()


@register_pass(mutates_CFG=False, analysis_only=False)
class _AsPart(LoweringPass):
    _name = "tangency_part"
    library: type[JITCodeLibrary] = _PartLibrary

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        if state.library is None:
            state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class _AsWhole(_AsPart):
    _name = "tangency_whole"
    library = _WholeLibrary


class _Part(Compiler):
    """Numba's passes, with a library of our own."""

    own = _AsPart

    def define_pipelines(self) -> list[Any]:
        (pipeline,) = super().define_pipelines()
        passes = [one for one, _ in pipeline.passes]
        lowering = next(i for i, one in enumerate(passes) if issubclass(one, BaseNativeLowering))
        pipeline.add_pass_after(self.own, passes[lowering - 1])
        pipeline.finalize()
        return [pipeline]


class _Whole(_Part):
    own = _AsWhole
