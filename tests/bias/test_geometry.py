"""What is near an image, on digits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias.deformations import Rotation, Translation, deform, smooth
from tangency.bias.geometry import Geometry, geometry
from tangency.errors import InputError

DATA = load_digits()
DIGITS, LABELS = DATA.images / 16, DATA.target
NET = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"


@pytest.fixture(scope="module")
def found() -> Geometry:
    kernels = {"NTK": tg.NTK(NET), "last-layer": tg.NNGP(NET)}
    return geometry(kernels, DIGITS, LABELS, draws=3, count=12, others=100)


def test_the_order_of_neighbours(found) -> None:
    for near in found.neighbours.values():
        assert np.all(np.diff(near.deformed) > 0)
        assert near.deformed[-1] < near.same < near.other
        assert near.translated < near.other
        assert np.all(near.both > near.deformed)


def test_the_last_layer_kernel_is_the_stabler_one(found) -> None:
    # Against the distance within a class, small deformations are nearer for the last layer.
    ratio = {name: near.deformed / near.same for name, near in found.neighbours.items()}
    assert np.all(ratio["last-layer"] < ratio["NTK"])
    assert ratio["last-layer"][0] < 0.3 * ratio["NTK"][0]


def test_means_are_those_of_the_kernel() -> None:
    labels = np.array([0, 0, 1, 1])
    kernel = tg.NNGP(NET)
    turn = Rotation(0.3)
    result = geometry(
        kernel, DIGITS[:4], labels, lambda seed: turn, (0.2,), 1, count=None, others=None
    )
    near = result.neighbours["last-layer"]
    x = smooth(DIGITS[:4])[..., None]
    size = np.sqrt(kernel.diag(x))
    between = kernel.distance(x) / size[:, None]
    same = [between[i, j] for i, j in ((0, 1), (1, 0), (2, 3), (3, 2))]
    assert near.same == pytest.approx(np.mean(same), rel=2e-3)
    other = [between[i, j] for i in range(4) for j in range(4) if labels[i] != labels[j]]
    assert near.other == pytest.approx(np.mean(other), rel=2e-3)

    def mean_to(tau):
        moved = deform(DIGITS[:4], tau)[..., None]
        return np.mean(kernel.paired_distance(x, moved) / size)

    bent = turn.scale_to((8, 8), gradient=0.2)
    assert near.deformed[0] == pytest.approx(mean_to(bent), rel=2e-3)
    steps = [Translation(s) for s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    assert near.translated == pytest.approx(np.mean([mean_to(s) for s in steps]), rel=2e-3)
    assert any(near.both[0] == pytest.approx(mean_to(s @ bent), rel=2e-3) for s in steps)
    assert result.displacements[0, 0] == pytest.approx(bent.sup_norm((8, 8)))


def test_the_default_translation_grows_with_the_image() -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(size=(6, 28, 28)), np.array([0, 0, 0, 1, 1, 1])
    kernel = tg.NNGP("conv3 relu flatten dense")
    assert geometry(kernel, images, labels, None, (0.1,), 1).shift == 2


def test_table_words_and_figure(found) -> None:
    rows = found.table().rows
    assert len(rows) == 2 * (2 * len(found.strengths) + 3)
    assert rows[0][:3] == ("NTK", "deformation", found.strengths[0])
    assert rows[0][-1] == found.neighbours["NTK"].deformed[0]
    assert "translations by 1 pixel" in found.summary
    assert "12 images" in found.summary
    figure = found.plot()
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == [
        "other classes",
        "same class",
    ]
    assert figure.axes[0].lines[0].get_ydata()[0] == found.neighbours["NTK"].other
    from matplotlib.figure import Figure

    assert len(found.plot(Figure().subplots()).axes) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": LABELS[:5]}, r"labels must be of shape \(1797,\)"),
        ({"labels": np.arange(1797)}, "hold no two of the same class"),
        ({"labels": np.zeros(1797)}, "none of different classes"),
        ({"strengths": ()}, "strengths must increase"),
        ({"shift": 0}, "shift must be a whole number of at least 1, got 0"),
        ({"draws": 0}, "draws must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"deformations": lambda seed: Translation((1, 0))}, "scale its other norm"),
        ({"deformations": Rotation(0.1)}, "a function from a seed to one"),
    ],
)
def test_errors(change, message) -> None:
    options = {"images": DIGITS, "labels": LABELS, "strengths": (0.1,), "count": 3, "others": 30}
    with pytest.raises(InputError, match=message):
        geometry(tg.NNGP(NET), **{**options, **change})
