"""What it costs to compute a kernel matrix tile by tile into a store, beside one call in memory.

    python benchmarks/tiles.py [--inputs 4000] [--runs 5] [--threads 2] [--cases NAME,NAME]

Three ways to the NTK of the same float32 inputs, interleaved: one call in memory; the tiles of the
store, computed and dropped; and `gram.compute`, with digests, checksums and files. Beside them,
what no store can do without: writing as many bytes to as many plain files. Prints medians and
writes benchmarks/results/tiles.json. Stores go to a folder of --folder (default: the system's
temporary one) and are removed. The overhead is to be under 5 %.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import (
    RESULTS,
    head,
    interleaved,
    medians,
    printed,
    seconds,
    use_processors,
    write_json,
)
from tables import about

import tangency as tg
from cases import Case, chosen
from tangency.matrix.compute import make_job
from tangency.matrix.job import kernel_and_kinds

TARGET = 0.05
WAYS = ("memory", "tiles", "store", "files")


def measure(case: Case, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Medians of all ways, the overhead, and that values agree."""
    X = case.inputs(options.inputs)
    kernel = tg.NTK(case.network, n_jobs=options.threads)
    job, _ = make_job(*kernel_and_kinds(kernel, None), X, None, "none.zarr", "auto", None, None)
    for call in calls(kernel, X[:256], folder).values():
        call()  # loops are compiled, libraries loaded
    agreement = compare(kernel, X[:512], folder)
    times = interleaved(calls(kernel, X, folder), options.runs)
    found = medians(times)
    return {
        "net": case.net,
        "shape": case.shape,
        "inputs": options.inputs,
        "tile": job.grid.tile,
        "tiles": len(job.grid),
        "bytes": sum(a * b for a, b in (job.grid.extent(i, j) for i, j in job.grid)) * 4,
        "seconds": times,
        "medians": found,
        "overhead": found["store"] / found["memory"] - 1,
        "overhead_of_tiles": found["tiles"] / found["memory"] - 1,
        "meets_target": found["store"] / found["memory"] - 1 < TARGET,
        "agreement": agreement,
    }


def calls(kernel: tg.NTK, X: np.ndarray, folder: Path) -> dict[str, Callable[[], float]]:
    """All ways, timed; removing files is not part of it."""

    def of_tiles() -> Any:
        return make_job(kernel, ("ntk",), X, None, "none.zarr", "auto", None, None)

    def tiles() -> None:
        job, data = of_tiles()
        for i, j in job.grid:
            job.compute_tile(i, j, data)

    def files() -> float:
        grid = of_tiles()[0].grid
        tile = np.ones((grid.tile, grid.tile), dtype=X.dtype)
        path = Path(tempfile.mkdtemp(dir=folder))

        def write() -> None:
            for i, j in grid:
                (path / f"{i}.{j}").write_bytes(tile.data)

        try:
            return seconds(write)
        finally:
            shutil.rmtree(path)

    def store() -> float:
        path = Path(tempfile.mkdtemp(dir=folder), "K.zarr")
        try:
            return seconds(lambda: tg.gram.compute(kernel, X, store=path))
        finally:
            shutil.rmtree(path.parent)

    return {
        "memory": lambda: seconds(lambda: kernel(X)),
        "tiles": lambda: seconds(tiles),
        "store": store,
        "files": files,  # last: the system is busy with so many new pages for a while
    }


def compare(kernel: tg.NTK, X: np.ndarray, folder: Path) -> float:
    """The largest difference between the stored matrix and the one in memory, relative."""
    path = Path(tempfile.mkdtemp(dir=folder), "K.zarr")
    try:
        stored = tg.gram.compute(kernel, X, store=path, tile=96)
        assert isinstance(stored, tg.gram.StoredGram)
        expected = kernel(X)
        return float(np.max(np.abs(np.asarray(stored) - expected)) / np.max(np.abs(expected)))
    finally:
        shutil.rmtree(path.parent)


def markdown(results: dict[str, Any]) -> str:
    head = "| network | inputs | tiles | in memory | tiles | store | files | overhead |"
    rows = [head, "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, case in results["cases"].items():
        found = case["medians"]  # without "files" where it is older than that column
        times = " | ".join(f"{found[way]:.3g} s" if way in found else "" for way in WAYS)
        tiles = f"{case['tiles']} of {case['tile']:,}²"
        size = f"{case['inputs']:,}"
        rows.append(f"| {name} | {size} | {tiles} | {times} | {case['overhead']:+.1%} |")
    return about(results) + "\n\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", default="dense-5,conv3-gap-8", help="names in cases.py")
    parser.add_argument("--folder", type=Path, help="where stores are written")
    parser.add_argument("--out", type=Path, default=RESULTS / "tiles.json")
    parser.add_argument("--markdown", type=Path, help="print the table of these results")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    use_processors(options.threads)
    results = head(options.threads, "zarr", runs=options.runs, dtype="float32") | {"cases": {}}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for case in chosen(options.cases):
            results["cases"][case.name] = found = measure(case, options, Path(folder))
            times = "  ".join(f"{way} {value:.3g} s" for way, value in found["medians"].items())
            print(f"{case.name:<14} {times}  overhead {found['overhead']:+.1%}", flush=True)
            write_json(options.out, results)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
