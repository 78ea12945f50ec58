"""The tables of uci_regression.py: means, ranks and wins over sets, and each set by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata, wilcoxon
from tables import about

SCORES = {"rmse": "RMSE", "nll": "NLL", "crps": "CRPS"}
Cells = dict[str, dict[str, dict[str, Any]]]


def markdown(results: dict[str, Any]) -> str:
    """All tables of a file of results."""
    cells = complete(results["cells"])
    if not cells:
        return "no split has been finished by all methods"
    parts = [
        about({**results, "settings": {"runs": 1}}),
        overall(cells),
        ranks(cells),
        duels(cells),
    ]
    return "\n\n".join([*parts, *(each_set(cells, results["sizes"], k) for k in ("rmse", "nll"))])


def complete(cells: Cells) -> Cells:
    """The splits that all methods of the file have finished, without an error."""
    methods = list(dict.fromkeys(m for found in cells.values() for m in found))
    kept: Cells = {}
    for name, found in cells.items():
        splits = [
            s
            for s in found.get(methods[0], {})
            if all("rmse" in found.get(m, {}).get(s, {}) for m in methods)
        ]
        if splits:
            kept[name] = {m: {s: found[m][s] for s in splits} for m in methods}
    return kept


def means(cells: Cells, key: str) -> np.ndarray:
    """Means over splits, (sets, methods)."""

    return np.array(
        [
            [np.mean([c[key] for c in of.values()]) for of in found.values()]
            for found in cells.values()
        ]
    )


def methods_of(cells: Cells) -> list[str]:
    return list(next(iter(cells.values())))


def overall(cells: Cells) -> str:
    """Over sets: medians of the scores, mean coverage with its error, total seconds."""
    names = methods_of(cells)
    heads = ["method", *(f"median {v}" for v in SCORES.values())]
    heads += ["coverage of 90 %", "of 95 %", "width of 90 %, median", "seconds a fit, mean"]
    lines = [row(heads), row(["---", *["---:"] * (len(heads) - 1)])]
    tables = {k: means(cells, k) for k in (*SCORES, "coverage_90", "coverage_95", "width_90")}
    seconds = means(cells, "seconds")
    for j, name in enumerate(names):
        parts = [f"{np.median(tables[k][:, j]):.3f}" for k in SCORES]
        parts += [with_error(tables[k][:, j]) for k in ("coverage_90", "coverage_95")]
        parts += [f"{np.median(tables['width_90'][:, j]):.2f}", f"{seconds[:, j].mean():.1f}"]
        lines.append(row([name, *parts]))
    return "\n".join(lines)


def ranks(cells: Cells) -> str:
    """Mean ranks over sets with standard errors, and the number of sets where each is first."""
    names = methods_of(cells)
    heads = ["method"]
    columns = []
    for key, word in SCORES.items():
        values = means(cells, key)
        placed = np.array([rankdata(v) for v in values])
        wins = np.sum(placed == placed.min(axis=1, keepdims=True), axis=0)
        heads += [f"rank by {word}", "wins"]
        columns.append([with_error(placed[:, j], 2) for j in range(len(names))])
        columns.append([str(count) for count in wins])
    lines = [row(heads), row(["---", *["---:"] * (len(heads) - 1)])]
    return "\n".join([*lines, *(row([n, *(c[j] for c in columns)]) for j, n in enumerate(names))])


def duels(cells: Cells) -> str:
    """Sets on which ours is better and worse than each peer, and Wilcoxon's p of both scores."""
    names = methods_of(cells)
    peers = [name for name in names if not name.startswith("tangency")]
    lines = [row(["better / worse on sets (p)", *peers])]
    lines.append(row(["---", *["---:"] * len(peers)]))
    for key in ("rmse", "nll"):
        values = dict(zip(names, means(cells, key).T, strict=True))
        for name in names:
            if name in peers:
                continue
            words = []
            for peer in peers:
                gap = values[name] - values[peer]
                p = wilcoxon(gap).pvalue if np.any(gap) else 1.0
                words.append(f"{np.sum(gap < 0)} / {np.sum(gap > 0)} ({p:.2g})")
            lines.append(row([f"{name}, {SCORES[key]}", *words]))
    return "\n".join(lines)


def each_set(cells: Cells, sizes: dict[str, list[int]], key: str) -> str:
    """Means over the splits of each set, with standard errors where there are several."""
    names = methods_of(cells)
    lines = [row([f"{SCORES[key]} of", "n × d", "splits", *names])]
    lines.append(row(["---", "---", "---:", *["---:"] * len(names)]))
    for name, found in sorted(cells.items(), key=lambda each: sizes[each[0]][0]):
        values = [[c[key] for c in of.values()] for of in found.values()]
        best = int(np.argmin([np.mean(v) for v in values]))
        words = [with_error(np.array(v)) for v in values]
        words[best] = f"**{words[best]}**"
        n, d = sizes[name]
        lines.append(row([name, f"{n} × {d}", str(len(values[0])), *words]))
    return "\n".join(lines)


def with_error(values: np.ndarray, digits: int = 3) -> str:
    """A mean with its standard error, where there are several values."""
    if len(values) < 2:
        return f"{values.mean():.{digits}f}"
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.{digits}f} ± {error:.{digits}f}"


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
