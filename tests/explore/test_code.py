"""The code that is copied runs as it is, and gives the numbers that are shown."""

from dataclasses import replace

import numpy as np
import pytest

from made import small_images
from tangency.data import load
from tangency.explore.explorer import Explorer, first_state
from tangency.explore.state import Motion
from tangency.explore.subject import Subject, loading
from tangency.explore.views import VIEWS


def shown_and_run(explorer, state, name):
    """What the page shows of a view, and the variables that its code leaves."""
    view = next(view for view in VIEWS if view.name == name)
    more = (explorer.matrices(state),) if view.matrices else ()
    result = view.measure(explorer.subject, state, *more)
    names = {}
    exec(compile(view.code(explorer.subject, state, result), name, "exec"), names)
    return result, names


@pytest.fixture(scope="module", params=["small.npz", "digits", "diabetes", "iris"])
def explored(request, tmp_path_factory):
    folder, source, options = tmp_path_factory.mktemp("code"), request.param, {}
    if source == "small.npz":
        data = small_images(classes=3)
        np.savez(folder / source, X=data.X_train, y=data.y_train)
        source = str(folder / source)
        options = {"scale": 2.0}
    explorer = Explorer(
        Subject(load(source, **options, require_labels=False), loading(source, options))
    )
    state = replace(first_state(explorer), examples=min(60, explorer.subject.most))
    return explorer, state


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_profile(explorer, state, capsys):
    found, names = shown_and_run(explorer, state, "profile")
    for name, values in found.values.items():
        np.testing.assert_array_equal(names["profiles"][name], values)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_spectrum(explorer, state, folder):
    found, names = shown_and_run(explorer, state, "spectrum")
    assert names["found"].table() == found.table()
    assert (folder / "spectrum.png").stat().st_size > 1000


def test_nearest(explored):
    found, names = shown_and_run(*explored, "nearest")
    for name, near in found.found.items():
        rows, distances = names["nearest"][name]
        assert rows.tolist() == [one.row for one in near]
        assert distances.tolist() == [one.distance for one in near]


def test_matrices(explored):
    found, names = shown_and_run(*explored, "matrices")
    for name, matrix in found.kernels.items():
        np.testing.assert_allclose(names["matrices"][name], matrix, rtol=1e-13)
    if "same" in names:
        cosine = names["cosines"]["NTK"]
        within = cosine[names["same"] & names["others"]].mean()
        assert f"NTK: mean {within:.3f} within a class" in found.summary


def test_learning(explored):
    found, names = shown_and_run(*explored, "learning")
    for name, curve in found.curves.items():
        for size, scores in zip(curve.sizes, curve.scores, strict=True):
            assert names["scores"][name, size] == pytest.approx(scores, abs=1e-12)


MOTIONS = [
    Motion(),
    Motion(angle=-7, size=1.1, slant=0.2, right=0.5, down=-1, wave=0.3),
    Motion(wave=0.3),
]


@pytest.mark.parametrize("motion", MOTIONS, ids=["none", "all", "wave"])
def test_moved(explored, motion):
    explorer, state = explored
    if len(explorer.subject.space) != 2:
        pytest.skip("no images")
    found, names = shown_and_run(explorer, replace(state, motion=motion), "moved")
    np.testing.assert_array_equal(names["copies"], found.images[1:])
    for name, way in found.distances.items():
        assert names["distances"][name] == pytest.approx(way[1:], rel=1e-12, abs=1e-12)
