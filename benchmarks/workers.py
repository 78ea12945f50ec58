"""How a stored kernel matrix gets faster with workers, and slower with inputs.

    python benchmarks/workers.py [--case conv3-gap-8] [--wanted 20] [--runs 3]

Workers: one job, computed by one Dask worker process, by two, and by this process with one thread
and with two, in turn; each worker has one thread. Both clusters run all the time, and have computed
a small job before. Aim: two workers at least 1.7 times as fast as one.

Inputs: two workers on n/4, n/2 and n inputs, beside what `gram.estimate` said before. Times include
all of `gram.compute`: reading and hashing the inputs, sending them, writing the store.

Writes benchmarks/results/workers.json; --markdown prints its tables.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growth import exponent
from measure import (
    RESULTS,
    head,
    interleaved,
    large_enough,
    medians,
    printed,
    seconds,
    use_processors,
    write_json,
)
from tables import about

import tangency as tg
from cases import CASES, Case

TILE = 128
AIM = 1.7
ONE, TWO = "1 worker", "2 workers"


def job(case: Case, n: int, **options: Any) -> Callable[[], float]:
    """A timed computation of both kernels in a new store."""
    x = case.inputs(n)

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "K.zarr"
            return seconds(lambda: tg.gram.compute(case.network, x, store=path, **options))

    return run


def measure(options: argparse.Namespace) -> dict[str, Any]:
    case = CASES[options.case]
    with tg.gram.local_cluster(1) as one, tg.gram.local_cluster(2) as two:
        ways = {
            ONE: {"client": one},
            TWO: {"client": two},
            "this process, 1 thread": {"n_jobs": 1},
            "this process, 2 threads": {"n_jobs": 2},
        }
        for way in ways.values():
            job(case, 2 * TILE, tile=TILE, **way)()
        n = large_enough(
            lambda n: job(case, n, tile=TILE, **ways[ONE])(), options.wanted, 4 * TILE, 2**15
        )
        calls = {name: job(case, n, tile=TILE, **way) for name, way in ways.items()}
        workers = compare(interleaved(calls, options.runs), n)
        growth = grow(case, [n // 4, n // 2, n], two, options.runs)
    return {"case": case.name, "net": case.net, "shape": case.shape, "tile": TILE} | {
        "workers": workers,
        "growth": growth,
    }


def compare(times: dict[str, list[float]], n: int) -> dict[str, Any]:
    """The speed of two workers relative to one."""
    typical = medians(times)
    ratio = typical[ONE] / typical[TWO]
    for name, value in typical.items():
        print(f"  {name:<24} {value:7.2f} s", flush=True)
    print(f"  two workers are {ratio:.2f} times as fast as one (at least {AIM}: {ratio >= AIM})")
    return {"n": n, "seconds": times, "ratio": ratio, "aim": AIM, "met": ratio >= AIM}


def grow(case: Case, sizes: list[int], client: Any, runs: int) -> dict[str, Any]:
    """Times on two workers for several n, those that were planned, and the exponent."""
    planned = [
        tg.gram.estimate(
            case.network, (n, *case.shape), machines=2, dtype="float32", tile=TILE
        ).seconds
        for n in sizes
    ]
    calls = {str(n): job(case, n, tile=TILE, client=client) for n in sizes}
    measured = list(medians(interleaved(calls, runs)).values())
    slope = exponent(sizes, measured)
    for n, plan, value in zip(sizes, planned, measured, strict=True):
        print(f"  n={n:<6} {value:7.2f} s, planned {plan:.2f} s", flush=True)
    print(f"  exponent {slope:.2f}")
    return {"sizes": sizes, "seconds": measured, "planned": planned, "exponent": slope}


def markdown(results: dict[str, Any]) -> str:
    found = results["workers"]
    workers, growth = found["workers"], found["growth"]
    typical = medians(workers["seconds"])
    pairs = workers["n"] * (workers["n"] + 1) / 2
    rows = [
        f"`{found['net']}` on {'×'.join(map(str, found['shape']))}, n = {workers['n']:,}, both "
        f"kernels, float32, tiles of {found['tile']}:",
        "",
        "| computed by | seconds | pairs a second | speed |",
        "|---|---:|---:|---:|",
    ]
    for name, value in typical.items():
        speed = typical[ONE] / value
        rows.append(f"| {name} | {value:.2f} | {pairs / value:,.0f} | {speed:.2f}× |")
    rows += ["", "| n, two workers | seconds | planned |", "|---:|---:|---:|"]
    for n, value, plan in zip(growth["sizes"], growth["seconds"], growth["planned"], strict=True):
        rows.append(f"| {n:,} | {value:.2f} | {plan:.2f} |")
    rows += ["", f"Exponent of the time in n: {growth['exponent']:.2f}."]
    return about(results) + "\n\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--case", default="conv3-gap-8", choices=sorted(CASES))
    parser.add_argument("--wanted", type=float, default=20.0, help="seconds of one worker")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "workers.json")
    parser.add_argument("--markdown", type=Path, help="print the tables of these results")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    use_processors(2)
    results = head(2, "dask", "distributed", "zarr", runs=options.runs)
    results["workers"] = measure(options)
    write_json(options.out, results)
    print(f"written to {options.out}")
    print(markdown(results))


if __name__ == "__main__":
    main()
