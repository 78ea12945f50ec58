"""Speed of the fused engine beside itself: precisions, symmetry, threads; and scikit-learn."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from measure import gram_call, interleaved, large_enough, medians, seconds
from sklearn.metrics.pairwise import rbf_kernel
from threadpoolctl import threadpool_limits

import tangency as tg
from cases import CASES, Case

LANES = 32
PRECISION = ("dense-5", "conv3-gap-32", "myrtle5-32", "conv3-gap-8")
THREADS = ("dense-5", "conv3-gap-32", "myrtle5-32", "conv3-gap-8")
SYMMETRY = ("dense-5", "conv3-gap-8")


def checks(threads: int, runs: int, wanted: float) -> dict[str, Any]:
    """All comparisons; each gives a ratio of median times and whether it is within its bound."""
    options = argparse.Namespace(threads=threads, runs=runs, wanted=wanted)
    return {
        "float64_speed": {name: _precision(CASES[name], options) for name in PRECISION},
        "symmetric_time": {name: _symmetry(CASES[name], options) for name in SYMMETRY},
        "threads_speed": {name: _threads(CASES[name], options) for name in THREADS},
        "rbf_time": {"dense-5": _rbf(CASES["dense-5"], options)},
    }


def _precision(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """The speed in float64 relative to that in float32, at least a third."""
    n, calls = _size(case, options), {}
    for name in ("float32", "float64"):
        x, y = _inputs(case, n, np.dtype(name))
        calls[name] = gram_call(case.network, x, y, n_jobs=options.threads)
    return _ratio("float64 speed", case, n, calls, ("float32", "float64"), options, least=1 / 3)


def _symmetry(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """The time of a symmetric call relative to a general one, at most 0.55."""
    # In a small matrix the blocks on the diagonal, of which half is in vain, count for much.
    n = max(2048, case.size or _size(case, options))
    x = case.inputs(n)
    calls = {
        "general": gram_call(case.network, x, x.copy(), n_jobs=options.threads),
        "symmetric": gram_call(case.network, x, None, n_jobs=options.threads),
    }
    names = ("symmetric", "general")
    return _ratio("symmetric time", case, n, calls, names, options, most=0.55)


def _threads(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """The speed of two threads relative to one, at least 1.8."""
    n = _size(case, options)
    x, y = _inputs(case, n, np.dtype(np.float32))
    calls = {str(k): gram_call(case.network, x, y, n_jobs=k) for k in (1, 2)}
    return _ratio("two threads", case, n, calls, ("1", "2"), options, least=1.8)


def _rbf(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """The time for both kernels relative to scikit-learn's rbf_kernel; the aim is at most 1."""
    assert case.size is not None
    x = case.inputs(case.size)

    def rbf() -> float:
        with threadpool_limits(options.threads):
            return seconds(lambda: rbf_kernel(x))

    ours = gram_call(case.network, x, None, n_jobs=options.threads)
    calls = {"ours": ours, "rbf_kernel": rbf}
    names = ("ours", "rbf_kernel")
    return _ratio("time of rbf_kernel", case, case.size, calls, names, options, most=1.0)


def _ratio(
    what: str,
    case: Case,
    n: int,
    calls: dict[str, Any],
    names: tuple[str, str],
    options: argparse.Namespace,
    *,
    least: float | None = None,
    most: float | None = None,
) -> dict[str, Any]:
    """median(names[0]) / median(names[1]), after a run of each that compiles."""
    for call in calls.values():
        call()
    times = interleaved(calls, options.runs)
    typical = medians(times)
    ratio = typical[names[0]] / typical[names[1]]
    met = ratio >= least if least is not None else most is not None and ratio <= most
    bound = f"at least {least:.3g}" if least is not None else f"at most {most:.3g}"
    print(f"{what:<20} {case.name:<15} n={n:<5} {ratio:6.3f}  ({bound} {met})", flush=True)
    return {"n": n, "seconds": times, "ratio": ratio, "bound": bound, "met": met}


def _inputs(case: Case, n: int, dtype: Any) -> tuple[np.ndarray, np.ndarray | None]:
    if case.size is not None:
        return case.inputs(n, 3, dtype), None
    return case.inputs(n, 3, dtype), case.inputs(n, 4, dtype)


def _size(case: Case, options: argparse.Namespace) -> int:
    if case.size is not None:
        return case.size

    def run(n: int) -> Any:
        x, y = _inputs(case, n, np.float32)
        return tg.gram(case.network, x, y, engine="fused", n_jobs=options.threads)

    return large_enough(run, options.wanted, LANES, 4096)
