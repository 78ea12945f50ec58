"""Inputs with masks and graphs: what their kernels are, and what is said where they cannot be."""

import numpy as np
import pytest
import scipy.sparse

import tangency as tg
from tangency.kernels import Prepared

LENGTHS = (5, 2, 4, 5)
GRAPH_NET = "dense:b=0.2 relu aggregate dense:b=0.1 relu aggregate dense relu gsp dense"
MASKED = [
    "conv3:b=0.3 relu conv3:b=0.2 relu gap dense:b=0.1",
    "conv3:w=0.5 relu conv2:pad=valid,b=0.1 relu gsp dense relu dense",
    "conv3:b=0.2 layernorm:space relu gap dense",
    "conv3:b=0.2 relu avg2 conv1:b=0.3 relu gap dense",
    "conv3:b=0.2 relu sub2 conv3:b=0.3 erf gap dense",
    "up2 conv3 relu gap dense",
    "conv3 relu res(conv3:b=0.2 relu conv3 | conv1) relu gap dense",
    "conv3:b=0.2 relu local3:b=0.2 relu gap dense",
    "conv3:b=0.2 relu cat(conv3:b=0.1 | conv1) gap dense",
    "conv3 relu conv2:pad=valid,stride=2,b=0.2 relu gap dense",
    "conv3 relu conv[[-1]]:pad=valid,b=0.2 relu gap dense",
    "conv3 relu local[[1]]:pad=valid,b=0.2 relu gap dense",
    "conv3 prod(conv3:b=0.1 | conv1 relu) gap dense",
    "conv3:b=0.1 relu flatten dense",
    "conv3:b=0.2 relu attention relu gap dense",
    "dense posembed:length=2 layernorm relu dense res(layernorm attention:positions=sum) layernorm "
    "relu gap dense",
    "dense relu attention:relu,positions=concatenate relu flatten dense",
]


def rng(seed=0):
    return np.random.default_rng(seed)


def sequences(seed=0):
    return [rng(seed + k).normal(size=(length, 3)) for k, length in enumerate(LENGTHS)]


def graphs(seed=0, sizes=(4, 3, 6)):
    found = []
    for k, n in enumerate(sizes):
        draw = rng(seed + k)
        edges = draw.normal(size=(n, n)) * (draw.random((n, n)) < 0.6)
        found.append((draw.normal(size=(n, 2)), edges))
    return found


def as_graphs(parts):
    return tg.Graphs(*map(list, zip(*parts, strict=True)))


# ---------------------------------------------------------------- masks


@pytest.mark.parametrize("text", MASKED)
def test_an_input_with_a_mask_is_the_input_at_its_own_size(text):
    words = sequences()
    both = tg.gram(text, tg.Masked(words))
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 3)):
        alone = tg.gram(text, words[i][None], words[j][None], engine="reference")
        for kind in ("nngp", "ntk"):
            found, expected = getattr(both, kind)[i, j], getattr(alone, kind)[0, 0]
            assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("text", MASKED)
def test_how_many_positions_are_filled_up_makes_no_difference(text):
    words = sequences()
    x = tg.Masked(words)
    more = x.on((9,))
    assert np.allclose(tg.NTK(text)(x), tg.NTK(text)(more), rtol=1e-13, atol=0)
    assert np.allclose(tg.NTK(text)(x, more), tg.NTK(text)(x), rtol=1e-13, atol=0)


def test_two_lengths_meet_as_loops_over_their_own_positions_say():
    # conv1 relu gap dense of two lengths: means over L·L' pairs of positions.
    x, y = sequences()[:2]
    norms = np.sqrt(np.sum(x**2, 1)[:, None] * np.sum(y**2, 1)[None, :])
    c = (x @ y.T) / norms
    k0, k1 = 1 - np.arccos(c) / np.pi, (np.sqrt(1 - c * c) + c * (np.pi - np.arccos(c))) / np.pi
    nngp = np.mean(norms * k1)
    ntk = np.mean(norms * (k1 + c * k0))
    pair = tg.gram("conv1 relu gap dense", tg.Masked([x]), tg.Masked([y]))
    assert pair.nngp[0, 0] == pytest.approx(nngp, rel=1e-13)
    assert pair.ntk[0, 0] == pytest.approx(ntk, rel=1e-13)


def test_values_behind_a_mask_have_no_bearing_and_masks_on_images_work():
    images = rng().normal(size=(3, 4, 5, 2))
    mask = rng(1).random((3, 4, 5)) < 0.3
    other = np.where(mask[..., None], np.nan, images)
    k = tg.NTK("conv3:b=0.1 relu conv3 relu gap dense")
    matrix = k(tg.Masked(images, mask))
    assert np.array_equal(matrix, k(tg.Masked(other, mask)))
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix)[0] > 0
    assert not np.allclose(matrix, k(images))
    unmasked = k(tg.Masked(images, np.zeros_like(mask)))
    assert np.allclose(unmasked, tg.NTK(k.net, engine="reference")(images), rtol=1e-14)


