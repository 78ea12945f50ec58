"""Cholesky, conjugate gradients and Nyström beside each other as the number of samples grows.

    python benchmarks/solvers.py [--sizes 2000,5000,10000,20000,40000] [--data mnist.npz] [--quick]

Each fit runs in a process of its own, so that the most memory it has had is its own: a classifier
of ten classes with one ridge, 1e-3 times the mean of K(x, x), leave-one-out included, by each of

    matrix      the kernel matrix alone, as a measure for the rest
    cholesky    K in memory, factorised in place
    cg          conjugate gradients, the upper triangle of K in memory
    cg, stored  the same from a Zarr store, which it writes first
    cg, anew    conjugate gradients, each tile computed anew in each product
    nystrom     1,000 landmarks, an approximation

then predicts for 1,000 samples. Seconds are those of the whole fit, kernel matrix included. A
solver whose memory is not there is left out at that size. Draws docs/figures/solvers.png, prints
fitted exponents (over the upper half of the sizes) and by how much predictions differ from those
of Cholesky, and writes benchmarks/results/solvers.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from growth import exponent
from matplotlib.ticker import LogLocator
from measure import RESULTS, head, printed, seconds, use_processors, write_json
from tables import about

import tangency as tg
from tangency.figures.style import BLUE, GREEN, VERMILION, new_figure, plain_axes, save_figure
from tangency.learn.solvers import CG, Nystrom

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "solvers.png"
NET = "dense relu dense relu dense"
SIZES = (2000, 5000, 10_000, 20_000, 40_000)
TESTED = 1000
RIDGE = 1e-3
# Beyond these sizes a line is left out: its exponent is known by then.
LARGEST = {"cg, anew": 20_000}
LOOKS = {
    "matrix": ("0.6", ".", ":"),
    "cholesky": (VERMILION, "s", "-"),
    "cg": (BLUE, "o", "-"),
    "cg, stored": (BLUE, "^", "--"),
    "cg, anew": (BLUE, "v", ":"),
    "nystrom": (GREEN, "D", "-"),
}


def made(n: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples near a surface of 16 dimensions in 256, in ten classes."""
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((16, 256)) / 4, rng.standard_normal((256, 10))
    x = np.tanh(rng.standard_normal((n, 16)) @ first)
    x += 0.1 * rng.standard_normal(x.shape)
    return x.astype(dtype), np.argmax(np.maximum(x, 0) @ second, axis=1)


