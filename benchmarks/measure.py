"""What the benchmarks share: repeated timings, the number of threads, what they ran on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numba.core.registry import cpu_target
from threadpoolctl import threadpool_info

import tangency as tg

RESULTS = Path(__file__).parent / "results"


def seconds(call: Callable[[], Any]) -> float:
    """The time that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(calls: dict[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """A B A B ...: what each call returns, `runs` times, so that a slow minute hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            times[name].append(call())
    return times


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in times.items()}


def use_processors(count: int) -> None:
    """Restricts this process, and those that it starts, to so many processors."""
    if not hasattr(os, "sched_setaffinity"):
        print("this system has no processor affinity: both sides use all processors")
        return
    available = sorted(os.sched_getaffinity(0))
    if len(available) < count:
        raise SystemExit(f"--threads {count}, but this process may use {len(available)} only")
    os.sched_setaffinity(0, available[:count])


def large_enough(run: Callable[[int], Any], wanted: float, start: int, most: int) -> int:
    """The first of start, 2·start, 4·start, … inputs for which a run takes `wanted` seconds.

    The time is taken to grow with the square of the number; no size above `most`.
    """
    n = start
    run(n)
    while n < most:
        taken = seconds(lambda n=n: run(n))
        if taken >= wanted / 2:
            break
        n *= 4 if 16 * taken <= wanted else 2
    return min(n, most)


def gram_call(net: Any, x: Any, y: Any | None, **options: Any) -> Callable[[], float]:
    """A timed call for both kernels, with the fused engine unless another is named."""
    options = {"engine": "fused"} | options
    return lambda: seconds(lambda: tg.gram(net, x, y, **options))


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on. A load above 0.3 before the start means a machine in use."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "blas": _blas(),
        "vectors": _vectors(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
    }


def _blas() -> str:
    """NumPy's BLAS and the processor that it is compiled for, as OPENBLAS_CORETYPE can set it."""
    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    numpys = [info for info in found if "numpy" in info["filepath"]] or found
    return " ".join(str(numpys[0].get(key)) for key in ("internal_api", "architecture"))


def _vectors() -> str:
    """The vectors that Numba compiles for: its own choice, or that of NUMBA_CPU_NAME."""
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    found = "AVX-512" if "+avx512vl" in features.split(",") else "AVX2"
    return f"{found} ({name})" if "x86" in platform.machine() else name


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines())
        named = {key.strip(): value.strip() for key, value in fields.items()}
        family = f"family {named.get('cpu family')}, model {named.get('model')}"
        return f"{named.get('model name', 'unknown')} ({family})"
    return platform.processor()


def warn_if_busy(about: dict[str, Any]) -> None:
    if about["load_before"] > 0.3:
        load = about["load_before"]
        print(f"WARNING: load {load} before the start: do not publish these figures")


def head(threads: int, *packages: str, **settings: Any) -> dict[str, Any]:
    """What every file of results begins with; warns of a machine in use."""
    about = machine(threads)
    warn_if_busy(about)
    return {"machine": about, "versions": versions(*packages), "settings": settings}


def versions(*more: str) -> dict[str, str]:
    names = ("numba", "numpy", "scikit-learn", *more)
    found = {name: version(name) for name in names}
    return {"tangency": tg.__version__, "python": platform.python_version(), **found}


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Replaces the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(results, indent=1, default=_number) + "\n", encoding="utf-8")
    os.replace(part, path)


def printed(options: argparse.Namespace, markdown: Callable[[dict[str, Any]], str]) -> bool:
    """Prints the tables of the results in the file of --markdown; False where it is not given."""
    if options.markdown:
        print(markdown(json.loads(options.markdown.read_text(encoding="utf-8"))))
    return bool(options.markdown)


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} does not go into JSON")
