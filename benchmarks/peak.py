"""The share of one core's peak that the engine reaches on convolutions, in float32.

    python benchmarks/peak.py [--runs 5] [--depth 10] [--side 32]

The work: (conv3 relu)×depth + GAP on side × side × 3 images, both kernels, one thread. Operations
are counted by `count.py` from the engine's own loops. The peak is that of a compiled loop of fused
multiply-adds which keeps its numbers in registers, run in turn with the engine on the same core;
a matrix product (BLAS, one thread) is timed beside it as a check. Two shares are given:

- of the peak in operations, where a fused multiply-add counts as two;
- of the peak in arithmetic instructions, where it counts as one. Sums, products and square roots
  that do not fuse take an instruction for a single operation, so this one says how busy the
  arithmetic units are. A square root counts as one instruction here, though it takes as long as
  several.

Neither counts loads, stores, comparisons and selections.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from count import operations, pair
from measure import (
    RESULTS,
    gram_call,
    head,
    interleaved,
    medians,
    printed,
    seconds,
    use_processors,
    write_json,
)
from tables import about
from threadpoolctl import threadpool_limits

import tangency as tg
from tangency.engines.fused.simd import load, store, width, width_of

IMAGES = 32
CHAINS = 12
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@numba.njit(**OPTIONS)
def chains(x, a, b, times):
    """`times` fused multiply-adds on every number of CHAINS vectors, which stay in registers.

    Chains side by side hide the latency of each.
    """
    n = np.uint64(width(x))
    v0, v1, v2 = load(x, n * 0), load(x, n * 1), load(x, n * 2)
    v3, v4, v5 = load(x, n * 3), load(x, n * 4), load(x, n * 5)
    v6, v7, v8 = load(x, n * 6), load(x, n * 7), load(x, n * 8)
    v9, v10, v11 = load(x, n * 9), load(x, n * 10), load(x, n * 11)
    for _ in range(times):
        v0, v1, v2 = v0 * a + b, v1 * a + b, v2 * a + b
        v3, v4, v5 = v3 * a + b, v4 * a + b, v5 * a + b
        v6, v7, v8 = v6 * a + b, v7 * a + b, v8 * a + b
        v9, v10, v11 = v9 * a + b, v10 * a + b, v11 * a + b
    total = ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7)) + ((v8 + v9) + (v10 + v11))
    store(x, np.uint64(0), total)


def fma_loop(wanted: float) -> tuple[Callable[[], float], float]:
    """A timed call of `chains`, and its operations."""
    size = CHAINS * width_of(np.float32)
    start = np.linspace(0, 1, size, dtype=np.float32)
    a, b = np.float32(0.5), np.float32(0.25)
    chains(start.copy(), a, b, 1)
    times = 1024

    def call() -> float:
        return seconds(lambda: chains(start.copy(), a, b, times))

    while call() < wanted:
        times *= 2
    return call, 2.0 * size * times


def matrix_product(wanted: float) -> tuple[Callable[[], float], float]:
    """A timed call of products of 1,024 × 1,024 matrices on one thread, and its operations."""
    n = 1024
    a = np.ones((n, n), dtype=np.float32)
    out = np.empty_like(a)

    def products() -> None:
        for _ in range(times):
            np.matmul(a, a, out=out)

    def call() -> float:
        with threadpool_limits(1, "blas"):
            return seconds(products)

    times = 1
    call()
    times = max(1, round(wanted / call()))
    return call, 2.0 * n**3 * times


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Runs all three in turn; rates in operations a second."""
    shape = (options.side, options.side, 3)
    net = " ".join(["conv3 relu"] * options.depth + ["gap", "dense"])
    rng = np.random.default_rng(0)
    x = rng.standard_normal((IMAGES, *shape), dtype=np.float32)
    y = rng.standard_normal((IMAGES, *shape), dtype=np.float32)
    engine = gram_call(tg.parse(net), x[: options.rows], y, n_jobs=1)
    loop, loop_operations = fma_loop(0.5)
    product, product_operations = matrix_product(0.5)
    engine()
    times = interleaved({"engine": engine, "fma_loop": loop, "matmul": product}, options.runs)
    typical = medians(times)
    counts = pair(options.depth, options.side, shape[-1])
    pairs = options.rows * IMAGES
    done = pairs * operations(counts)
    peak = max(loop_operations / min(times["fma_loop"]), product_operations / min(times["matmul"]))
    rates = {
        "engine": done / typical["engine"],
        "fma_loop": loop_operations / typical["fma_loop"],
        "matmul": product_operations / typical["matmul"],
    }
    instructions = pairs * sum(counts.values()) / typical["engine"]
    return {
        "net": net,
        "shape": shape,
        "pairs": pairs,
        "counts_per_pair": dict(counts),
        "operations_per_pair": operations(counts),
        "seconds": times,
        "operations_per_second": rates,
        "peak": peak,
        "share_of_operations": rates["engine"] / peak,
        "share_of_instructions": instructions / (peak / 2),
    }


def markdown(results: dict[str, Any]) -> str:
    found = results["peak"]
    rates, counts = found["operations_per_second"], found["counts_per_pair"]
    kinds = ", ".join(f"{count / 1e6:,.1f} M {name}" for name, count in counts.items())
    rows = [
        "| | |",
        "|---|---:|",
        f"| network | `{found['net']}` |",
        f"| operations a pair | {found['operations_per_pair'] / 1e6:,.1f} M ({kinds}) |",
        f"| loop of fused multiply-adds, float32, one core | {rates['fma_loop'] / 1e9:,.1f} G/s |",
        f"| matrix product, one core | {rates['matmul'] / 1e9:,.1f} G/s |",
        f"| the engine, one core | {rates['engine'] / 1e9:,.1f} G/s |",
        f"| share of the peak in operations | {found['share_of_operations']:.0%} |",
        f"| share of the peak in instructions | {found['share_of_instructions']:.0%} |",
    ]
    return about(results) + "\n\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rows", type=int, default=8, help=f"images against {IMAGES} others")
    parser.add_argument("--out", type=Path, default=RESULTS / "peak.json")
    parser.add_argument("--markdown", type=Path, help="print the table of these results")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    use_processors(1)
    results = head(1, runs=options.runs)
    results["peak"] = measure(options)
    write_json(options.out, results)
    print(f"written to {options.out}")
    print(markdown(results))


if __name__ == "__main__":
    main()
