"""All of MNIST in one command: the kernel matrix stored, solved with, and tested.

    python benchmarks/mnist.py --data mnist.npz
    python benchmarks/mnist.py --data mnist.npz --part conv

`dense`: 60,000 images as vectors of 784 and a dense network; both its kernels, each of them 60,000
× 60,000 in float32 on disk, solved by conjugate gradients for a list of ridges of which
leave-one-out takes one, tested on 10,000 images. `conv`: 5,000 images and the convolutional kernel
of Bietti and Mairal (2019), solved by an eigendecomposition, tested on the first 1,000 test images
(--test takes another number).

Everything is in the work folder and can be interrupted at any moment: the same command continues.
The data file holds `x_train`, `y_train`, `x_test`, `y_test`; pixels are divided by 255.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import RESULTS, machine, versions, warn_if_busy, write_json

import tangency as tg
from tangency.learn.solvers import CG

NETS = {
    "dense": str(tg.mlp(3)),
    "conv": "conv3 relu gauss2 conv3 relu gauss5 flatten dense",
}
SIZES = {"dense": (60_000, 10_000), "conv": (5_000, 1_000)}
# Ridges of the dense problem, in units of the mean of K(x, x).
RIDGES = (1e-3, 3e-3, 1e-2)
KERNELS = {"ntk": tg.NTK, "nngp": tg.NNGP}


class Images(NamedTuple):
    """Images in float32 and their labels."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def load(path: Path, train: int, test: int, flat: bool) -> Images:
    with np.load(path) as data:
        x, y = data["x_train"][:train], data["y_train"][:train]
        x_test, y_test = data["x_test"][:test], data["y_test"][:test]
    shape = (-1,) if flat else (28, 28, 1)
    x, x_test = ((z / np.float32(255)).reshape(len(z), *shape) for z in (x, x_test))
    return Images(x, y, x_test, y_test)


class Clock:
    """Seconds of each stage, added up over interrupted runs."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.seconds, self.runs = path, {}, 1
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        if known is not None and known["about"] == about:
            self.seconds, self.runs = known["seconds"], known["runs"] + 1
        self.about = about

    def run(self, stage: str, call: Any) -> Any:
        start = time.perf_counter()
        print(f"{stage} ...", flush=True)
        try:
            return call()
        finally:
            taken = time.perf_counter() - start
            self.seconds[stage] = round(self.seconds.get(stage, 0) + taken, 1)
            saved = {"about": self.about, "seconds": self.seconds, "runs": self.runs}
            write_json(self.path, saved)
            print(f"{stage}: {taken:,.1f} s; most memory so far {peak_gb():.2f} GB", flush=True)


def peak_gb() -> float:
    """The most memory that this process has had, without files that the system caches."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def dense(net: str, images: Images, work: Path, clock: Clock, options: Any) -> dict[str, Any]:
    """Both kernels, each stored and solved by conjugate gradients."""
    found = {}
    for name, kind in KERNELS.items():
        kernel = kind(net, progress=True)
        store = work / f"{name}.zarr"
        clock.run(
            f"{name}: kernel matrix",
            lambda k=kernel, s=store: tg.gram.compute(k, images.train, store=s, progress=True),
        )
        mean = float(np.mean(kernel.diag(images.train), dtype=np.float64))
        solver = CG(
            tol=options.tol,
            rank=options.rank or "auto",
            checkpoint=str(work / f"{name}-cg.npz"),
            progress=True,
        )
        model = tg.KernelClassifier(
            kernel, alpha=[r * mean for r in options.ridges], solver=solver, store=store
        )
        clock.run(f"{name}: solving", lambda m=model: m.fit(images.train, images.train_labels))
        found[name] = tested(name, model, images.test, images.test_labels, clock)
        found[name]["ridge"] = round(model.alpha_ / mean, 6)
        found[name]["products"] = model.n_products_
    return found


