"""Regression on small tables: NTK and NNGP with tuned hyper-parameters beside Gaussian processes.

    python benchmarks/uci_regression.py --data PATH [--gpytorch PYTHON] [--splits 10] [--sets a,b]

PATH is a folder with one .npz a set: `X` (n, d), `y` (n,), `test_mask` (n, splits), True for the
test rows of a split. Sets of up to 5,000 rows are taken. PYTHON is an interpreter with GPyTorch;
without it its two methods are left out. Inputs and targets are standardised by the training part,
and so are the figures: an RMSE of 1 is that of predicting the mean.

The first split of all sets comes first. Each fit is saved, and the same command goes on where a run
was stopped. One thread; seconds are processor time. `--markdown FILE` prints the tables of a file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import RESULTS, head, printed, write_json
from peer_process import Peer, PeerError
from regression_models import LENGTHS, drawn, fitted
from regression_tables import markdown
from threadpoolctl import threadpool_limits

from tangency.learn import calibration

MOST_ROWS, LEVELS = 5000, (0.9, 0.95)
METHODS = (
    "tangency ntk",
    "tangency nngp",
    "sklearn rbf",
    "sklearn matern",
    "gpytorch rbf",
    "gpytorch matern",
)
WORKER = Path(__file__).parent / "gpytorch_worker.py"


def sets(folder: Path, names: str | None) -> list[Path]:
    """The files of the sets, by their number of rows."""
    sizes = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            n = len(data["y"])
        if n <= MOST_ROWS and (names is None or path.stem in names.split(",")):
            sizes[path] = n
    return sorted(sizes, key=sizes.__getitem__)


def plan(paths: list[Path], splits: int, methods: list[str]) -> Iterator[tuple[Path, int, str]]:
    """A split of each set, and then the cheapest first: the s-th split of a set comes with the
    first one of a set s times as large."""
    rows = {path: len(np.load(path)["y"]) for path in paths}
    order = [(path, split) for path in paths for split in range(splits)]
    order.sort(key=lambda each: (each[1] > 0, (each[1] + 1) * rows[each[0]]))
    for path, split in order:
        for method in methods:
            yield path, split, method


def split_of(path: Path, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and targets, test inputs and targets, standardised by the training part."""
    with np.load(path) as data:
        x, y, new = data["X"], data["y"], data["test_mask"][:, split]
    scale = x[~new].std(axis=0)
    x = (x - x[~new].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    y = (y - y[~new].mean()) / y[~new].std()
    return x[~new], y[~new], x[new], y[new]


def scores(y: np.ndarray, mean: np.ndarray, std: np.ndarray) -> dict[str, float]:
    """Of predictive densities N(mean, std²)."""
    found = calibration((mean, std), None, y, levels=LEVELS).scores["model"]
    at = {f"coverage_{100 * v:.0f}": float(c) for v, c in zip(LEVELS, found.coverage, strict=True)}
    return {
        "rmse": found.rmse,
        "nll": found.nll,
        "crps": found.crps,
        **at,
        "width_90": float(found.width[0]),
    }


def elsewhere(
    peer: Peer, kind: str, x: np.ndarray, y: np.ndarray, new: np.ndarray
) -> dict[str, Any]:
    """The same by GPyTorch in its own interpreter."""
    file, to = (str(Path(peer.folder.name) / name) for name in ("data.npz", "found.npz"))
    np.savez(file, x=x, y=y, new=new, rows=drawn(len(x)))
    lengths = [factor * float(np.sqrt(x.shape[1])) for factor in LENGTHS]
    found = peer.ask("fit", kind=kind, file=file, to=to, lengths=lengths)
    with np.load(to) as data:
        return {**found, "mean": data["mean"], "std": data["std"]}


def measured(path: Path, split: int, method: str, peer: Peer | None) -> dict[str, Any]:
    """One fit: its scores, processor seconds, and what was chosen; or the error."""
    x, y, new, wanted = split_of(path, split)
    start = time.process_time()
    try:
        if method.startswith("gpytorch"):
            assert peer is not None
            found = elsewhere(peer, method.split()[1], x, y, new)
        else:
            found = fitted(method, x, y, new)
    except (PeerError, ValueError, MemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    found.setdefault("seconds", time.process_time() - start)
    return {**scores(wanted, found.pop("mean"), found.pop("std")), **found}


def warm() -> None:
    """Compiles and imports what the first fit would pay for."""
    x = np.random.default_rng(0).standard_normal((20, 2))
    for method in METHODS[:4]:
        fitted(method, x, x[:, 0], x)


def run(options: argparse.Namespace, results: dict[str, Any], peer: Peer | None) -> None:
    methods = [m for m in METHODS if peer is not None or not m.startswith("gpytorch")]
    warm()
    for path, split, method in plan(sets(options.data, options.sets), options.splits, methods):
        cells = results["cells"].setdefault(path.stem, {}).setdefault(method, {})
        if str(split) in cells:
            continue
        cells[str(split)] = found = measured(path, split, method, peer)
        write_json(options.out, results)
        line = " ".join(f"{k} {v:.4g}" for k, v in found.items() if isinstance(v, float))
        print(f"{path.stem} {split} {method}: {line or found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="folder of the .npz files")
    parser.add_argument("--gpytorch", type=Path, help="an interpreter with GPyTorch")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--sets", help="names of sets, with commas")
    parser.add_argument("--out", type=Path, default=RESULTS / "uci_regression.json")
    parser.add_argument("--markdown", type=Path, help="only print the tables of this file")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    results: dict[str, Any] = {"cells": {}}
    if options.out.exists():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    results = head(1, "torch") | {"cells": results["cells"]} | {"sizes": {}}
    for path in sets(options.data, None):
        with np.load(path) as data:
            results["sizes"][path.stem] = list(data["X"].shape)
    threadpool_limits(1)
    torch.set_num_threads(1)
    if options.gpytorch is None:
        run(options, results, None)
    else:
        with Peer(options.gpytorch, WORKER) as peer:
            results["peer_versions"] = peer.versions
            run(options, results, peer)
    print(markdown(results))


if __name__ == "__main__":
    main()
