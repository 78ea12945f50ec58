"""The table on the screen and as CSV."""

import csv
import io

import pytest

from tangency.report import Curve
from tangency.report.table import Row, table_text, write_curves, write_rows

ROWS = [
    Row("dense", "NTK", 1437, 355, 360, 0.25, "alpha=7e-09", 41.27, 0.84, "dense relu dense"),
    Row("RBF SVM", None, 1437, 357, 360, 0.04, "C=10, γ=0.055"),
    Row("conv", "last-layer", 1437, 340, 360, 12.5, "alpha=1", 2.0, 3.0),
]


def test_text():
    lines = table_text(ROWS).splitlines()
    assert lines[0] == "trained on 1,437 images, tested on 360"
    assert lines[1].split() == [
        *["model", "kernel", "accuracy", "%", "kernel", "s", "norm", "norm", "×", "size"],
        "chosen",
    ]
    assert " ".join(lines[3].split()) == "dense NTK 98.6 ± 0.7 0.25 41.3 34.7 alpha=7e-09"
    assert lines[4].split()[:3] == ["RBF", "SVM", "-"]
    assert lines[5].split()[-4:] == ["12.50", "2.0", "6.0", "alpha=1"]
    assert len({lines[i].index("±") for i in (3, 4, 5)}) == 1


def test_csv_keeps_full_precision():
    stream = io.StringIO()
    write_rows(ROWS, stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert float(rows[0]["accuracy"]) == 355 / 360
    assert float(rows[0]["standard_error"]) == pytest.approx((357 * 7 / 364**3) ** 0.5)
    assert rows[0]["network"] == "dense relu dense"
    assert rows[1]["rkhs_norm"] == rows[1]["kernel"] == ""


def test_curves_one_line_for_each_draw():
    stream = io.StringIO()
    write_curves({"dense": {"NTK": Curve([10, 20], [[0.5, 0.6], [0.7]])}}, stream)
    assert stream.getvalue().splitlines() == [
        "model,kernel,training_images,draw,accuracy",
        "dense,NTK,10,0,0.5",
        "dense,NTK,10,1,0.6",
        "dense,NTK,20,0,0.7",
    ]
