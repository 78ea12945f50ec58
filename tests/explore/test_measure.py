"""The numbers of the page are those of the library."""

from dataclasses import replace

import numpy as np
import pytest

import tangency as tg
from made import small_images
from tangency.data import Dataset
from tangency.errors import InputError
from tangency.explore import measure
from tangency.explore.state import Motion, State
from tangency.explore.subject import Subject

NET = "conv3 relu gap dense"
RANDOM = np.random.default_rng(0)


@pytest.fixture
def subject(explorer):
    return explorer.subject


def test_profiles_are_kernels_of_the_cosine(subject):
    found = measure.profile(subject, State("conv3 relu gap dense"))
    assert (found.net, found.own) == ("dense relu dense", False)
    assert "Shown for the dense network dense relu dense" in found.reading
    a, b = np.eye(2)[:1], np.array([[0.6, 0.8]])
    position = np.flatnonzero(np.isclose(found.u, 0.6))[0]
    for name, kernel in (("NTK", tg.NTK(found.net)), ("last-layer", tg.NNGP(found.net))):
        expected = kernel(a, b)[0, 0]
        assert found.values[name][position] == pytest.approx(expected, rel=1e-12)


def test_dense_networks_are_shown_themselves(subject):
    found = measure.profile(subject, State("flatten dense erf dense"))
    assert found.own
    assert found.summary.startswith("NTK: κ(1) = ")


def test_matrices_in_blocks_are_those_of_one_call(subject, monkeypatch):
    state, shares = State(NET, examples=30), []
    monkeypatch.setattr(measure, "_BETWEEN", 1e4)
    found = measure.matrices(subject, state, shares.append)
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    expected = tg.gram(NET, subject.X[subject.rows(30)])
    # Another order of tiles changes the last digits.
    np.testing.assert_allclose(found["NTK"], expected.ntk, rtol=1e-13)
    np.testing.assert_allclose(found["last-layer"], expected.nngp, rtol=1e-13)


def test_matrices_stop_between_blocks(subject, monkeypatch):
    monkeypatch.setattr(measure, "_BETWEEN", 1e4)
    shares = []

    def tick(share):
        shares.append(share)
        if share > 0.2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure.matrices(subject, State(NET, examples=30), tick)
    assert shares[-1] < 0.6


def test_the_nearest_are_those_of_the_kernel(subject):
    state = State(NET, examples=30, image=3)
    found = measure.nearest(subject, state)
    rows = np.setdiff1d(subject.rows(30), [3])
    distances = tg.NTK(NET).distance(subject.X[[3]], subject.X[rows])[0]
    distances /= np.sqrt(tg.NTK(NET).diag(subject.X[[3]]))
    near = found.found["NTK"]
    assert [one.row for one in near] == rows[np.argsort(distances)][: len(near)].tolist()
    assert [one.distance for one in near] == pytest.approx(sorted(distances)[: len(near)], rel=0.02)
    assert found.alike is not None
    assert f"{100 * found.alike['NTK']:.0f} % of the nearest" in found.summary
    assert len(found.table().rows) == 2 * len(near)


def test_an_image_moves_away_and_its_numbers_are_those_of_deform(subject):
    motion = Motion(angle=20, right=1, wave=0.2)
    found = measure.moved(subject, State(NET, examples=30, image=3, motion=motion))
    tau, words = motion.field(subject.space)
    assert words == (
        "Rotation(math.radians(20)) + Translation((0, 1)) + "
        "RandomField(2).scale_to((6, 6), gradient=0.2)"
    )
    assert found.gradient == tau.gradient_norm(subject.space)
    last = tg.bias.deform(subject.X[[3]], tau, antialias=0)
    np.testing.assert_allclose(found.images[-1], last[0], atol=1e-12)
    for name, kernel in (("NTK", tg.NTK(NET)), ("last-layer", tg.NNGP(NET))):
        expected = (
            kernel.distance(subject.X[[3]], last)[0, 0] / kernel.diag(subject.X[[3]])[0] ** 0.5
        )
        assert found.distances[name][0] == 0
        assert found.distances[name][-1] == pytest.approx(expected, rel=0.02)
        assert found.same[name] < found.other[name]


def test_an_image_at_rest_is_where_it_was(subject):
    found = measure.moved(subject, State(NET, examples=30, image=3))
    assert not np.any(found.distances["NTK"])
    np.testing.assert_allclose(found.images, np.broadcast_to(subject.X[3], found.images.shape))


def test_every_part_of_a_motion_moves(subject):
    for name, value in (("size", 1.2), ("slant", 0.3), ("down", 0.5)):
        motion = replace(Motion(), **{name: value})
        found = measure.moved(subject, State(NET, examples=20, image=1, motion=motion))
        assert np.all(found.distances["NTK"][1:] > 0), name


def test_data_without_labels_or_images_say_what_is_missing():
    subject = Subject(Dataset(RANDOM.normal(size=(30, 3)), None), "")
    state = State("dense relu dense", examples=30)
    kernels = measure.matrices(subject, state, lambda share: None)
    assert measure.by_class(subject, state, kernels).names == ["all"]
    assert measure.nearest(subject, state).alike is None
    with pytest.raises(InputError, match="no labels to learn"):
        measure.learning(subject, state, kernels)
    with pytest.raises(InputError, match="only images can be deformed, and these are examples"):
        measure.moved(subject, state)
    assert subject.picture(0) == ""


def test_targets_are_shown_in_quarters():
    X = RANDOM.normal(size=(60, 3))
    subject = Subject(Dataset(X, X @ [1.0, 2.0, 3.0]), "")
    state = State("dense relu dense", examples=60)
    kernels = measure.matrices(subject, state, lambda share: None)
    assert measure.by_class(subject, state, kernels).names[0] == "lowest quarter"
    assert measure.learning(subject, state, kernels).score == "R²"
    assert subject.name(0) == f"{subject.data.y_train[0]:.4g}"


def test_fewer_examples_where_pairs_are_dear():
    subject = Subject(small_images(200, size=16), "")
    assert subject.quick(tg.parse("flatten dense relu dense")) == 100
    assert 20 <= subject.quick(tg.parse("conv3 relu conv3 relu conv3 relu gap dense")) < 100