@pytest.mark.parametrize("text", MASKED)
def test_matrices_are_symmetric_psd_and_agree_with_diag_and_distance(text):
    x = tg.Masked(sequences())
    for kernel in (tg.NTK(text), tg.NNGP(text)):
        matrix = kernel(x)
        assert np.array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix)[0] > -1e-12 * matrix.max()
        assert np.array_equal(np.diag(matrix), kernel.diag(x))
        squares = np.diag(matrix)
        expected = np.sqrt(np.abs(squares[:, None] + squares[None, :] - 2 * matrix))
        off = ~np.eye(len(matrix), dtype=bool)
        assert np.allclose(kernel.distance(x)[off], expected[off], rtol=1e-6)


def test_near_inputs_with_masks_and_edges_are_told_apart_with_32_digits():
    step = 2.0**-38
    (x, edges), *_ = graphs()
    one, two = tg.Graphs([x], [edges]), tg.Graphs([x * (1 + step)], [edges])
    k = tg.NNGP("aggregate dense relu gap dense")
    expected = step * np.sqrt(k.diag(one))
    assert k.distance(one, two)[0] == pytest.approx(expected, rel=1e-5)
    words = sequences()[0]
    near = k = tg.NNGP("conv3 relu gap dense")
    found = near.distance(tg.Masked([words]), tg.Masked([words * (1 + step)]))
    expected = step * np.sqrt(k.diag(words[None]))
    assert found[0] == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------- graphs


def test_a_network_on_graphs_is_linear_algebra():
    # A single linear layer behind one aggregation: K = mean over nodes of (Aᵀx)(A'ᵀx')ᵀ.
    (x, a), (y, b), _ = graphs()
    expected = np.mean((a.T @ x) @ (b.T @ y).T)
    pair = as_graphs(graphs())
    assert tg.NNGP("aggregate gap dense")(pair)[0, 1] == pytest.approx(expected, rel=1e-13)


def test_graphs_are_what_each_is_alone_whatever_the_others_sizes():
    parts = graphs()
    matrix = tg.NTK(GRAPH_NET)(as_graphs(parts))
    for i, one in enumerate(parts):
        for j, two in enumerate(parts):
            alone = tg.NTK(GRAPH_NET)(as_graphs([one]), as_graphs([two]))
            assert matrix[i, j] == pytest.approx(alone[0, 0], rel=1e-12)
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix)[0] > 0
    assert np.array_equal(np.diag(matrix), tg.NTK(GRAPH_NET).diag(as_graphs(parts)))


def test_the_order_of_the_nodes_makes_no_difference():
    parts = graphs()
    shuffled = []
    for k, (x, a) in enumerate(parts):
        order = rng(k).permutation(len(x))
        shuffled.append((x[order], a[np.ix_(order, order)]))
    k = tg.NTK(GRAPH_NET)
    assert np.allclose(k(as_graphs(parts)), k(as_graphs(shuffled)), rtol=1e-12)
    assert np.allclose(k(as_graphs(parts), as_graphs(shuffled)), k(as_graphs(parts)), rtol=1e-6)


def test_edges_point_from_their_row_to_their_column():
    x = np.array([[[1.0], [2.0]]])
    edge = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    # Node 1 takes 1 from node 0; node 0 takes nothing.
    assert tg.NNGP("aggregate gsp dense")(tg.Graphs(x, edge))[0, 0] == 1.0


def test_sparse_integer_and_boolean_edges_are_the_dense_ones():
    parts = [(x, (a != 0).astype(float)) for x, a in graphs()]
    k, values = tg.NTK(GRAPH_NET), [x for x, _ in parts]
    dense = k(as_graphs(parts))
    for change in (
        lambda a: a.astype(int),
        lambda a: a.astype(bool),
        scipy.sparse.csr_matrix,
        scipy.sparse.coo_array,
        lambda a: a.tolist(),
    ):
        assert np.array_equal(k(tg.Graphs(values, [change(a) for _, a in parts])), dense)


