"""Compilation ahead of the first call, and what is said about it."""

import threading
import time

import numpy as np
import pytest

from tangency.engines.engine import Wanted
from tangency.engines.fused import blocks, duals, warm, winograd
from tangency.engines.fused import engine as fused
from tangency.learn import LayerwiseFeatures
from tangency.nets import parse
from tangency.nets.plan import plan


@pytest.fixture
def calls(monkeypatch):
    """The tiny calls that are made, with nothing ready yet."""
    made = []
    monkeypatch.setattr(warm, "_ready", set())
    monkeypatch.setattr(warm, "_running", set())
    monkeypatch.setattr(warm, "_tiny_calls", lambda *call: made.append(call))
    return made


def test_each_dtype_and_kind_once(calls):
    warm.get_ready(np.dtype(np.float32), True)
    assert {call[2] for call in calls} == {"float32"}
    assert all(len(call[1]) == 3 for call in calls)
    count = len(calls)
    warm.get_ready("float32", True)
    assert len(calls) == count
    warm.warm_up()
    assert {(call[2], len(call[1])) for call in calls} == {
        (dtype, dims) for dtype in ("float32", "float64") for dims in (1, 3)
    }


def test_calls_within_and_from_other_threads(calls, monkeypatch):
    """The tiny calls ask too and must not wait for themselves; another thread must."""
    order = []

    def tiny(text, shape, dtype):
        warm.get_ready(dtype, True)
        time.sleep(0.05)
        order.append("compiled")

    monkeypatch.setattr(warm, "_tiny_calls", tiny)
    other = threading.Thread(
        target=lambda: (warm.get_ready("float64", True), order.append("other"))
    )
    with warm._lock:
        other.start()
        warm.get_ready("float64", True)
    other.join()
    assert order == ["compiled", "other"]


def test_an_interrupted_compilation_begins_again(calls, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(warm, "_tiny_calls", interrupted)
        with pytest.raises(KeyboardInterrupt):
            warm.get_ready("float64", False)
    warm.get_ready("float64", False)
    assert calls


@pytest.mark.parametrize(
    ("compiles", "patience", "said"), [(1, 0, True), (0, 0, False), (1, 60, False)]
)
def test_the_message(calls, monkeypatch, capsys, compiles, patience, said):
    """Only if something is compiled, and for long."""
    count = iter([0, compiles])
    spoken = threading.Event()
    monkeypatch.setattr(warm, "_compiled", lambda: next(count))
    monkeypatch.setattr(warm, "_PATIENCE", patience)
    original = warm._text

    def text(dtype):
        spoken.set()
        return original(dtype)

    monkeypatch.setattr(warm, "_text", text)
    monkeypatch.setattr(warm, "_tiny_calls", lambda *_: spoken.wait(10 if said else 0.2))
    warm.get_ready("float32", True)
    time.sleep(0.05)
    err = capsys.readouterr().err
    assert bool(err) == said
    if said:
        assert err.startswith("tangency: compiling its loops for float32 images, which takes")
        assert "once; the result is kept in" in err or "set NUMBA_CACHE_DIR" in err


def test_without_a_cache_the_message_says_so(monkeypatch):
    class Stats:
        cache_path = None

    class Block:
        stats = Stats

    monkeypatch.setattr(blocks, "image_block", Block)
    assert "in every process, as no cache directory can be written to" in warm._text("float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_is_left_to_compile_for_features(dtype):
    for loops in (duals, winograd):
        loops.get_ready(dtype)
    functions = warm._functions()
    assert {duals.table, winograd.spread_tiles, winograd.gather_tiles} <= set(functions)
    before = {f: len(f.signatures) for f in functions}
    images = np.random.default_rng(0).standard_normal((6, 7, 5, 2)).astype(dtype)
    for text in ("conv3 relu conv3 gelu gap dense", "conv2 hermite2 flatten dense"):
        warm.get_ready(dtype, True)  # the error of features takes the exact kernel
        LayerwiseFeatures(text, 300, widths=270).fit(images)
    done = {f: len(f.signatures) for f in (duals.table, duals.prepare_columns)}
    done |= {f: len(f.signatures) for f in (winograd.spread_tiles, winograd.gather_tiles)}
    assert done == {f: before[f] for f in done}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_is_left_to_compile(dtype):
    """After warming up, real calls of every kind compile nothing more."""
    warm.warm_up([dtype])
    before = {f: len(f.signatures) for f in warm._functions()}
    rng = np.random.default_rng(0)
    for text, shape in (
        (
            "conv3 relu gauss2 conv3:pad=circular erf conv[[0,0],[1,1]] gelu flatten dense",
            (6, 6, 2),
        ),
        ("conv3 res(relu conv3) layernorm relu avg2 conv3 relu gap dense sin dense", (9, 1)),
        ("conv3:frozen relu gap", (5, 1)),
        ("dense relu dense relu dense", (5,)),
        ("dense:b=0.1 erf dense res(relu dense) relu dense", (5,)),
    ):
        steps = plan(parse(text), shape)
        x = rng.normal(size=(40, *shape)).astype(dtype)
        y = x[:7].copy()
        y.flags.writeable = False
        for second in (None, x[::-1], y):
            fused.gram(steps, x, second)
            fused.gram(steps, x, second, wanted=Wanted(ntk=False))
        fused.gram(steps, y, x[3:4])
        fused.diagonal(steps, x)
        fused.diagonal(steps, y, want_ntk=False)
    added = {f.py_func.__name__ for f, n in before.items() if len(f.signatures) > n}
    assert not added
