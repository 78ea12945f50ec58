"""Compiled functions as parts of those that call them."""

import gc
import signal
import sys
import threading
import time

import numpy as np
import pytest
from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.extending import register_jitable

from processes import default_interrupt
from tangency import compiled, linked


def twice(x):
    return 2.0 * x


def make(**options):
    """A function that calls another one in a loop that is not unrolled, and the other one."""
    part = linked.function(twice, nogil=True, **options)

    def whole(values):
        total = 0.0
        for value in values:
            total += part(value)
        return total

    return linked.function(whole, nogil=True, **options), part


def test_a_part_is_lowered_and_no_more():
    whole, part = make()
    assert whole(np.arange(4.0)) == 12
    assert part.signatures == []
    (result,) = part.inner.overloads.values()
    name = result.fndesc.llvm_func_name
    assert name in {f.name for f in result.library.get_defined_functions()}
    assert result.library.get_pointer_to_function(name) == 0


def test_python_calls_a_part_as_well():
    whole, part = make()
    assert part(3.0) == 6
    assert whole(np.arange(4.0)) == 12
    assert part(4.0) == 8
    assert len(part.signatures) == len(part.inner.signatures) == 1


@register_jitable
def thrice(x):
    return 3.0 * x


def test_what_numba_finds_by_type_is_a_part_as_well(monkeypatch):
    translated = []
    finish = JITCodeLibrary._finalize_final_module
    monkeypatch.setattr(
        JITCodeLibrary,
        "_finalize_final_module",
        lambda self: (translated.append(self.name), finish(self))[1],
    )
    inner = register_jitable(**linked.parts())(lambda x: 5.0 * x)
    whole = linked.function(lambda x: inner(x))
    assert whole(2.0) == inner(2.0) == 10
    assert len(translated) == 1


def test_the_collector_of_garbage_is_left_as_it_was(monkeypatch):
    seen = []
    compile_it = linked.CPUDispatcher.compile
    monkeypatch.setattr(
        linked.CPUDispatcher,
        "compile",
        lambda self, sig: (seen.append(gc.get_threshold()), compile_it(self, sig))[1],
    )
    before = gc.get_threshold()
    assert linked.function(twice)(3.0) == 6
    assert gc.get_threshold() == before
    assert seen[0] == (linked._SELDOM, *before[1:])


def test_the_copies_of_parts_are_not_seen_outside(monkeypatch):
    """Those that Numba compiles by itself among them; the loader goes by names."""
    monkeypatch.setattr(JITCodeLibrary, "_optimize_final_module", lambda self: None)
    part = linked.function(twice)
    whole = linked.function(lambda x: part(x) + thrice(x) + max(x, 2.0))
    assert whole(1.0) == 7
    (own,), (its,) = whole.overloads.values(), part.inner.overloads.values()
    linkage = {f.name: f.linkage for f in own.library.get_defined_functions()}
    assert linkage[own.fndesc.llvm_func_name] == Linkage.external
    assert linkage[f"part.{its.fndesc.llvm_func_name}"] == Linkage.internal
    inside = [name for name in linkage if linkage[name] != Linkage.external]
    assert len(inside) >= 3
    for name in inside:
        assert (linkage[name] == Linkage.internal and name.startswith("part.")) or "NRT_" in name


def test_inlined_before_it_is_lowered():
    whole, part = make(inline="always")
    assert whole(np.arange(4.0)) == 12
    assert part.inner.signatures == []


def test_where_numba_ends_libraries_otherwise(monkeypatch):
    monkeypatch.setattr(linked, "_ENDS", (*linked._ENDS, "_in_no_version"))
    whole, part = make()
    assert whole(np.arange(4.0)) == 12
    assert not isinstance(whole, linked.Function)
    assert len(part.signatures) == 1


def test_kept_with_its_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    part = compiled.compiler(tmp_path)(twice)

    def make_whole():
        return compiled.compiler(tmp_path)(four_times(part))

    first, again = make_whole(), make_whole()
    assert first(2.0) == again(2.0) == 8
    assert sum(first.stats.cache_hits.values()) == 0
    assert sum(again.stats.cache_hits.values()) == 1
    assert len(list(tmp_path.rglob("*.nbc"))) == 1


@pytest.mark.parametrize("hook", ["_object_cache_notify", "_object_cache_getbuffer"])
def test_an_interruption_while_machine_code_is_made_or_loaded(tmp_path, monkeypatch, hook):
    """It comes up in a call from LLVM, which swallows what that raises."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))

    part = compiled.compiler(tmp_path)(twice)

    def make_whole():
        return compiled.compiler(tmp_path)(four_times(part))

    if hook == "_object_cache_getbuffer":
        assert make_whole()(2.0) == 8
    whole = make_whole()
    with monkeypatch.context() as patch:
        patch.setattr(cpu_target.target_context.codegen()._engine._ee, hook, interrupted)
        with pytest.raises(KeyboardInterrupt):
            whole(2.0)
    assert whole(2.0) == make_whole()(2.0) == 8
    assert len(list(tmp_path.rglob("*.nbc"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no signal to a thread")
def test_an_interruption_leaves_out_nothing_that_numba_takes_note_of(monkeypatch):
    """It does so once: what is left out then is not known to the end of the process."""
    done = threading.Event()

    def refresh():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)
        done.set()

    monkeypatch.setattr(cpu_target.target_context, "refresh", refresh)
    with default_interrupt(), pytest.raises(KeyboardInterrupt):
        linked._registered.__wrapped__()
    assert done.wait(10)


def interrupted(*_):
    raise KeyboardInterrupt


def test_other_exceptions_that_nobody_takes_go_where_they_went(monkeypatch):
    seen = []
    monkeypatch.setattr("sys.unraisablehook", lambda lost: seen.append(lost.exc_type))

    class Dying:
        def __del__(self):
            raise ValueError

    with linked.raised():
        Dying()
    assert seen == [ValueError]


def four_times(part):
    def whole(x):
        return part(part(x))

    return whole
