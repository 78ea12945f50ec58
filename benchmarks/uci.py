"""Small tabular data sets: SVMs with the NTK, the last-layer kernel and the Gaussian kernel.

The comparison of Arora, Du, Li, Salakhutdinov, Wang & Yu 2020, "Harnessing the power of infinitely
wide deep nets on small-data tasks", section 4, on the sets of Fernández-Delgado et al. 2014 with
at most 5,000 rows and no test file. The protocol and the figures are in docs/small-data.md.

    python benchmarks/uci.py --data PATH [--jobs 2] [--out benchmarks/results/uci.json] [--wide]

PATH is a folder of .npz files with X, y, tune_train, tune_val, fold0_train, fold0_test, ...
Finished sets are kept in the output file, so a run that was stopped continues where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
import sklearn
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import euclidean_distances
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import tangency as tg

MOST_ROWS = 5000
FOLDS = 4
DEPTHS = 5
COSTS = [10.0**power for power in range(-2, 5)]
# Two grids for the Gaussian kernel. The first has as many kernels as there are networks, with γ
# relative to 1/d, and the same C; the second is that of Fernández-Delgado et al. (their svm_C).
BANDWIDTHS = [2.0**power for power in range(-7, 8)]
WIDE_GAMMAS = [2.0**power for power in range(-16, 9)]
WIDE_COSTS = [2.0**power for power in range(-5, 15)]
# scikit-learn sets no limit; fits with a kernel of low rank and C = 10⁴ then take 10⁹ steps and
# more. Past this number the same problem is solved by an interior-point method.
MOST_STEPS = 1_000_000
# What is computed together, and the families of kernels that come of it.
GROUPS = {"networks": ("ntk", "nngp"), "gaussian": ("gaussian",), "wide": ("gaussian-wide",)}
FAMILIES = tuple(family for group in GROUPS.values() for family in group)
# Mean accuracy in their table; they list no last-layer kernel by itself.
PUBLISHED = {"ntk": "81.95", "gaussian": "81.03", "gaussian-wide": "81.03"}
PROTOCOL = {
    "rows": MOST_ROWS,
    "depths": DEPTHS,
    "C": COSTS,
    "gamma_times_d": BANDWIDTHS,
    "wide_gamma": WIDE_GAMMAS,
    "wide_C": WIDE_COSTS,
    "libsvm_steps": MOST_STEPS,
}
Candidate = tuple[dict[str, Any], tuple[str, ...], np.ndarray]


class Best(NamedTuple):
    """The hyper-parameters that did best on the tuning split, and their kernel matrix."""

    accuracy: float
    params: dict[str, Any]
    matrix: np.ndarray


def network(hidden: int, frozen: int) -> tg.Sequential:
    """`hidden` ReLU layers (σ(u) = max(u, 0)) and a last layer; the first `frozen` are frozen."""
    layers: list[tg.Layer] = []
    for index in range(hidden):
        layers += [tg.Dense(trainable=index >= frozen), tg.ReLU(normalized=False)]
    return tg.Sequential(*layers, tg.Dense())


def network_kernels(x: np.ndarray) -> Iterator[Candidate]:
    """(parameters, families that may choose it, matrix), in the order of the authors' code."""
    for hidden in range(DEPTHS):
        pair = tg.gram(network(hidden, 0), x)
        if hidden > 0:
            yield {"hidden": hidden, "frozen": 0}, ("ntk",), pair.ntk
        for frozen in range(1, hidden):
            matrix = tg.gram(network(hidden, frozen), x, kind="ntk")
            yield {"hidden": hidden, "frozen": frozen}, ("ntk",), matrix
        # All but the last layer frozen: the tangent kernel is the last-layer kernel.
        yield {"hidden": hidden, "frozen": hidden}, ("ntk", "nngp"), pair.nngp


def gaussian_kernels(x: np.ndarray) -> Iterator[Candidate]:
    """exp(−γ‖x − x'‖²) for γ = bandwidth/d."""
    distances = euclidean_distances(x, squared=True)
    for bandwidth in BANDWIDTHS:
        matrix = np.exp(-bandwidth / x.shape[1] * distances)
        yield {"gamma_times_d": bandwidth}, ("gaussian",), matrix


def wide_gaussian_kernels(x: np.ndarray) -> Iterator[Candidate]:
    """exp(−γ‖x − x'‖²) for γ = 2⁻¹⁶ to 2⁸."""
    distances = euclidean_distances(x, squared=True)
    for gamma in WIDE_GAMMAS:
        yield {"gamma": gamma}, ("gaussian-wide",), np.exp(-gamma * distances)


