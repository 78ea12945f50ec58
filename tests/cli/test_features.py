"""`tangency features`, and models on features from the command line."""

import os
import signal
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import tangency as tg
from processes import started
from tangency.cli import app
from tangency.learn import Features, load

NET = "conv3 relu avg2 conv3 relu gap dense"
run = CliRunner().invoke


def made(*arguments, code=0):
    result = run(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_features_of_a_data_set(tmp_path):
    out = tmp_path / "F.zarr"
    options = ("--net", NET, "--components", "60", "--widths", "20,30", "--seed", "4")
    said = made("features", "digits", *options, "--out", out)
    assert "60 features of 1,797 examples; relative error of the kernel" in said
    F, features = tg.gram.open(out), load(out / "map.npz")
    assert (F.shape, F.dtype, features.widths_) == ((1797, 60), np.float32, (20, 30))
    images = tg.data.load("digits", dtype="float32").X_train
    expected = tg.LayerwiseFeatures(NET, 60, widths=[20, 30], random_state=4).fit(images)
    np.testing.assert_allclose(F[:], expected.transform(images), atol=2e-5)
    # the same command again finds all done
    before = {path: path.stat().st_mtime_ns for path in out.glob("tiles/*.0.json")}
    # (The first one may have said that loops are being compiled.)
    again = made("features", "digits", *options, "--out", out)
    assert again
    assert said.endswith(again)
    assert {path: path.stat().st_mtime_ns for path in out.glob("tiles/*.0.json")} == before
    other = made("features", "digits", "--net", NET, "--components", 61, "--out", out, code=2)
    assert "n_components=60, and n_components=61 is asked for" in other


@pytest.mark.slow
def test_last_layer_features_by_workers(tmp_path):
    options = ("features", "digits", "--net", NET, "--widths", 10, "--kernel", "nngp")
    made(*options, "--out", tmp_path / "alone.zarr")
    made(*options, "--out", tmp_path / "two.zarr", "--workers", 2)
    one, two = (tg.gram.open(tmp_path / f"{name}.zarr") for name in ("alone", "two"))
    np.testing.assert_array_equal(one[:], two[:])
    assert load(tmp_path / "two.zarr" / "map.npz").kernel_ == tg.NNGP(NET)


def test_a_model_on_features(tmp_path):
    model, store = tmp_path / "m.npz", tmp_path / "F.zarr"
    said = made(
        *("fit", "digits", "--net", NET, "--solver", "features", "--components", 80),
        *("--widths", "20,40", "--alpha", 0.01, "--limit", 300, "--store", store, "--out", model),
    )
    assert "80 features; relative error of the kernel" in said
    fitted = load(model)
    assert fitted.solver == Features(80, widths=(20, 40))
    assert tg.gram.open(store).shape == (300, 80)
    said = made("predict", model, "digits", "--out", tmp_path / "p.csv", "--proba")
    assert float(said.split("accuracy ")[1][:6]) > 0.8
    fitted.save(tmp_path / "plain.npz")
    said = made("predict", tmp_path / "plain.npz", "digits", "--out", tmp_path / "q.csv")
    assert "no preprocessing" in said
    one, two = ((tmp_path / name).read_text().splitlines() for name in ("p.csv", "q.csv"))
    assert [row.split(",")[1] for row in one] == [row.split(",")[1] for row in two]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "--widths", "3", "--out", "m.npz"), "--widths is for --solver features"),
        (("fit", "--components", "3", "--out", "m.npz"), "--components is for --solver features"),
        (("features", "--widths", "3,a", "--out", "F.zarr"), "--widths 3,a: expected whole"),
        (("features", "--widths", "3,4,5", "--out", "F.zarr"), "widths has 3 numbers"),
        (("features", "--out", "F.npz"), "give a name in .zarr"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    command, *options = arguments
    assert said in made(command, "digits", "--net", NET, *options, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_map_predicts_nothing(tmp_path):
    tg.LayerwiseFeatures(NET, 10).fit(np.ones((3, 8, 8, 1))).save(tmp_path / "map.npz")
    said = made("predict", tmp_path / "map.npz", "digits", "--out", tmp_path / "p.csv", code=2)
    assert "is a feature map" in said


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interruption_says_what_is_there(tmp_path):
    command = "from tangency.cli import app; from tangency.learn.features import stored; "
    command += "stored._ROWS = 4; app(prog_name='tangency')"
    out = tmp_path / "F.zarr"
    options = ["features", "digits", "--net", NET, "--out", out, "--components", "100"]
    with started([sys.executable, "-c", command, *options]) as process:
        while process.poll() is None and len(list(out.glob("tiles/*.json"))) < 4:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130
    assert "tiles; the same command goes on" in error
    assert tg.gram.verify(out).damaged == {}
