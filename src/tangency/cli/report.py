"""`tangency report`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import options as o
from .files import claim, draft
from .progress import named_steps
from .say import say


def report(
    context: typer.Context,
    data: o.Data,
    net: o.Net,
    out: Annotated[
        Path, typer.Option(metavar="FILE.html", help="Where the page is written.")
    ] = Path("report.html"),
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Examples in kernel matrices. Default: as many as are quick."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Repetitions of every random measurement.")] = 5,
    normalize: o.Normalize = False,
    standardize: o.Standardize = False,
    zca: o.Zca = None,
    task: o.WhatIsLearnt = o.Task.auto,
    seed: o.Seed = 0,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    max_memory: o.MaxMemory = None,
    jobs: o.Jobs = None,
    force: o.Force = False,
) -> None:
    """Write a page on a network's inductive bias: its NTK beside its last-layer kernel.

    Kernel matrices, learning curve, spectra, smoothness and stability on DATA, each with a figure,
    how to read it, and its numbers. The page needs no network access and runs no script.
    """
    claim(out, force, (".html",), (data,))
    means = {"max_memory": o.parse_memory(max_memory), "n_jobs": o.parse_jobs(jobs)}
    reading = o.reading(label_column, header, input_shape, channels, scale)
    from ..data import load
    from ..nets import parse
    from ..report.build import STEPS, build_report
    from ..report.material import Options, prepare
    from .modelling import preprocessing
    from .parts import chosen_task

    network = parse(net)  # before data are read, as a mistake is likelier here
    dataset = load(data, labels, require_labels=False, **reading)
    if dataset.y_train is not None:
        dataset = chosen_task(dataset, task.value)
    say(dataset.summary())
    steps = preprocessing(normalize, standardize, zca)
    material = prepare(dataset, network, Options(limit, draws, seed, means), steps)
    with named_steps(STEPS) as step:
        page = build_report(
            material, command_text(context), step, _prepared(normalize, standardize, zca)
        )
    with draft(out) as path:
        path.write_text(page.html(), encoding="utf-8")
    say(f"report written to {out}")


def command_text(context: typer.Context) -> str:
    """The command as it was typed, in one spelling, without where its output goes."""
    words = ["tangency", str(context.info_name)]
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        source = context.get_parameter_source(name)
        if name in ("out", "force") or source is None or source.name != "COMMANDLINE":
            continue
        if isinstance(value, bool):
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        elif parameter.param_type_name == "argument":
            words.append(str(value))
        else:
            words += [parameter.opts[0], str(value)]
    return shlex.join(words)


def _prepared(normalize: bool, standardize: bool, zca: float | None) -> str:
    steps = ["each example centred and scaled to norm 1"] * normalize
    steps += ["features standardized to mean 0 and deviation 1"] * standardize
    steps += [f"ZCA whitening with regularization {zca:g}"] if zca is not None else []
    if not steps:
        return ""
    listed = ", then ".join(steps)
    return f"Preprocessing, fitted on the training part without its labels: {listed}."