class Machine:
    """SVMs on the rows of one set; counts the fits, and those that LIBSVM did not finish."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self.fits = 0
        self.unfinished = 0

    def accuracies(
        self, matrix: np.ndarray, train: np.ndarray, test: np.ndarray, costs: list[float]
    ) -> list[float]:
        """Share of right answers on the rows `test`, for each C."""
        inner = np.ascontiguousarray(matrix[np.ix_(train, train)])
        outer = np.ascontiguousarray(matrix[np.ix_(test, train)])
        answers = [self._predict(inner, outer, self.labels[train], cost) for cost in costs]
        return [float(np.mean(answer == self.labels[test])) for answer in answers]

    def _predict(self, inner: Any, outer: Any, labels: np.ndarray, cost: float) -> np.ndarray:
        svm = SVC(kernel="precomputed", C=cost, cache_size=2000, max_iter=MOST_STEPS)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            svm.fit(inner, labels)
        self.fits += 1
        if any(issubclass(w.category, ConvergenceWarning) for w in caught):
            self.unfinished += 1
            return one_against_one(inner, outer, labels, cost)
        return svm.predict(outer)


def one_against_one(
    inner: np.ndarray, outer: np.ndarray, labels: np.ndarray, cost: float
) -> np.ndarray:
    """What SVC predicts (the vote of all pairs of classes), by `interior_point`."""
    classes = np.unique(labels)
    votes = np.zeros((len(outer), len(classes)), dtype=int)
    for i, j in combinations(range(len(classes)), 2):
        rows = np.flatnonzero(np.isin(labels, classes[[i, j]]))
        signs = np.where(labels[rows] == classes[i], 1.0, -1.0)
        weights, bias = interior_point(inner[np.ix_(rows, rows)], signs, cost)
        first = outer[:, rows] @ (weights * signs) + bias > 0
        votes[:, i] += first
        votes[:, j] += ~first
    return classes[np.argmax(votes, axis=1)]


class Point(NamedTuple):
    """An iterate of `interior_point`, or a step: α, its multipliers (α ≥ 0, α ≤ C), the bias."""

    alpha: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    bias: float


def interior_point(matrix: np.ndarray, signs: np.ndarray, cost: float) -> tuple[np.ndarray, float]:
    """The SVM of two classes: (α, b) for min ½αᵀQα − Σα, 0 ≤ α ≤ C, Σ signs·α = 0.

    Q = signs·signsᵀ·matrix. The predictor-corrector method of Mehrotra 1992, until the duality gap
    is 10⁻⁶ of the value and all margins are right to 10⁻⁴ (LIBSVM stops at 10⁻³).
    """
    q = matrix * np.outer(signs, signs)
    alpha = np.full(len(signs), cost / 2)
    gradient = q @ alpha - 1
    scale = np.abs(gradient).mean() + 1
    at = Point(alpha, np.maximum(gradient, 0) + scale, np.maximum(-gradient, 0) + scale, 0.0)
    for _ in range(200):
        gradient = q @ at.alpha - 1
        residual = gradient + at.bias * signs - at.lower + at.upper
        value = abs(float(at.alpha @ (gradient - 1)) / 2)
        gap = complementarity(at, cost)
        if gap < 1e-6 * (1 + value) and np.abs(residual).max() < 1e-4:
            return at.alpha, at.bias
        newton = Newton(q, signs, cost, at, residual)
        step = newton.step(0.0, 0.0)
        after = complementarity(move(at, step, longest(at, step, cost)), cost)
        centre = (after / gap) ** 3 * gap / (2 * len(signs))
        step = newton.step(centre - step.alpha * step.lower, centre + step.alpha * step.upper)
        at = move(at, step, 0.99 * longest(at, step, cost))
    raise RuntimeError(f"no solution in 200 steps: {len(signs)} rows, C = {cost}, gap {gap}")


class Newton:
    """Newton's steps from one point; they share a Cholesky factor."""

    def __init__(self, q: Any, signs: Any, cost: float, at: Point, residual: Any) -> None:
        self.signs, self.at, self.residual, self.slack = signs, at, residual, cost - at.alpha
        system = q.copy()
        # The 10⁻¹² is for Q of low rank, once the weights of all free rows are near zero.
        system[np.diag_indices_from(q)] += (
            at.lower / at.alpha + at.upper / self.slack + 1e-12 * q.diagonal().max()
        )
        self.factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        self.along = cho_solve(self.factor, signs, check_finite=False)

    def step(self, lower: Any, upper: Any) -> Point:
        """The step to α·lower and (C − α)·upper of these values, and residuals of zero."""
        at, slack = self.at, self.slack
        right = lower / at.alpha - at.lower - upper / slack + at.upper - self.residual
        free = cho_solve(self.factor, right, check_finite=False)
        bias = float(self.signs @ (free + at.alpha)) / float(self.signs @ self.along)
        alpha = free - bias * self.along
        return Point(
            alpha,
            (lower - at.lower * alpha) / at.alpha - at.lower,
            (upper + at.upper * alpha) / slack - at.upper,
            bias,
        )


