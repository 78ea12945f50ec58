"""`tangency fit` and `tangency predict`."""

from __future__ import annotations

from typing import Any

from . import options as o
from .files import claim, claim_place, draft
from .say import say


def fit(
    data: o.Data,
    net: o.Net,
    out: o.ModelOut,
    kernel: o.OneKernel = o.Kernel.ntk,
    alpha: o.Alpha = "loo",
    solver: o.HowSolved = o.Solver.auto,
    components: o.Components = None,
    widths: o.Widths = None,
    store: o.Store = None,
    task: o.WhatIsLearnt = o.Task.auto,
    normalize: o.Normalize = False,
    standardize: o.Standardize = False,
    zca: o.Zca = None,
    test_fraction: o.TestFraction = None,
    limit: o.Limit = None,
    seed: o.Seed = 0,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    dtype: o.Dtype = o.Precision.float64,
    max_memory: o.MaxMemory = None,
    jobs: o.Jobs = None,
    force: o.Force = False,
) -> None:
    """Fit kernel ridge regression or classification and save the model.

    Preprocessing learns from the training part only, in the order normalize, standardize, zca; it
    is stored in the model and applied by predict. If there is a test part, its score is shown.
    """
    claim(out, force, (".npz",), (data, labels))
    if store is not None:
        claim_place(store)
    ridge, how = o.parse_alpha(alpha), _solver(solver, components, widths, seed)
    means = {"max_memory": o.parse_memory(max_memory), "n_jobs": o.parse_jobs(jobs)}
    reading = o.reading(label_column, header, input_shape, channels, scale)
    reading["dtype"] = dtype.value
    from ..data import load
    from ..nets import parse
    from .modelling import fit_model, preprocessing, report_lines, save
    from .parts import chosen_task, held_out

    parse(net)  # before data are read, as a mistake is likelier here
    dataset = chosen_task(load(data, labels, **reading), task.value)
    dataset = held_out(dataset, test_fraction, limit, seed)
    say(dataset.summary())
    steps = preprocessing(normalize, standardize, zca)
    means["progress"] = o.interactive()
    options = {"alpha": ridge, "solver": how, "store": store}
    fitted = fit_model(dataset, net, kernel.value, options, steps, means)
    for line in report_lines(fitted, dataset):
        say(line)
    with draft(out) as path:
        save(fitted, dataset, reading, path)
    say(f"model written to {out}")


def _solver(solver: o.Solver, components: int | None, widths: str | None, seed: int) -> Any:
    """The solver, with options of features where some are given."""
    each = o.parse_widths(widths)
    if solver is not o.Solver.features:
        if components is not None or widths is not None:
            name = "--components" if components is not None else "--widths"
            raise ValueError(f"{name} is for --solver features, but the solver is {solver.value}")
        return solver.value
    from ..learn import Features

    found: Any = tuple(each) if isinstance(each, list) else each
    return Features(components or 4000, widths=found, seed=seed)


def predict(
    model: o.Model,
    data: o.Data,
    out: o.PredictionsOut,
    part: o.WhichPart = o.Part.auto,
    proba: o.Probabilities = False,
    labels: o.Labels = None,
    label_column: o.OtherLabelColumn = None,
    header: o.Header = None,
    scale: o.OtherScale = None,
    max_memory: o.MaxMemory = None,
    jobs: o.Jobs = None,
    force: o.Force = False,
) -> None:
    """Predict with a saved model; the score is shown where there are labels.

    DATA is read and preprocessed as it was for fit. A table may lack the label column.
    """
    claim(out, force, (".csv",), (data, labels, model))
    means = {"max_memory": o.parse_memory(max_memory), "n_jobs": o.parse_jobs(jobs)}
    from ..data.tables import is_table
    from ..learn.persist import compute_by
    from .modelling import open_model, read_for, require_proba, write_predictions

    fitted, reading = open_model(model)
    if proba:
        require_proba(fitted, model)
    compute_by(fitted.estimator, means | {"progress": o.interactive()})
    if not is_table(data):  # what was said about the columns of the training table
        reading |= {"label_column": -1, "header": None}
    if label_column is not None:
        reading["label_column"] = o.parse_column(label_column)
    if scale is not None:
        reading["scale"] = o.parse_scale(scale)
    if header is not None:
        reading["header"] = header
    dataset = read_for(fitted, data, labels, reading, fixed=label_column is not None)
    say(dataset.summary())
    with draft(out) as path:
        for line in write_predictions(fitted, dataset, part.value, path, proba):
            say(line)
    say(f"predictions written to {out}")