def test_inputs_are_prepared_once_and_come_in_float32_and_as_tensors():
    torch = pytest.importorskip("torch")
    x = as_graphs(graphs())
    k = tg.NTK(GRAPH_NET)
    matrix = k(x)
    assert np.array_equal(k(Prepared(x)), matrix)
    single = k(tg.Graphs(x.X.astype(np.float32), x.adjacency, x.mask))
    assert single.dtype == np.float32
    assert np.allclose(single, matrix, rtol=1e-4)
    values = torch.from_numpy(x.X).requires_grad_()
    edges = torch.from_numpy(x.adjacency).requires_grad_()
    found = k(tg.Graphs(values, edges, x.mask))
    assert np.allclose(found.detach(), matrix, rtol=1e-12)
    found[0, 1].backward()
    # Θ is homogeneous of degree 2 in (x, x') where there are no biases, and smooth here.
    assert torch.isfinite(values.grad).all()
    assert torch.isfinite(edges.grad).all()
    assert edges.grad.abs().sum() > 0


def test_layers_explain_and_the_algebra_take_them():
    x = as_graphs(graphs())
    layers = tg.layer_kernels(GRAPH_NET, x)
    assert np.allclose(layers.ntk[-1], tg.NTK(GRAPH_NET)(x), rtol=1e-14, atol=0)
    first = tg.explain(GRAPH_NET, x).splitlines()[0]
    assert first == "engine: blocked (the fused engine cannot: inputs have edges)"
    sum_ = tg.NTK(GRAPH_NET) + 2.0 * tg.NNGP(GRAPH_NET)
    pair = tg.gram(GRAPH_NET, x)
    assert np.allclose(sum_(x), pair.ntk + 2 * pair.nngp, rtol=1e-14)
    wide = tg.NTK(GRAPH_NET, input_shape=(8, 2))
    assert np.allclose(wide(x), pair.ntk, rtol=1e-13)
    assert np.allclose(np.diag(tg.NTK(GRAPH_NET, normalize=True)(x)), 1)


# ---------------------------------------------------------------- as sequences


def test_places_slices_and_truth_values_take_inputs():
    x = as_graphs(graphs())
    k = tg.NTK(GRAPH_NET)
    matrix = k(x)
    for places in (slice(1, 3), [2, 0], np.array([True, False, True]), np.array([1]), -1):
        chosen = np.atleast_1d(np.arange(3)[places])
        assert np.allclose(k(x[places]), matrix[np.ix_(chosen, chosen)], rtol=1e-13)
    assert (len(x), x.shape, x.sizes.tolist()) == (3, (3,), [4, 3, 6])
    assert len(list(x)) == 3
    with pytest.raises(IndexError, match="Graphs are taken by a place"):
        x[3]
    with pytest.raises(tg.InputError, match="one axis of inputs"):
        x[np.zeros((1, 1), dtype=int)]


# ---------------------------------------------------------------- errors

X = np.ones((2, 4, 3))
NONE = np.zeros((2, 4), dtype=bool)
EDGES = np.ones((2, 4, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tg.Masked(X, NONE.astype(int)), "mask must be of booleans.*pass mask == 0"),
        (lambda: tg.Masked(X, ~NONE), "2 of 2 inputs have no position.*pass ~mask"),
        (lambda: tg.Masked(X, NONE[:, :3]), r"X has shape \(2, 4, 3\) and the mask \(2, 3\)"),
        (lambda: tg.Masked(X[:, 0], NONE[:, 0]), "one truth value for each position"),
        (lambda: tg.Masked(X), "without a mask must be a list of arrays"),
        (lambda: tg.Masked([]), "without a mask must be a list of arrays"),
        (lambda: tg.Masked([X[0], X[0, :, :2]]), "of one number of channels"),
        (lambda: tg.Masked(np.nan * X, NONE), "holds NaN or infinity"),
        (lambda: tg.Masked(tg.Masked(X, NONE)), "X is Masked already; pass its values, X.X"),
        (lambda: tg.Graphs(X, EDGES[:, :3]), r"a square matrix for each graph, \(2, 4, 4\)"),
        (lambda: tg.Graphs(X, EDGES[0]), r"a square matrix for each graph, \(2, 4, 4\)"),
        (lambda: tg.Graphs(X, np.nan * EDGES), "adjacency holds NaN or infinity"),
        (lambda: tg.Graphs(X, scipy.sparse.eye(4)), "one sparse matrix; pass a list"),
        (lambda: tg.Graphs(X, [EDGES[0]]), "adjacency has 1 matrices for 2 graphs"),
        (lambda: tg.Graphs(X, [EDGES[0], EDGES[0, :2]]), r"adjacency\[1\] has shape \(2, 4\)"),
        (lambda: tg.Graphs(X, ["a", "b"]), r"adjacency\[0\] is no matrix of numbers"),
        (lambda: tg.Graphs(np.ones((2, 2, 2, 1)), EDGES), "nodes of each graph along one axis"),
    ],
)
def test_what_is_no_input_is_refused_with_a_remedy(make, message):
    with pytest.raises(tg.InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv3:pad=circular relu gap dense", "windows wrap around the end of the grid"),
        ("conv3:stride=2 relu gap dense", "take padding='valid', or stride 1 and Subsample"),
        ("conv3 relu avg2:pad=same gap dense", "AvgPool.*depends on the size of the grid"),
        ("resize6 conv3 relu gap dense", "Resize.*depends on the size of the grid"),
        ("conv3 cat(conv3 | conv1):axis=0 relu gap dense", "take axis=-1"),
        ("aggregate dense relu gap dense", r"inputs with masks have no edges; pass tg.Graphs"),
    ],
)
def test_layers_that_depend_on_where_a_grid_ends_refuse_masks(text, message):
    with pytest.raises(tg.NetworkError, match=message):
        tg.NTK(text)(tg.Masked(X, NONE))