def complementarity(at: Point, cost: float) -> float:
    return float(at.alpha @ at.lower + (cost - at.alpha) @ at.upper)


def move(at: Point, step: Point, length: float) -> Point:
    return Point(*(value + length * change for value, change in zip(at, step, strict=True)))


def longest(at: Point, step: Point, cost: float) -> float:
    """The longest part of `step`, at most all of it, that keeps 0 ≤ α ≤ C and multipliers ≥ 0."""
    values = np.concatenate([at.alpha, cost - at.alpha, at.lower, at.upper])
    changes = np.concatenate([step.alpha, -step.alpha, step.lower, step.upper])
    down = changes < 0
    return min(1.0, float(np.min(-values[down] / changes[down], initial=np.inf)))


def tune(
    machine: Machine, candidates: Iterator[Candidate], costs: list[float], split: tuple[Any, Any]
) -> dict[str, Best]:
    """What each family chooses: the first of the best, as the authors' code breaks ties."""
    best: dict[str, Best] = {}
    for params, families, matrix in candidates:
        scores = machine.accuracies(matrix, *split, costs)
        score = max(scores)
        choice = Best(score, params | {"C": costs[scores.index(score)]}, matrix)
        for family in families:
            if family not in best or score > best[family].accuracy:
                best[family] = choice
    return best


def evaluate(path: Path, groups: list[str]) -> dict[str, Any]:
    """The record of one set: per family the tuning and test accuracy and what was chosen."""
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    x, y = np.asarray(arrays["X"], dtype=np.float64), arrays["y"]
    machine = Machine(y)
    split = arrays["tune_train"], arrays["tune_val"]
    record: dict[str, Any] = {"n": len(y), "d": x.shape[1], "classes": len(np.unique(y))}
    seconds = {}
    for group in groups:
        start = time.perf_counter()
        if group == "networks":
            best = tune(machine, network_kernels(x), COSTS, split)
        elif group == "gaussian":
            best = tune(machine, gaussian_kernels(x), COSTS, split)
        else:
            best = tune(machine, wide_gaussian_kernels(x), WIDE_COSTS, split)
        for family, choice in best.items():
            record[family] = on_folds(machine, choice, arrays)
        seconds[group] = round(time.perf_counter() - start, 2)
    return record | {"fits": machine.fits, "unfinished": machine.unfinished, "seconds": seconds}


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The record of a set to which further families were added."""
    counts = {name: old.get(name, 0) + new[name] for name in ("fits", "unfinished")}
    return old | new | counts | {"seconds": old.get("seconds", {}) | new["seconds"]}


def missing(record: dict[str, Any], wide: bool) -> list[str]:
    """The groups that a record lacks."""
    wanted = [group for group in GROUPS if wide or group != "wide"]
    return [group for group in wanted if not set(GROUPS[group]) <= set(record)]


def on_folds(machine: Machine, best: Best, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Accuracy on the four folds with the chosen hyper-parameters."""
    cost = [best.params["C"]]
    scores = [
        machine.accuracies(best.matrix, arrays[f"fold{k}_train"], arrays[f"fold{k}_test"], cost)[0]
        for k in range(FOLDS)
    ]
    return {
        "accuracy": round(100 * float(np.mean(scores)), 4),
        "folds": [round(100 * score, 4) for score in scores],
        "tuning": round(100 * best.accuracy, 4),
        **best.params,
    }


def chosen_sets(folder: Path) -> list[Path]:
    """The sets with at most 5,000 rows and no test file, small ones first."""
    sizes = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            of_kind = {"X", "y", "tune_train"} <= set(data.files) and "X_test" not in data.files
            if of_kind and len(data["y"]) <= MOST_ROWS:
                sizes[path] = len(data["y"])
    if not sizes:
        raise SystemExit(
            f"no data set in {folder}: expected .npz files with X, y, tune_train, ..., no X_test "
            f"and at most {MOST_ROWS} rows"
        )
    return sorted(sizes, key=lambda path: (sizes[path], path.name))