def samples(options: argparse.Namespace, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` samples to fit, followed by those to predict for."""
    if options.data is None:
        return made(n + TESTED, options.dtype)
    with np.load(options.data) as data:
        x = np.concatenate([data["x_train"][:n], data["x_test"][:TESTED]])
        y = np.concatenate([data["y_train"][:n], data["y_test"][:TESTED]])
    return (x.reshape(len(x), -1) / 255).astype(options.dtype), y


def child(options: argparse.Namespace) -> None:
    """One fit: prints seconds, memory and accuracy, and writes the values predicted."""
    use_processors(options.threads)
    x, y = samples(options, options.n)
    x, y, new, labels = x[: options.n], y[: options.n], x[options.n :], y[options.n :]
    kernel = tg.NTK(NET, n_jobs=options.threads)
    kernel(x[:64])
    found: dict[str, Any] = {}
    if options.child == "matrix":
        found["seconds"] = seconds(lambda: kernel(x))
    else:
        with tempfile.TemporaryDirectory(dir=options.work) as work:
            model = classifier(options.child, kernel, x, Path(work))
            found["seconds"] = seconds(lambda: model.fit(x, y))
        found["predict"] = seconds(lambda: np.save(options.out, model.decision_function(new)))
        found["accuracy"] = float(np.mean(model.predict(new) == labels))
        found["products"], found["loo_score"] = model.n_products_, model.loo_score_
    found["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps(found))


def classifier(name: str, kernel: Any, x: np.ndarray, work: Path) -> tg.KernelClassifier:
    solvers: dict[str, Any] = {
        "cholesky": "cholesky",
        "cg": CG(),
        "cg, stored": CG(),
        "cg, anew": CG(matrix="on_the_fly"),
        "nystrom": Nystrom(1000),
    }
    alpha = RIDGE * float(np.mean(kernel.diag(x), dtype=np.float64))
    store = work / "K.zarr" if name == "cg, stored" else None
    return tg.KernelClassifier(kernel, alpha=alpha, solver=solvers[name], store=store)


def run(name: str, n: int, options: argparse.Namespace, out: Path) -> dict[str, Any] | None:
    """One fit in a process of its own; None if its memory was not there."""
    command = [sys.executable, __file__, "--child", name, "--n", str(n), "--out", str(out)]
    command += ["--threads", str(options.threads), "--dtype", options.dtype]
    command += ["--work", str(options.work)]
    if options.data is not None:
        command += ["--data", str(options.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "MemoryLimitError" in done.stderr:
        print(f"  {name:<11}{n:>7,}  {done.stderr.splitlines()[-1]}", flush=True)
        return None
    raise SystemExit(f"{name}, n = {n}:\n{done.stderr}")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Medians by solver and size."""
    lines: dict[str, Any] = {name: [] for name in LOOKS}
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            outs = {name: Path(folder) / f"{name}.npy" for name in LOOKS}
            taken: dict[str, list[dict[str, Any]]] = {name: [] for name in LOOKS}
            for _ in range(options.runs):
                for name, out in outs.items():
                    if n <= LARGEST.get(name, n) and (found := run(name, n, options, out)):
                        taken[name].append(found)
            for name, runs in taken.items():
                if runs:
                    point = {"n": n} | runs[-1]
                    point["seconds"] = median(each["seconds"] for each in runs)
                    point["gigabytes"] = max(each["gigabytes"] for each in runs)
                    point["gap"] = gap(outs[name], outs["cholesky"])
                    lines[name].append(point)
                    print(line_text(name, point), flush=True)
    return lines


def gap(path: Path, exact: Path) -> float | None:
    """The largest difference of predictions from those of Cholesky."""
    if path == exact or not (path.exists() and exact.exists()):
        return None
    return float(np.abs(np.load(path) - np.load(exact)).max())


def line_text(name: str, point: dict[str, Any]) -> str:
    text = f"  {name:<11}{point['n']:>7,}  {point['seconds']:8.1f} s  {point['gigabytes']:5.2f} GB"
    if point.get("products") is not None:
        text += f"  {point['products']} products"
    if point["gap"] is not None:
        text += f"  predictions differ by {point['gap']:.1e}"
    return text


def exponents(line: list[dict[str, Any]]) -> dict[str, float | None]:
    if len(line) < 2:
        return {"seconds": None, "gigabytes": None}
    sizes = [point["n"] for point in line]
    return {k: exponent(sizes, [point[k] for point in line]) for k in ("seconds", "gigabytes")}


def draw(lines: dict[str, Any], path: Path) -> None:
    figure = new_figure(10, 4.6)
    for axes, quantity in zip(figure.subplots(1, 2), ("seconds", "gigabytes"), strict=True):
        for name, line in lines.items():
            if not line:
                continue
            colour, marker, style = LOOKS[name]
            slope = exponents(line)[quantity]
            axes.loglog(
                [point["n"] for point in line],
                [point[quantity] for point in line],
                color=colour,
                marker=marker,
                linestyle=style,
                label=name if slope is None else f"{name}: {slope:.2f}",
            )
        text = "seconds of a fit" if quantity == "seconds" else "most memory, GB"
        plain_axes(axes, "samples n", text, grid="both")
        sizes = sorted({point["n"] for line in lines.values() for point in line})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        subs = (1, 2, 5) if quantity == "gigabytes" else (1,)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter("{x:g}")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17)}
        axes.legend(title="fitted exponent", frameon=False, ncols=2, **below)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path)
    print(f"drawn to {path}")


def markdown(results: dict[str, Any]) -> str:
    heads = ["n", "solver", "seconds", "GB", "products with K", "differs from Cholesky by"]
    rows = ["| " + " | ".join(heads) + " |", "|---:|---|---:|---:|---:|---:|"]
    points = [(p["n"], name, p) for name, line in results["lines"].items() for p in line]
    for n, name, p in sorted(points, key=lambda each: (each[0], list(LOOKS).index(each[1]))):
        products = "" if p.get("products") is None else p["products"]
        different = "" if p["gap"] is None else f"{p['gap']:.1e}"
        rows.append(
            f"| {n:,} | {name} | {p['seconds']:.1f} | {p['gigabytes']:.2f} | {products} | "
            f"{different} |"
        )
    return about(results) + "\n\n" + "\n".join(rows)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    parser.add_argument("--data", type=Path, help="MNIST as .npz with x_train, y_train and so on")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--quick", action="store_true", help="three small sizes, as a trial")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--out", type=Path, default=RESULTS / "solvers.json")
    parser.add_argument("--markdown", type=Path, help="print the table of these results")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--n", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sizes is None:
        options.sizes = (500, 1000, 2000) if options.quick else SIZES
    return options


def main() -> None:
    options = parsed()
    if options.child:
        child(options)
        return
    if printed(options, markdown):
        return
    settings = {"runs": options.runs, "dtype": options.dtype, "net": NET, "ridge": RIDGE}
    settings["data"] = "made" if options.data is None else options.data.name
    results = head(options.threads, "scipy", **settings)
    results["lines"] = measure(options)
    results["exponents"] = {name: exponents(line) for name, line in results["lines"].items()}
    write_json(options.out, results)
    print(f"written to {options.out}")
    draw(results["lines"], options.figure)


if __name__ == "__main__":
    main()