def conv(net: str, images: Images, work: Path, clock: Clock, options: Any) -> dict[str, Any]:
    """Both kernels of the training and test images, in one pass; then an eigendecomposition."""
    train = clock.run(
        "training matrix",
        lambda: tg.gram.compute(
            net, images.train, store=work / "train.zarr", kind="both", progress=True
        ),
    )
    test = clock.run(
        "test matrix",
        lambda: tg.gram.compute(
            net, images.test, images.train, store=work / "test.zarr", kind="both", progress=True
        ),
    )
    found = {}
    for name in KERNELS:
        model = tg.KernelClassifier("precomputed", alpha="loo", solver="eigh")
        inner = getattr(train, name)
        clock.run(f"{name}: solving", lambda m=model, k=inner: m.fit(k, images.train_labels))
        found[name] = tested(name, model, getattr(test, name), images.test_labels, clock)
        found[name]["ridge"] = round(model.alpha_ / float(np.mean(inner.diag())), 9)
    return found


def tested(name: str, model: Any, x: Any, labels: np.ndarray, clock: Clock) -> dict[str, Any]:
    predicted = clock.run(f"{name}: testing", lambda: model.predict(x))
    error = float(np.mean(predicted != labels))
    return {
        "error": round(100 * error, 3),
        "standard_error": round(100 * (error * (1 - error) / len(labels)) ** 0.5, 3),
        "leave_one_out_error": round(100 * (1 - float(model.loo_score_)), 3),
    }


def report(record: dict[str, Any]) -> str:
    lines = [
        f"{record['net']}: {record['train']:,} images, tested on {record['test']:,}; "
        f"{record['seconds_in_all'] / 60:,.1f} minutes in {record['runs']} run(s), at most "
        f"{record['peak_gb']} GB",
        "",
        "| kernel | test error | leave-one-out | ridge / mean K(x, x) | products with K |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in record["kernels"].items():
        lines.append(
            f"| {name} | {found['error']:.2f} ± {found['standard_error']:.2f} % | "
            f"{found['leave_one_out_error']:.2f} % | {found['ridge']:.3g} | "
            f"{found.get('products', '-')} |"
        )
    lines += ["", "| stage | seconds |", "|---|---:|"]
    lines += [f"| {stage} | {taken:,.0f} |" for stage, taken in record["seconds"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="an .npz: x_train, y_train, ...")
    parser.add_argument("--part", choices=SIZES, default="dense")
    parser.add_argument("--net", help="the text form of a network, in place of the part's own")
    parser.add_argument("--train", type=int, help="default: 60000 (dense), 5000 (conv)")
    parser.add_argument("--test", type=int, help="default: 10000 (dense), 1000 (conv)")
    parser.add_argument("--ridges", type=float, nargs="+", default=RIDGES)
    parser.add_argument("--rank", type=int, help="of the preconditioner; default: automatic")
    parser.add_argument("--tol", type=float, default=1e-2)
    parser.add_argument("--work", type=Path, help="default: build/mnist-PART beside benchmarks/")
    parser.add_argument("--out", type=Path, default=RESULTS / "mnist.json")
    parser.add_argument("--markdown", type=Path, metavar="JSON", help="print results as tables")
    options = parser.parse_args()
    if options.markdown:
        for record in json.loads(options.markdown.read_text(encoding="utf-8")).values():
            print(report(record) + "\n")
        return
    if options.data is None:
        parser.error("--data is missing")
    part = options.part
    train, test = options.train or SIZES[part][0], options.test or SIZES[part][1]
    net = str(tg.parse(options.net or NETS[part]))
    work = options.work or Path(__file__).parents[1] / "build" / f"mnist-{part}"
    work.mkdir(parents=True, exist_ok=True)
    about = machine(len(os.sched_getaffinity(0)))
    warn_if_busy(about)
    images = load(options.data, train, test, flat=part == "dense")
    settings = {"net": net, "train": train, "test": test, "ridges": list(options.ridges)}
    clock = Clock(work / "seconds.json", settings)
    solve = dense if part == "dense" else conv
    record = {**settings, "kernels": solve(net, images, work, clock, options)}
    record |= {
        "seconds": clock.seconds,
        "seconds_in_all": round(sum(clock.seconds.values()), 1),
        "runs": clock.runs,
        "peak_gb": round(peak_gb(), 2),
        "machine": about,
        "versions": versions(),
    }
    known = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    write_json(options.out, known | {part: record})
    print("\n" + report(record))


if __name__ == "__main__":
    main()