def read(out: Path) -> dict[str, Any]:
    """The results so far; a file of another protocol is refused."""
    if not out.exists():
        return {"protocol": PROTOCOL, "versions": versions(), "sets": {}}
    results = json.loads(out.read_text(encoding="utf-8"))
    if results["protocol"] != PROTOCOL:
        raise SystemExit(f"{out} was made with other settings; move it away or give another --out")
    return results


def write(out: Path, results: dict[str, Any]) -> None:
    """Replaces the file in one step, so that a stopped run leaves a whole file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    results["sets"] = dict(sorted(results["sets"].items()))
    head = {key: value for key, value in results.items() if key != "sets"}
    rows = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(record)}" for name, record in results["sets"].items()
    )
    text = json.dumps(head, indent=1)[:-2] + f',\n "sets": {{\n{rows}\n }}\n}}\n'
    part = out.with_name(out.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, out)


def one_thread() -> None:
    """The processes of --jobs share the cores, so none of them starts threads of its own."""
    threadpool_limits(1)


def versions() -> dict[str, str]:
    return {
        "tangency": tg.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def summary(sets: dict[str, Any]) -> str:
    """The table of all finished sets, and that of the sets that also have the wide grid."""
    parts = []
    for wide, families in ((False, FAMILIES[:-1]), (True, FAMILIES)):
        done = [record for record in sets.values() if not missing(record, wide)]
        if done:
            parts.append(table(done, families))
    return "\n\n".join(parts) or "no data set is finished"


def table(records: list[dict[str, Any]], families: tuple[str, ...]) -> str:
    """The figures of the paper, one row for each family.

    P90 and P95: the share of sets on which the accuracy is at least 90 % and 95 % of the best of
    the families; PMA: its mean percentage of that best; rank: the mean rank, ties averaged.
    """
    values = np.array([[record[family]["accuracy"] for family in families] for record in records])
    share = values / values.max(axis=1, keepdims=True)
    columns = {
        "mean": values.mean(axis=0),
        "std": values.std(axis=0, ddof=1) if len(records) > 1 else np.zeros(len(families)),
        "median": np.median(values, axis=0),
        "P90": 100 * np.mean(share >= 0.90, axis=0),
        "P95": 100 * np.mean(share >= 0.95, axis=0),
        "PMA": 100 * share.mean(axis=0),
        "rank": rankdata(-values, axis=1).mean(axis=0),
    }
    lines = [
        f"{len(records)} data sets, test accuracy in %",
        f"{'kernel':<14}" + "".join(f"{name:>8}" for name in columns) + "  published mean of 90",
    ]
    for j, family in enumerate(families):
        figures = "".join(f"{column[j]:8.2f}" for column in columns.values())
        lines.append(f"{family:<14}{figures}{PUBLISHED.get(family, '-'):>22}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--jobs", type=int, default=1, help="data sets at a time")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "uci.json")
    parser.add_argument(
        "--wide", action="store_true", help="also the published grid for the Gaussian kernel (slow)"
    )
    arguments = parser.parse_args()
    paths = chosen_sets(arguments.data)
    results = read(arguments.out)
    jobs = {path: missing(results["sets"].get(path.stem, {}), arguments.wide) for path in paths}
    failed = run({path: groups for path, groups in jobs.items() if groups}, arguments, results)
    print(summary(results["sets"]))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; the same command tries them again")


def run(
    jobs: dict[Path, list[str]], arguments: argparse.Namespace, results: dict[str, Any]
) -> list[str]:
    """Evaluates and saves set after set; the names of those that failed."""
    failed = []
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.jobs, initializer=one_thread) as pool:
        pending = {pool.submit(evaluate, path, groups): path.stem for path, groups in jobs.items()}
        try:
            for done in as_completed(pending):
                name = pending[done]
                if error := done.exception():
                    failed.append(name)
                    print(f"{name}: {error!r}", flush=True)
                    continue
                record = merge(results["sets"].get(name, {}), done.result())
                results["sets"][name] = record
                write(arguments.out, results)
                figures = "  ".join(
                    f"{f} {record[f]['accuracy']:6.2f}" for f in FAMILIES if f in record
                )
                seconds = f"{time.perf_counter() - start:7.0f} s"
                print(f"{seconds}  {name:<32} n={record['n']:<5} {figures}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


if __name__ == "__main__":
    main()
