"""A kernel, and three approximations of it by features: at equal number and at equal time.

    python benchmarks/approximations.py [--threads 2] [--quick]

Draws docs/figures/approximations.png, prints the numbers and writes
benchmarks/results/approximations.json. Digits of scikit-learn, 600 to learn from, 497 to test on,
by a convolutional network and a dense one: relative error of the centred NTK on the test images by
number of features and by time for an image, and the test accuracy of ridge regression on them.
Medians over splits; random features know no convolutions.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, machine, seconds, use_processors, versions, write_json
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import train_test_split

import tangency as tg
from tangency.figures.style import (
    BLUE,
    GREEN,
    GREY,
    TICK,
    VERMILION,
    new_figure,
    plain_axes,
    save_figure,
)

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "approximations.png"
NETS = {
    "convolutional": tg.NTK("conv3 relu conv3 relu conv3 relu gap dense"),
    "dense": tg.NTK("dense relu dense relu dense"),
}
ALPHAS = np.logspace(-8, 1, 19)
LOOKS = {"layerwise": (BLUE, "o"), "Nyström": (GREEN, "^"), "random": (VERMILION, "s")}
MAKERS = {
    "layerwise": tg.LayerwiseFeatures,
    "Nyström": tg.NystromFeatures,
    "random": tg.RandomFeatures,
}


def centred(K: np.ndarray) -> np.ndarray:
    return K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()


def measured(name: str, counts: list[int], seeds: int) -> dict[str, Any]:
    """Error, seconds for an image and accuracy of each kind of features, by their number."""
    kernel, vectors = NETS[name], name == "dense"
    found: dict[str, Any] = {"exact": []}
    for seed in range(seeds):
        X, y = load_digits(return_X_y=True)
        X = (X / 16).astype(np.float32)
        X = X if vectors else X.reshape(-1, 8, 8, 1)
        x, test, labels, expected = train_test_split(
            X, y, train_size=600, test_size=497, random_state=seed, stratify=y
        )
        exact = centred(np.asarray(kernel(test), dtype=np.float64))
        each = min(seconds(lambda: kernel(test, x)) for _ in range(2)) / len(test)  # noqa: B023
        model = tg.KernelClassifier(kernel).fit(x, labels)
        found["exact"].append((each, model.score(test, expected)))
        for kind, maker in MAKERS.items():
            if kind == "random" and not vectors:
                continue
            for count in counts:
                features = maker(kernel, count, random_state=seed).fit(x)
                took = min(seconds(lambda: features.transform(test)) for _ in range(5)) / len(test)  # noqa: B023
                F = features.transform(test).astype(np.float64)
                error = np.linalg.norm(centred(F @ F.T) - exact) / np.linalg.norm(exact)
                train = features.transform(x)
                scale = np.sqrt(np.mean(np.square(train).sum(axis=1)))
                ridge = RidgeClassifierCV(alphas=ALPHAS).fit(train / scale, labels)
                score = ridge.score(F / scale, expected)
                found.setdefault(f"{kind} {count}", []).append((error, took, score))
    return {key: np.median(value, axis=0).tolist() for key, value in found.items()}


def draw(results: dict[str, Any]) -> None:
    figure = new_figure(12, 7.5)
    panels = figure.subplots(2, 3)
    counts = results["counts"]
    for row, name in zip(panels, NETS, strict=True):
        found = results[name]
        for kind, (colour, marker) in LOOKS.items():
            if f"{kind} {counts[0]}" not in found:
                continue
            error, took, score = np.transpose([found[f"{kind} {count}"] for count in counts])
            look = {"color": colour, "marker": marker, "label": kind}
            row[0].plot(counts, error, **look)
            row[1].plot(1e3 * took, error, linestyle="none", **look)
            row[2].plot(counts, 100 * (1 - score), **look)
        each, score = found["exact"]
        row[1].axvline(1e3 * each, linestyle="--", color=GREY)
        row[2].axhline(100 * (1 - score), linestyle="--", color=GREY, label="the kernel itself")
        plain_axes(row[0], "features", "error of the centred NTK")
        plain_axes(row[1], "milliseconds an image", "")
        plain_axes(row[2], "features", "test error on digits, %")
        for axes in row[:2]:
            axes.set_yscale("log")
            ticks(axes.yaxis, axes.get_ylim())
        row[1].set_xscale("log")
        ticks(row[1].xaxis, row[1].get_xlim())
        for axes in (row[0], row[2]):
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [f"{count:,}" for count in counts])
        row[0].set_title(f"{name} network: by number", fontsize=TICK)
        row[1].set_title("by time (dashed: the kernel with 600 images)", fontsize=TICK)
        row[2].set_title("what is learnt", fontsize=TICK)
        row[2].legend(fontsize=TICK - 1, frameon=False)
    save_figure(figure, FIGURE)


def ticks(axis: Any, limits: tuple[float, float]) -> None:
    """1, 2 and 5 of each decade, as plain numbers."""
    wanted = [a * 10.0**e for e in range(-4, 3) for a in (1, 2, 5)]
    shown = [tick for tick in wanted if limits[0] <= tick <= limits[1]]
    axis.set_ticks(shown, [f"{tick:g}" for tick in shown])
    axis.set_ticks([], minor=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes, one split, no files")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    use_processors(options.threads)
    counts = [32, 128] if options.quick else [32, 64, 128, 256, 512]
    results: dict[str, Any] = {"counts": counts}
    results |= {name: measured(name, counts, 1 if options.quick else 3) for name in NETS}
    for name in NETS:
        for key, values in results[name].items():
            print(name, key, *(f"{value:.4g}" for value in values))
    if not options.quick:
        draw(results)
        about = {"machine": machine(options.threads), "versions": versions()}
        write_json(RESULTS / "approximations.json", about | results)


if __name__ == "__main__":
    main()
