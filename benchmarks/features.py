"""How well features stand in for a kernel, by their number and by how they are made.

    python benchmarks/features.py [--threads 2] [--quick]

Draws docs/figures/features.png, prints the numbers and writes benchmarks/results/features.json.
Three panels: what Nyström features leave of a kernel matrix, beside the best that any features can
do; the error of random features, with its law; and the test error of linear models on both, beside
kernel regression itself. Points are medians over seeds, in the second panel root mean squares.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, machine, use_processors, versions, write_json
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import tangency as tg
from tangency.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    TICK,
    VERMILION,
    new_figure,
    plain_axes,
    save_figure,
)
from tangency.learn.lowrank import METHODS, low_rank

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "features.png"
KERNEL = tg.NTK(tg.mlp(3))
ALPHA = 1.0
LOOKS = {
    "rpcholesky": ("randomly pivoted Cholesky", BLUE, "o"),
    "leverage": ("leverage scores", GREEN, "^"),
    "uniform": ("uniform", VERMILION, "s"),
}


def nystrom_errors(ranks: list[int], seeds: int) -> dict[str, Any]:
    """Relative trace errors on the standardised breast cancer set, and the least possible ones."""
    K = KERNEL(StandardScaler().fit_transform(load_breast_cancer().data))
    values = np.linalg.eigvalsh(K)
    found: dict[str, Any] = {
        method: [
            float(np.median([_trace_error(K, rank, method, seed) for seed in range(seeds)]))
            for rank in ranks
        ]
        for method in METHODS
    }
    found["best"] = [float(values[:-rank].sum() / values.sum()) for rank in ranks]
    return {"ranks": ranks, "rows": len(K), "errors": found}


def _trace_error(K: np.ndarray, rank: int, method: str, seed: int) -> float:
    return low_rank(lambda i: K[:, i], np.diag(K), rank, method=method, seed=seed).error


def random_errors(counts: list[int], seeds: int) -> dict[str, Any]:
    """‖FFᵀ - K‖_F/‖K‖_F on 200 rows of the same set, by kernel and number of layers."""
    X = StandardScaler().fit_transform(load_breast_cancer().data)[:200]
    lines = {}
    for layers in (2, 4):
        for kind in (tg.NTK, tg.NNGP):
            kernel = kind(tg.mlp(layers))
            K, errors = kernel(X), []
            for count in counts:
                maps = [tg.RandomFeatures(kernel, count, random_state=s) for s in range(seeds)]
                gaps = [F @ F.T - K for F in (each.fit_transform(X) for each in maps)]
                errors.append(float(np.sqrt(np.square(gaps).sum(axis=(1, 2)).mean())))
            relative = (np.array(errors) / np.linalg.norm(K)).tolist()
            slope = float(np.polyfit(np.log(counts), np.log(relative), 1)[0])
            lines[f"{kind.__name__}, {layers} layers"] = {"errors": relative, "slope": slope}
    return {"counts": counts, "lines": lines}


def test_errors(counts: list[int], seeds: int) -> dict[str, Any]:
    """Shares of 497 digits that ridge regression on features of 1,300 others gets wrong."""
    X, y = load_digits(return_X_y=True)
    found: dict[str, Any] = {"Nyström": [], "random": [], "kernel": []}
    for seed in range(seeds):
        x, x_test, labels, wanted = train_test_split(
            X / 16, y, train_size=1300, random_state=seed, stratify=y
        )
        exact = tg.KernelClassifier(KERNEL, alpha=ALPHA).fit(x, labels)
        found["kernel"].append(1 - exact.score(x_test, wanted))
        makers = {"Nyström": tg.NystromFeatures, "random": tg.RandomFeatures}
        for name, maker in makers.items():
            line = []
            for count in counts:
                features = maker(KERNEL, count, random_state=seed).fit(x)
                linear = Ridge(ALPHA).fit(features.transform(x), np.eye(10)[labels])
                guessed = linear.predict(features.transform(x_test)).argmax(axis=1)
                line.append(float(np.mean(guessed != wanted)))
            found[name].append(line)
    return {"counts": counts} | {k: np.median(v, axis=0).tolist() for k, v in found.items()}


def draw(results: dict[str, Any]) -> None:
    figure = new_figure(12, 4)
    first, second, third = figure.subplots(1, 3)
    nystrom = results["nystrom"]
    for method, (name, colour, marker) in LOOKS.items():
        first.plot(
            nystrom["ranks"], nystrom["errors"][method], color=colour, marker=marker, label=name
        )
    first.plot(
        nystrom["ranks"], nystrom["errors"]["best"], "--", color=GREY, label="least possible"
    )
    _finish(first, "Nyström features (landmarks)", "tr(K − K̂)/tr K")
    random = results["random"]
    for (name, line), colour, marker in zip(
        random["lines"].items(), (BLUE, VERMILION, GREEN, ORANGE), "osD^", strict=True
    ):
        label = name.replace("NNGP", "last-layer kernel")
        second.plot(random["counts"], line["errors"], color=colour, marker=marker, label=label)
    guide = 3 / np.sqrt(random["counts"])
    second.plot(random["counts"], guide, "--", color=GREY, label="∝ 1/√(number)")
    second.set_ylim(0.004, 0.5)  # room for the legend
    _finish(second, "random features", "‖K − K̂‖/‖K‖, Frobenius")
    tests = results["test"]
    for name, colour, marker in (("Nyström", BLUE, "o"), ("random", VERMILION, "s")):
        third.plot(tests["counts"], tests[name], color=colour, marker=marker, label=name)
    third.axhline(tests["kernel"], linestyle="--", color=GREY, label="the kernel itself")
    _finish(third, "features of a linear model", "test error on digits")
    save_figure(figure, FIGURE)


def _finish(axes: Any, x_label: str, y_label: str) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    plain_axes(axes, x_label, y_label)
    ticks = [int(t) for t in axes.lines[0].get_xdata()]
    axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    wanted = [a * 10.0**e for e in range(-4, 1) for a in (1, 2, 5)]
    shown = [t for t in wanted if low <= t <= high]
    axes.set_yticks(shown, [f"{t:g}" for t in shown])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(fontsize=TICK - 1, frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sizes and seeds, no files")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    use_processors(options.threads)
    if options.quick:
        results: dict[str, Any] = {
            "nystrom": nystrom_errors([8, 32], 2),
            "random": random_errors([32, 128], 2),
            "test": test_errors([32, 128], 1),
        }
    else:
        results = {
            "nystrom": nystrom_errors([8, 16, 32, 64, 128, 256], 9),
            "random": random_errors([128, 256, 512, 1024, 2048], 16),
            "test": test_errors([32, 64, 128, 256, 512, 1024], 5),
        }
    for name, part in results.items():
        print(name, part)
    if not options.quick:
        draw(results)
        about = {"machine": machine(options.threads), "versions": versions()}
        write_json(RESULTS / "features.json", about | results)


if __name__ == "__main__":
    main()
