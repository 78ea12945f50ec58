"""How the cost of the fused engine grows with the number of inputs, the depth and the image side.

    python benchmarks/growth.py [--runs 3] [--threads 2] [--quick]

Draws docs/figures/growth.png, prints the fitted exponents and writes
benchmarks/results/growth.json. An exponent is the slope of a straight line through the logarithms
of size and median time, over the upper half of the sizes (in small ones, overheads count).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measure import (
    RESULTS,
    gram_call,
    head,
    interleaved,
    medians,
    printed,
    use_processors,
    write_json,
)
from tables import about

import tangency as tg
from tangency.figures.style import BLUE, GREEN, VERMILION, new_figure, plain_axes, save_figure

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "growth.png"
GAP, FLATTEN, DENSE = "conv, GAP", "conv, flatten", "dense"
COLOURS = {GAP: BLUE, FLATTEN: GREEN, DENSE: VERMILION}
MARKERS = {GAP: "o", FLATTEN: "^", DENSE: "s"}
TICKS = {
    "inputs": (32, 128, 512, 2000, 8000),
    "depth": (1, 2, 4, 8, 16, 32),
    "side": (4, 8, 16, 32, 64),
}
LABELS = {
    "inputs": "inputs n (symmetric call)",
    "depth": "layers with weights before the last",
    "side": "image side",
}


def chain(depth: int, readout: str) -> str:
    return " ".join(["conv3 relu"] * depth + [readout, "dense"])


def mlp(depth: int) -> str:
    return str(tg.mlp(depth + 1))


# Per panel and line: network, shape of one input, and number of inputs, by size.
Setting = tuple[str, tuple[int, ...], int]
PANELS: dict[str, dict[str, dict[int, Setting]]] = {
    "inputs": {
        GAP: {n: (chain(3, "gap"), (8, 8, 1), n) for n in (32, 64, 128, 256, 512, 1024)},
        FLATTEN: {n: (chain(3, "flatten"), (8, 8, 1), n) for n in (128, 256, 512, 1024, 2048)},
        DENSE: {n: (mlp(4), (784,), n) for n in (500, 1000, 2000, 4000, 8000)},
    },
    "depth": {
        GAP: {d: (chain(d, "gap"), (8, 8, 1), 128) for d in (1, 2, 4, 8, 16, 32)},
        FLATTEN: {d: (chain(d, "flatten"), (8, 8, 1), 512) for d in (1, 2, 4, 8, 16, 32)},
        DENSE: {d: (mlp(d), (784,), 2000) for d in (1, 2, 4, 8, 16, 32)},
    },
    "side": {
        GAP: {s: (chain(3, "gap"), (s, s, 1), 32) for s in (4, 6, 8, 12, 16, 24, 32)},
        FLATTEN: {s: (chain(3, "flatten"), (s, s, 1), 256) for s in (4, 8, 16, 32, 64)},
    },
}


def measure(lines: dict[str, dict[int, Setting]], options: argparse.Namespace) -> dict[str, Any]:
    """Median seconds by size of each line of a panel, with the exponent."""
    found = {}
    for name, settings in lines.items():
        if options.quick:
            settings = dict(list(settings.items())[:3])
        calls = {str(size): call(setting, options) for size, setting in settings.items()}
        for first in calls.values():
            first()
        seconds = medians(interleaved(calls, options.runs))
        sizes = list(settings)
        slope = exponent(sizes, list(seconds.values()))
        found[name] = {"sizes": sizes, "seconds": list(seconds.values()), "exponent": slope}
        times = "  ".join(f"{size}: {value:.3g} s" for size, value in seconds.items())
        print(f"  {name:<14} exponent {slope:5.2f}   {times}", flush=True)
    return found


def call(setting: Setting, options: argparse.Namespace) -> Any:
    net, shape, n = setting
    x = np.random.default_rng(0).standard_normal((n, *shape), dtype=np.float32)
    return gram_call(tg.parse(net), x, None, n_jobs=options.threads)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    upper = slice(len(sizes) // 2 - (len(sizes) < 4), None)
    return float(np.polyfit(np.log(sizes[upper]), np.log(seconds[upper]), 1)[0])


def draw(results: dict[str, Any], path: Path) -> None:
    figure = new_figure(11, 4.8)
    for axes, (panel, lines) in zip(figure.subplots(1, 3), results.items(), strict=True):
        for name, line in lines.items():
            axes.loglog(
                line["sizes"],
                line["seconds"],
                color=COLOURS[name],
                marker=MARKERS[name],
                label=f"{name}: {line['exponent']:.2f}",
            )
        plain_axes(axes, LABELS[panel], "seconds" if panel == "inputs" else "", grid="both")
        axes.set_xticks(TICKS[panel], [f"{size:,}" for size in TICKS[panel]])
        axes.minorticks_off()
        # Below the panel: lines may cross any part of it.
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17)}
        axes.legend(title="fitted exponent", frameon=False, **below)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path)
    print(f"drawn to {path}")


def markdown(results: dict[str, Any]) -> str:
    rows = ["| cost against | network | sizes | exponent |", "|---|---|---|---:|"]
    for panel, lines in results["panels"].items():
        for name, line in lines.items():
            sizes = f"{line['sizes'][0]:,} to {line['sizes'][-1]:,}"
            rows.append(f"| {LABELS[panel]} | {name} | {sizes} | {line['exponent']:.2f} |")
    return about(results) + "\n\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="three sizes only, as a trial")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--out", type=Path, default=RESULTS / "growth.json")
    parser.add_argument("--markdown", type=Path, help="print the table of these results")
    options = parser.parse_args()
    if printed(options, markdown):
        return
    use_processors(options.threads)
    results = head(options.threads, runs=options.runs, quick=options.quick) | {"panels": {}}
    for panel, lines in PANELS.items():
        print(f"cost against {LABELS[panel]}", flush=True)
        results["panels"][panel] = measure(lines, options)
    write_json(options.out, results)
    print(f"written to {options.out}")
    draw(results["panels"], options.figure)


if __name__ == "__main__":
    main()
