"""`tangency demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ..files import naming
from . import options as o
from .files import claim_place
from .progress import named_steps
from .report import command_text
from .say import say


def demo(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the page, figures and tables here."),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(metavar="N", help="A quick look: use only N digits, 100 to 1,797."),
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Random draws for each point of a curve.")] = 5,
    seed: o.Seed = 0,
    force: o.Force = False,
) -> None:
    """Compare neural kernels on 1,797 real images of digits, in a few minutes.

    Dense and convolutional networks, each with its NTK and its last-layer kernel, are compared with
    an RBF SVM and a linear model on one split. Regularization and SVM parameters are chosen on the
    training part. At the end a page with all figures is written, to DIR or to a temporary folder.
    """
    folder = None if out is None else _claim_folder(out, force)
    from tangency.report.demo import Settings, explanation, run_demo
    from tangency.report.demo_page import STEPS, demo_page
    from tangency.report.table import table_text

    settings = Settings(images=images, draws=draws, seed=seed, progress=o.interactive())
    with named_steps(settings.steps + STEPS) as step:
        result = run_demo(settings, step)
        page = demo_page(result, settings, command_text(context), step)
    say(table_text(result.rows))
    say(f"\n{explanation(result)}")
    if folder is None:
        path = Path(tempfile.mkdtemp(prefix="tangency-")) / "report.html"
        with naming(path):
            path.write_text(page.html(), encoding="utf-8")
        say(f"\npage with figures: {path} (--out DIR keeps it, with tables and figures)")
        return
    from tangency.report.outputs import write_outputs

    with naming(folder):
        folder.mkdir(exist_ok=True)
    for path in write_outputs(result, page, folder):
        say(f"wrote {path}")
    say(f"\npage with all figures: {folder / 'report.html'}")


def _claim_folder(folder: Path, force: bool) -> Path:
    from tangency.report.outputs import FILES

    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; give the name of a folder")
    claim_place(folder / FILES[0] if folder.is_dir() else folder)
    taken = [name for name in FILES if (folder / name).exists()]
    if taken and not force:
        raise ValueError(
            f"{folder}: holds {taken[0]} already; give another folder, or --force to replace it"
        )
    return folder
