"""Learning on layerwise features as the number of images grows, and with workers.

    python benchmarks/features_scale.py [--most 100000]

Made images of 16×16 pixels in a file, two classes, `conv3 relu conv3 relu gap dense`, widths 48 and
128, float32. For each n a process of its own fits a classifier from the file into a store, and
tells its time and its peak of memory beyond that of its imports. Then features of one n into a
store, by one Dask worker and by two, in turn; each has one thread. Aim: 1.7 times as fast.

Writes benchmarks/results/features_scale.json; --markdown prints its tables.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from growth import exponent
from measure import RESULTS, head, interleaved, medians, printed, seconds, write_json
from scipy.ndimage import gaussian_filter1d
from tables import about

import tangency as tg
from tangency.learn import Features, KernelClassifier, LayerwiseFeatures

NET, WIDTHS, SIDE = "conv3 relu conv3 relu gap dense", (48, 128), 16
SMALLEST, BLOCK, AIM = 7_500, 10_000, 1.7
ONE, TWO = "1 worker", "2 workers"


def made(path: Path, n: int) -> None:
    """Smooth random images in a file, rougher in the second half of the classes' labels."""
    images = np.lib.format.open_memmap(path, "w+", np.float32, (n, SIDE, SIDE, 1))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        noise = np.random.default_rng(start).standard_normal((rows.stop - start, SIDE, SIDE, 1))
        smooth = gaussian_filter1d(gaussian_filter1d(noise, 1.0, axis=1), 1.0, axis=2)
        rough = (labels(n)[rows] == 1)[:, None, None, None]
        images[rows] = smooth / smooth.std() + 0.3 * rough * noise
    images.flush()


def labels(n: int) -> np.ndarray:
    return np.arange(n) % 2


def fit_one(path: Path, n: int, folder: Path) -> dict[str, float]:
    """Of this process: seconds, megabytes beyond what it had, leave-one-out accuracy."""
    X = np.load(path, mmap_mode="r")[:n]
    solver = Features(1000, widths=WIDTHS)
    KernelClassifier(NET, solver=solver).fit(np.array(X[:300]), labels(300))  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = KernelClassifier(NET, solver=solver, store=folder / f"{n}.zarr")
    took = seconds(lambda: model.fit(X, labels(n)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": took, "megabytes": (peak - before) / 1024, "accuracy": model.loo_score_}


def grow(path: Path, most: int, folder: Path) -> dict[str, Any]:
    sizes = [SMALLEST * 2**k for k in range(20) if SMALLEST * 2**k < most] + [most]
    found = {}
    for n in sizes:
        command = [sys.executable, __file__, "--one", str(n), "--data", str(path)]
        out = subprocess.run([*command, "--folder", str(folder)], check=True, capture_output=True)
        found[str(n)] = json.loads(out.stdout)
        print(n, found[str(n)], flush=True)
    times = [found[str(n)]["seconds"] for n in sizes]
    return {"sizes": found, "exponent": exponent(sizes, times)}


def workers(path: Path, n: int, runs: int) -> dict[str, Any]:
    X = np.load(path, mmap_mode="r")[:n]
    features = LayerwiseFeatures(tg.NTK(NET), 1000, widths=WIDTHS, random_state=0)
    features.fit(np.array(X[:1000]))

    def job(client: Any, count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "F.zarr"
            return seconds(lambda: features.transform_to(X[:count], store, client=client))

    with tg.gram.local_cluster(1) as one, tg.gram.local_cluster(2) as two:
        for client in (one, two):
            job(client, 2000)
        times = interleaved({ONE: lambda: job(one, n), TWO: lambda: job(two, n)}, runs)
    found = medians(times)
    return {"n": n, "seconds": found, "runs": times, "speedup": found[ONE] / found[TWO]}


def markdown(results: dict[str, Any]) -> str:
    lines = [
        about(results),
        "",
        "| images | seconds | ms an image | memory, MB |",
        "|---|---|---|---|",
    ]
    for n, found in results["growth"]["sizes"].items():
        each = 1e3 * found["seconds"] / int(n)
        row = f"{int(n):,} | {found['seconds']:.1f} | {each:.2f} | {found['megabytes']:.0f}"
        lines.append(f"| {row} |")
    two = results["workers"]
    lines += [
        "",
        f"Time grows as n^{results['growth']['exponent']:.2f}. Features of {two['n']:,} images: "
        f"two workers {two['speedup']:.2f} times as fast as one (aim {AIM}).",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--markdown", type=Path, metavar="RESULTS.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(fit_one(options.data, options.one, options.folder)))
        return
    if printed(options, markdown):
        return
    results = head(2, "dask", "zarr", net=NET, widths=WIDTHS, side=SIDE, runs=options.runs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        made(path, options.most)
        results["growth"] = grow(path, options.most, Path(folder))
        results["workers"] = workers(path, min(options.most, 20_000), options.runs)
    write_json(RESULTS / "features_scale.json", results)
    print(markdown(results))


if __name__ == "__main__":
    main()
