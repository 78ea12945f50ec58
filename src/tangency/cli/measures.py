"""`tangency spectrum`, `smoothness` and `stability`: one figure each, with its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as o
from .files import claim, draft
from .say import say

if TYPE_CHECKING:
    from ..data import Dataset
    from ..report.page import Shown

_SUFFIXES = (".png", ".svg", ".csv")
FigureOut = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The figure as .png or .svg, or its numbers as .csv."),
]


def spectrum(
    net: o.Net,
    dim: Annotated[int, typer.Option(min=2, help="Dimension of the sphere's space.")] = 10,
    degree: Annotated[int, typer.Option(min=1, help="Highest degree.")] = 100,
    out: FigureOut = None,
    force: o.Force = False,
) -> None:
    """Show the eigenvalues of a network's two kernels on the sphere, degree by degree.

    For a convolutional network, those of the dense network of the same depth and activations.
    """
    claim_figure(out, force)
    from ..bias.spectrum import spectrum as measure
    from ..kernels.coerce import both_kernels
    from ..nets import parse
    from ..report.measured import dense_version, is_dense

    network = parse(net)
    if not is_dense(network):
        say(f"not a dense network; shown is {dense_version(network)}")
    network = dense_version(network)
    give(measure(both_kernels(network), dim, degree), out)


def smoothness(
    data: o.Data,
    net: o.Net,
    examples: Annotated[int, typer.Option(min=1, help="Examples, drawn at random.")] = 20,
    out: FigureOut = None,
    seed: o.Seed = 0,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    jobs: o.Jobs = None,
    force: o.Force = False,
) -> None:
    """Show how far an input moves in feature space when it is changed a little.

    The slope is the Hölder exponent: 1/2 for the NTK of a ReLU network, 1 for its last-layer
    kernel.
    """
    claim_figure(out, force, data)
    kernels = _kernels(net, jobs)
    dataset = read(data, o.reading(label_column, header, input_shape, channels, scale))
    from ..report.measured import smoothness_of

    give(smoothness_of(kernels, dataset.X_train, examples, seed), out)


def stability(
    data: o.Data,
    net: o.Net,
    images: Annotated[int, typer.Option(min=1, help="Images, drawn at random.")] = 20,
    draws: Annotated[int, typer.Option(min=1, help="Deformations of each size.")] = 5,
    out: FigureOut = None,
    seed: o.Seed = 0,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    jobs: o.Jobs = None,
    force: o.Force = False,
) -> None:
    """Show how far images move in feature space when they are deformed, size by size.

    Deformations are smooth random fields ("elastic"), the same ones for both kernels.
    """
    claim_figure(out, force, data)
    kernels = _kernels(net, jobs)
    dataset = read(data, o.reading(label_column, header, input_shape, channels, scale))
    from ..bias.stability import stability_curve

    give(
        stability_curve(kernels, dataset.X_train, draws=draws, seed=seed, count=images),
        out,
    )


def claim_figure(out: Path | None, force: bool, source: object = None) -> None:
    """Check that the figure or the numbers can be written; see `claim`."""
    if out is not None:
        claim(out, force, _SUFFIXES, (source,))


def _kernels(net: str, jobs: int | None) -> dict[str, Any]:
    threads = o.parse_jobs(jobs)
    from ..kernels.coerce import both_kernels

    return both_kernels(net, n_jobs=threads)


def read(data: str, reading: dict[str, Any]) -> Dataset:
    """The data that the options name; says what was found."""
    from ..data import load

    dataset = load(data, require_labels=False, **reading)
    say(dataset.summary())
    return dataset


def give(result: Shown, out: Path | None) -> None:
    """Print the title, the table and what it shows; write the figure or the numbers."""
    table = result.table()
    say(f"{result.title}\n\n{table}\n\n{result.summary}\n{result.reading}")
    if out is None:
        return
    with draft(out) as path:
        if out.suffix.lower() == ".csv":
            path.write_text(table.to_csv(), encoding="utf-8")
        else:
            from ..figures import save_figure

            save_figure(result.plot(), path)
    say(f"wrote {out}")