def test_what_cannot_be_computed_says_why():
    k = tg.NTK("aggregate dense relu gap dense")
    x = tg.Graphs(X, EDGES)
    with pytest.raises(tg.NetworkError, match=r"an array without any; pass tangency.Graphs"):
        k(X)
    with pytest.raises(tg.NetworkError, match="whose edges are not known; put it before"):
        tg.NTK("avg2 aggregate gap dense")(x)
    with pytest.raises(tg.NetworkError, match="Aggregate needs the nodes of a graph"):
        tg.NTK("dense aggregate dense")(np.ones((2, 3)))
    with pytest.raises(tg.InputError, match=r"the fused engine cannot.*inputs have edges"):
        tg.NTK(k.net, engine="fused")(x)
    with pytest.raises(tg.InputError, match="X is ndarray and Y Graphs; pass both as"):
        k(X, x)
    with pytest.raises(tg.InputError, match="X has inputs of shape"):
        k(x, tg.Graphs(X[..., :2], EDGES))
    with pytest.raises(tg.InputError, match="too short for Conv"):
        tg.NTK("conv3:pad=valid relu gap dense")(tg.Masked(sequences()))
    branches = tg.NTK("sum(conv2:pad=valid,stride=2 | conv1 sub2) gap dense")
    with pytest.raises(tg.NetworkError, match="branches of Sum leave other positions masked"):
        branches(tg.Masked(sequences()).on((6,)))
    with pytest.raises(tg.InputError, match="give one that holds them"):
        tg.NTK("conv3 relu gap dense", input_shape=(3, 3))(tg.Masked(X, NONE))


@pytest.mark.parametrize("name", ["Masked", "Graphs"])
def test_what_takes_arrays_alone_refuses_them_by_name(name):
    x = tg.Masked(X, NONE) if name == "Masked" else tg.Graphs(X, EDGES)
    kernel = tg.NTK("conv3 relu gap dense")
    calls = [
        lambda: np.asarray(x),
        lambda: np.sum(x),
        lambda: tg.LayerwiseFeatures(kernel).fit(x),
        lambda: tg.RandomFeatures(kernel).fit(x),
        lambda: tg.finite.build(kernel.net, 4, input_shape=(4, 3), outputs=1)(x),
    ]
    for call in calls:
        with pytest.raises((tg.InputError, TypeError), match=name):
            call()


@pytest.mark.parametrize(("padding", "word"), [(1, "same"), (0, "valid"), (((2, 0),), None)])
def test_numbers_of_zeros_at_the_ends_are_what_they_stand_for(padding, word):
    words = sequences()
    tail = tg.parse("relu gap dense")
    k = tg.NTK(tg.Sequential(tg.Conv(3, padding=padding, bias_std=0.1), tail))
    x = tg.Masked([words[0], words[2]])
    if word is None:  # a causal convolution
        alone = tg.NTK(k.net, engine="reference")(words[0][None])[0, 0]
        assert k(x)[0, 0] == pytest.approx(alone, rel=1e-13)
    else:
        same = tg.NTK(tg.Sequential(tg.Conv(3, padding=word, bias_std=0.1), tail))
        assert np.allclose(k(x), same(x), rtol=1e-14)
    with pytest.raises(tg.NetworkError, match="depends on the size of the grid"):
        tg.NTK(tg.Sequential(tg.Conv(3, padding=2), tail))(x)


def test_no_inputs_and_rows_of_unequal_length():
    x = tg.Masked(sequences())
    with pytest.raises(tg.InputError, match=r"X is empty: Masked\(0 inputs .*at least one input"):
        tg.NTK("conv3 relu gap dense")(x[10:])
    with pytest.raises(tg.InputError, match="X cannot be read as an array"):
        tg.Masked([[1, 2], [3]], np.zeros((2, 2), dtype=bool))
    for make in (tg.Masked, lambda values, mask: tg.Graphs(values, np.ones((2, 3, 3)), mask)):
        with pytest.raises(tg.InputError, match="mask cannot be read as an array"):
            make(np.ones((2, 3, 1)), [[True, False], [True]])
