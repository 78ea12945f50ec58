"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import math
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..numerals import decimal

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A .npz, .npy, .csv, .tsv or IDX file; a folder of images, one folder per class; or a "
        "known set: digits, breast_cancer, wine, iris, diabetes, openml:NAME.",
    ),
]
Net = Annotated[
    str,
    typer.Option(
        "--net",
        metavar="TEXT",
        help='The network as text: "dense relu dense", "conv3 relu gap dense".',
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File of the labels, for .npy and IDX images."),
]
LabelColumn = Annotated[
    str,
    typer.Option(
        metavar="NAME|N|none",
        help="Label column of a table: its name or position (-1: the last), or none.",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Whether a table begins with column names."),
]
InputShape = Annotated[
    str | None, typer.Option(metavar="HxWxC", help="Shape of one example, if stored flat: 28x28x1.")
]
Scale = Annotated[
    str,
    typer.Option(
        metavar="auto|none|X",
        help="Divide inputs by this number; auto: 8- and 16-bit images by 255 and 65535.",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory for kernels: 500MB, 4GB. Default: what is free."),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Number of threads. Default, and -1: all processors."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


class Channels(StrEnum):
    """Where the channel axis of stored images is."""

    auto = "auto"
    last = "last"
    first = "first"
    none = "none"


class Precision(StrEnum):
    """The type in which kernels are computed."""

    float64 = "float64"
    float32 = "float32"


ChannelAxis = Annotated[Channels, typer.Option(help="Where the channel axis of images is.")]
Dtype = Annotated[Precision, typer.Option("--dtype", help="Precision of the kernel.")]


# fit


class Kernel(StrEnum):
    """One of a network's two kernels."""

    ntk = "ntk"
    nngp = "nngp"


class Solver(StrEnum):
    """How a model is fitted."""

    auto = "auto"
    cholesky = "cholesky"
    eigh = "eigh"
    cg = "cg"
    nystrom = "nystrom"
    features = "features"


class Task(StrEnum):
    """What is learnt."""

    auto = "auto"
    classification = "classification"
    regression = "regression"


ModelOut = Annotated[
    Path, typer.Option("--out", metavar="MODEL.npz", help="Where the model is written.")
]
OneKernel = Annotated[Kernel, typer.Option(help="NTK, or the last-layer kernel.")]
Alpha = Annotated[
    str,
    typer.Option(
        metavar="loo|A|A,B,...",
        help="Strength of the regularization; loo: chosen by leave-one-out.",
    ),
]
HowSolved = Annotated[
    Solver,
    typer.Option(
        help="How the model is fitted. cholesky, eigh: with the whole kernel matrix in memory; cg: "
        "with a part of it; nystrom: approximately, from 1,000 columns; features: without the "
        "matrix. auto decides by size and memory."
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="K.zarr",
        help="Keep the kernel matrix, or the features, in this folder; a run that was stopped goes "
        "on from there.",
    ),
]
Components = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="With features: how many at most. Default: 4,000."),
]
Widths = Annotated[
    str | None,
    typer.Option(
        metavar="N|N,N,...",
        help="With features: landmarks at each activation. Default: 256, more at the last.",
    ),
]
WhatIsLearnt = Annotated[
    Task,
    typer.Option(help="auto: regression for floating-point labels, classification for all others."),
]
Normalize = Annotated[
    bool, typer.Option("--normalize", help="Centre every example, scale it to norm 1.")
]
Standardize = Annotated[
    bool,
    typer.Option("--standardize", help="Mean 0, standard deviation 1 for each feature or channel."),
]
Zca = Annotated[
    float | None,
    typer.Option(metavar="R", help="ZCA whitening with regularization R, such as 0.1."),
]
TestFraction = Annotated[
    float | None, typer.Option(metavar="F", help="Hold out this share as a test part, such as 0.2.")
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", help="Train on N examples, classes in proportion.")
]

# predict


class Part(StrEnum):
    """Which part of the data is predicted."""

    auto = "auto"
    train = "train"
    test = "test"


Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model that fit has written.")]
PredictionsOut = Annotated[
    Path, typer.Option("--out", metavar="FILE.csv", help="Where predictions are written.")
]
WhichPart = Annotated[
    Part, typer.Option(help="auto: the test part if there is one, else everything.")
]
Probabilities = Annotated[
    bool, typer.Option("--proba", help="Also write the probability of every class.")
]
OtherLabelColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME|N|none", help="Label column of a table. Default: as in fit."),
]
OtherScale = Annotated[
    str | None, typer.Option(metavar="auto|none|X", help="Scale of inputs. Default: as in fit.")
]


def parse_shape(text: str) -> tuple[int, ...]:
    """(28, 28, 1) from `28x28x1`; raises `ValueError` for anything else.

    >>> parse_shape("28x28x1")
    (28, 28, 1)
    """
    if not re.fullmatch(r"[1-9]\d*([x×][1-9]\d*){0,3}", text):
        raise ValueError(
            f"--input-shape {text}: expected whole numbers with x between them, channels last, "
            "such as 28x28x1 or 784"
        )
    return tuple(int(size) for size in re.split("[x×]", text))


def parse_alpha(text: str) -> float | list[float] | str:
    """`loo`, a number, or numbers with commas between them.

    >>> parse_alpha("loo"), parse_alpha("0.1"), parse_alpha("1e-3,1e-2")
    ('loo', 0.1, [0.001, 0.01])
    """
    if text == "loo":
        return text
    try:
        alphas = [decimal(part) for part in text.split(",")]
    except ValueError:
        alphas = [math.nan]
    if not all(0 <= alpha < math.inf for alpha in alphas):
        raise ValueError(
            f"--alpha {text}: expected a number that is 0 or more, several with commas between "
            "them, or loo"
        )
    return alphas[0] if len(alphas) == 1 else alphas


def parse_widths(text: str | None) -> int | list[int] | None:
    """Landmarks at all activations, or at each.

    >>> parse_widths("64"), parse_widths("64, 128"), parse_widths(None)
    (64, [64, 128], None)
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--widths {text}: expected whole numbers above 0, as 64 or 64,64,256")
    found = list(map(int, parts))
    return found[0] if len(found) == 1 else found


def parse_memory(text: str | None) -> int | None:
    """Bytes from `500MB` or `4GB` (powers of 1000), `4GiB` (powers of 1024); None stays None.

    >>> parse_memory("4GB"), parse_memory("0.5 GiB")
    (4000000000, 536870912)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B", text.strip(), re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise ValueError(f"--max-memory {text}: expected a size with its unit, as 500MB or 4GB")
    base = 1024 if found[3] else 1000
    return round(float(found[1]) * base ** (1 + "KMGT".index(found[2].upper())))


def parse_jobs(number: int | None) -> int | None:
    """A number of threads, negative ones counted from the end; raises `ValueError` for 0."""
    if number == 0:
        raise ValueError("--jobs 0: expected a number of threads, or -1 for all processors")
    return number


def parse_column(text: str) -> str | int | None:
    """A column's position or name, or None for `none`.

    >>> parse_column("-1"), parse_column("species"), parse_column("none")
    (-1, 'species', None)
    """
    if text == "none":
        return None
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def parse_scale(text: str) -> Any:
    """`auto`, None for `none`, or a positive number."""
    if text in ("auto", "none"):
        return "auto" if text == "auto" else None
    try:
        scale = decimal(text)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise ValueError(f"--scale {text}: expected a positive number, auto or none")
    return scale


def reading(
    label_column: str,
    header: bool | None,
    input_shape: str | None,
    channels: Channels,
    scale: str,
) -> dict[str, Any]:
    """What `tangency.data.load` is told of how DATA is read."""
    return {
        "label_column": parse_column(label_column),
        "header": header,
        "input_shape": None if input_shape is None else parse_shape(input_shape),
        "channels": channels.value,
        "scale": parse_scale(scale),
    }


def interactive() -> bool:
    """Whether a progress bar would be seen by a person."""
    return sys.stderr.isatty()
