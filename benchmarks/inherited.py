"""What features keep of the inductive bias: exponents of smoothness and stability, by width.

    python benchmarks/inherited.py [--quick]

Draws docs/figures/bias_features.png, prints the numbers and writes
benchmarks/results/inherited.json. Layerwise features stand in the place of the NTK and the
last-layer kernel in `modulus`, on circles, spheres and digits, and in `stability_curve`, on digits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, versions, write_json
from PIL import Image
from sklearn.datasets import load_digits

import tangency as tg
from tangency.figures.style import (
    CLEAR,
    GREEN,
    INK,
    LABEL,
    ORANGE,
    PURPLE,
    TICK,
    legend_name,
    line_style,
    new_figure,
    plain_axes,
    put_title,
    save_figure,
)
from tangency.kernels import Kernel, both_kernels

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "bias_features.png"
DENSE, MEAN = "dense relu dense", "conv3 relu conv3 relu gap dense"
POOLED = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"
WIDTHS = (32, 128, 512)
RADII = tuple(10.0 ** (k / 2) for k in range(-12, 1))
LOOKS = ((ORANGE, "^"), (GREEN, "D"), (PURPLE, "v"))
_BLOCK = 64


@dataclass(frozen=True)
class FeatureKernel(Kernel):
    """⟨φ(x), φ(y)⟩ of fitted features; distances are those of the features, without cancellation.

    kind: "ntk" or "nngp", of which of the two kernels of the network.
    """

    features: tg.LayerwiseFeatures
    kind: str

    def _map(self, X: Any) -> Any:
        return getattr(self.features.transform_pair(X), self.kind)

    def _rows(self, value: Callable[..., Any], *inputs: Any) -> Any:
        """A number for each row, block by block."""
        blocks = [slice(i, i + _BLOCK) for i in range(0, len(inputs[0]), _BLOCK)]
        return np.concatenate([value(*(self._map(x[rows]) for x in inputs)) for rows in blocks])

    def __call__(self, X: Any, Y: Any = None) -> Any:
        left = self._map(X)
        return left @ (left if Y is None else self._map(Y)).T

    def diag(self, X: Any) -> Any:
        return self._rows(lambda f: np.square(f).sum(axis=1), X)

    def paired_distance(self, X: Any, Y: Any, *, rtol: float = 1e-6) -> Any:
        return self._rows(lambda f, g: np.linalg.norm(f - g, axis=1), X, Y)


def approximations(net: str, widths: tuple[int, ...], X: Any) -> dict[str, dict[str, Kernel]]:
    """Kernel -> "exact" and each width -> that kernel, and the ones of features fitted to X."""
    found: dict[str, dict[str, Kernel]] = {
        name: {"exact": kernel} for name, kernel in both_kernels(net).items()
    }
    for width in widths:
        features = tg.LayerwiseFeatures(
            tg.NTK(net), 10**6, widths=width, max_samples=2000, random_state=0
        ).fit(X)
        for name, kind in (("NTK", "ntk"), ("last-layer", "nngp")):
            found[name][str(width)] = FeatureKernel(features, kind)
    return found


def measured(
    net: str,
    widths: tuple[int, ...],
    X: Any,
    others: Any,
    measure: Callable[[Any], Any],
    relative: bool = False,
) -> dict[str, Any]:
    """Mean distances of `measure` by kernel and width; residuals r on the other inputs.

    residual: r = √(mean of K(x, x) - ‖φ(x)‖²), divided by ‖Φ(x)‖, the root of the mean of K(x, x),
    if the distances are `relative` to it; relative_residual: always divided. crossing: ε* = (c/L)²,
    where the line L·ε through the features' smallest step meets c·√ε through the kernel's.
    """
    kernels = approximations(net, widths, X)
    flat = {f"{name}/{label}": k for name, of in kernels.items() for label, k in of.items()}
    curve = measure(flat)
    steps = np.asarray(curve.sizes)
    found: dict[str, Any] = {"net": net, "steps": steps.tolist(), "kernels": {}}
    for name, of in kernels.items():
        diagonal = np.asarray(of["exact"].diag(others))
        size = np.sqrt(diagonal.mean())
        exact = curve.mean(f"{name}/exact")
        lines = {}
        for label, kernel in of.items():
            mean = curve.mean(f"{name}/{label}")
            exponent = float(curve.exponents[f"{name}/{label}"])
            line = {"mean": mean.tolist(), "exponent": exponent}
            if label != "exact":
                residual = np.sqrt((diagonal - kernel.diag(others)).mean())
                line["residual"] = float(residual / (size if relative else 1))
                line["relative_residual"] = float(residual / size)
                line["crossing"] = float(steps[0] * (exact[0] / mean[0]) ** 2)
            lines[label] = line
        found["kernels"][name] = lines
    return found


def sphere(dim: int, widths: tuple[int, ...]) -> dict[str, Any]:
    """Two layers on S^{dim-1}: 2,000 inputs to choose landmarks from, 16 others."""
    X = np.random.default_rng(0).standard_normal((2016, dim))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    others = X[2000:]
    return measured(DENSE, widths, X[:2000], others, lambda k: tg.bias.modulus(k, others, RADII))


def digits() -> tuple[Any, Any]:
    """400 digits to choose landmarks from, and 400 others."""
    images = load_digits().images[..., None] / 16
    order = np.random.default_rng(1).permutation(len(images))
    return images[order[:400]], images[order[400:800]]


def smoothness(widths: tuple[int, ...], count: int) -> dict[str, Any]:
    """Digits moved in random directions; distances and residuals of images divided by ‖x‖."""
    X, others = digits()
    others = others / np.linalg.norm(others.reshape(len(others), -1), axis=1)[:, None, None, None]

    def measure(kernels: Any) -> Any:
        return tg.bias.modulus(kernels, others, RADII, count=count)

    return measured(MEAN, widths, X, others[:40], measure)


def stability(widths: tuple[int, ...], count: int, draws: int) -> dict[str, Any]:
    """Digits deformed by random fields; distances are divided by ‖Φ(x)‖ of the same kernel."""
    X, others = digits()

    def measure(kernels: Any) -> Any:
        return tg.bias.stability_curve(kernels, others, count=count, draws=draws)

    return measured(POOLED, widths, X, others[:40], measure, relative=True)


def report(title: str, found: dict[str, Any]) -> None:
    """Exponents, slopes from step to step, and where they change."""
    print(f"{title}: {found['net']}")
    for name, lines in found["kernels"].items():
        first = lines["exact"]["mean"][0]
        for label, line in lines.items():
            text = f"  {name:<11}{label:>6}  exponent {line['exponent']:.3f}, slopes "
            slopes = np.diff(np.log(line["mean"])) / np.diff(np.log(found["steps"]))
            text += " ".join(f"{slope:.2f}" for slope in slopes)
            if label != "exact":
                text += f"\n{'':21}at first 1/{first / line['mean'][0]:.4g} of the kernel's, "
                text += f"r {line['residual']:.4f}, r/‖Φ‖ {line['relative_residual']:.4f}"
            if label != "exact" and name == "NTK":
                meeting = first * np.sqrt(line["crossing"] / found["steps"][0])
                text += f", ε* {line['crossing']:.2g}, c√ε*/r {meeting / line['residual']:.2f}"
            print(text)


def draw(circle: dict[str, Any], deformed: dict[str, Any]) -> None:
    figure = new_figure(9.6, 7.6)
    rows = (
        (circle, "a step on the circle, ‖x − y‖", "distance of features"),
        (deformed, "size of a deformation of digits, ‖∇τ‖", "distance of features / ‖Φ(x)‖"),
    )
    panels = figure.subplots(2, 2, sharey="row")
    for line, (found, x_label, y_label) in zip(panels, rows, strict=True):
        for axes, name in zip(line, found["kernels"], strict=True):
            _panel(axes, found, name)
            plain_axes(axes, x_label, y_label if name == "NTK" else "", "both")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.minorticks_off()
    for axes, name in zip(panels[0], circle["kernels"], strict=True):
        axes.set_title(legend_name(name), fontsize=LABEL + 0.5, color=INK)
    for axes in panels.flat:
        axes.legend(fontsize=TICK - 1, loc="lower right", **CLEAR)
    note = (
        "Top: dense relu dense, mean over 16 inputs and 4 directions. Bottom: two convolutions with"
        " pooling, mean over 20 images and 5 random fields.\nDotted: twice the residual r of the "
        "features of each width. Well above it, features have to move as the kernel does."
    )
    put_title(figure, "Features keep the slope ½ of the NTK down to their residual", note)
    save_figure(figure, FIGURE, dpi=110)
    # Few colours, and a quarter of the bytes.
    Image.open(FIGURE).convert("RGB").quantize(96).save(FIGURE, optimize=True)


def _panel(axes: Any, found: dict[str, Any], name: str) -> None:
    for place, (label, line) in enumerate(found["kernels"][name].items()):
        exponent = line["exponent"]
        if label == "exact":
            look = line_style(name) | {"linewidth": 2.2, "zorder": 3}
            text = f"the kernel itself: exponent {exponent:.2f}"
        else:
            colour, marker = LOOKS[place - 1]
            look = {"color": colour, "marker": marker, "linewidth": 1.4}
            text = f"features, {label} landmarks: {exponent:.2f}"
            if name == "NTK":
                axes.axhline(2 * line["residual"], color=colour, linestyle=":", linewidth=1.2)
        axes.plot(found["steps"], line["mean"], markersize=4.5, label=text, **look)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small widths, no files")
    quick = parser.parse_args().quick
    widths = WIDTHS[:1] if quick else WIDTHS
    results = {f"sphere in {dim} dimensions": sphere(dim, widths) for dim in (2, 3, 5, 20)}
    results["digits"] = smoothness(widths, 1 if quick else 4)
    results["deformed digits"] = stability(widths, 2 if quick else 20, 1 if quick else 5)
    for title, found in results.items():
        report(title, found)
    if not quick:
        write_json(RESULTS / "inherited.json", {"versions": versions()} | results)
        draw(results["sphere in 2 dimensions"], results["deformed digits"])


if __name__ == "__main__":
    main()
