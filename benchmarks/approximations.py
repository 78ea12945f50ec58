"""A kernel, and three approximations of it by features: at equal number and at equal time.

    python benchmarks/approximations.py [--threads 2] [--quick]

Draws docs/figures/approximations.png, prints the numbers and writes
benchmarks/results/approximations.json. Digits of scikit-learn, 1,300 to learn from, 497 to test on,
by a convolutional network and a dense one: relative error of the centred NTK on the test images by
number of features and by time for an image, and the test accuracy of ridge regression on them.
Medians over splits; random features know no convolutions.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, machine, use_processors, versions, write_json
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
            X, y, train_size=1300, random_state=seed, stratify=y
        )
        start = time.perf_counter()
        exact = centred(np.asarray(kernel(test), dtype=np.float64))
        pairs = len(test) * (len(test) + 1) / 2
        each = 1300 * (time.perf_counter() - start) / pairs  # K(x, ·) of one image
        model = tg.KernelClassifier(kernel).fit(x, labels)
        found["exact"].append((each, model.score(test, expected)))
        for kind, maker in MAKERS.items():
            if kind == "random" and not vectors:
                continue
            for count in counts:
                features = maker(kernel, count, random_state=seed).fit(x)
                start = time.perf_counter()
                F = features.transform(test).astype(np.float64)
                took = (time.perf_counter() - start) / len(test)
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
            row[1].plot(1e3 * took, error, **look)
            row[2].plot(counts, 100 * (1 - score), **look)
        each, score = found["exact"]
        row[1].axvline(1e3 * each, linestyle="--", color=GREY, label="the kernel with 1,300 images")
        row[2].axhline(100 * (1 - score), linestyle="--", color=GREY, label="the kernel itself")
        row[0].set_yscale("log")
        row[1].set_yscale("log")
        row[1].set_xscale("log")
        for axes in (row[0], row[2]):
            axes.set_xscale("log", base=2)
        plain_axes(row[0], "features", f"{name}: error of the centred NTK")
        plain_axes(row[1], "milliseconds an image", "")
        plain_axes(row[2], "features", "test error on digits, %")
        for axes in (row[0], row[2]):
            axes.set_xticks(counts, [f"{count:,}" for count in counts])
        for axes in row:
            axes.legend(fontsize=TICK - 1, frameon=False)
    save_figure(figure, FIGURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes, one split, no files")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    use_processors(options.threads)
    counts = [32, 128] if options.quick else [32, 64, 128, 256, 512, 1024]
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
