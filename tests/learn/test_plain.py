"""Samples and targets that come masked, as tensors, as tables, or as no data at all."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from tangency import NTK, GaussianProcess, InputError, KernelClassifier, KernelRegressor
from tangency.kernels.plain import plain
from tangency.learn import NystromFeatures, RandomFeatures, low_rank
from tangency.learn.plain import plain_targets

X = np.random.default_rng(0).integers(0, 5, (12, 3)).astype(np.float64)
Y = np.arange(12.0)
MASK = np.zeros((12, 3), dtype=bool)
MASK[4, 1] = True
MASKED = np.ma.masked_array(X, MASK)
MODELS = [
    KernelRegressor(alpha=0.1),
    KernelClassifier(alpha=0.1),
    GaussianProcess(noise=0.1),
    NystromFeatures(n_components=3, random_state=0),
    RandomFeatures(n_components=8, random_state=0),
]
LABELS = np.arange(12) % 2
REMEDY = "masked values; impute or drop them, or pass"


def outputs(model, data, y=LABELS):
    fitted = model.fit(data, y)
    return fitted.predict(data) if hasattr(fitted, "predict") else fitted.transform(data)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize(
    "data", [MASKED, list(MASKED), MASKED.reshape(12, 3, 1)], ids=["array", "list", "signals"]
)
def test_masked_samples_are_refused(model, data):
    with pytest.raises(InputError, match=f"X is an array with {REMEDY} X.data"):
        model.fit(data, LABELS)
    model.fit(X, LABELS)
    method = model.predict if hasattr(model, "predict") else model.transform
    with pytest.raises(InputError, match=REMEDY):
        method(data)


@pytest.mark.parametrize("model", MODELS[:3], ids=str)
def test_masked_targets_are_refused(model):
    masked = np.ma.masked_array(LABELS, MASK[:, 1])
    with pytest.raises(InputError, match=f"y is an array with {REMEDY} y.data"):
        model.fit(X, masked)
    with pytest.raises(InputError, match=REMEDY):
        model.fit(X, LABELS).score(X, masked)
    with pytest.raises(InputError, match=f"sample_weight is .* {REMEDY}"):
        model.score(X, LABELS, sample_weight=np.ma.masked_array(Y, MASK[:, 1]))


def test_masked_kernels_diagonals_and_alphas_are_refused():
    def kernel(a, b):
        return np.ma.masked_less(a @ b.T, 1.0)

    for solver in ("eigh", "cg", "nystrom"):
        with pytest.raises(InputError, match=REMEDY):
            KernelRegressor(kernel, solver=solver).fit(X, Y)
    with pytest.raises(InputError, match=REMEDY):
        KernelRegressor("precomputed", alpha=0.1).fit(kernel(X, X), Y)
    with pytest.raises(InputError, match=REMEDY):
        low_rank(lambda i: np.eye(12)[:, i], np.ma.masked_array(Y + 1, MASK[:, 1]), 3)
    with pytest.raises(InputError, match=REMEDY):
        KernelRegressor(alpha=np.ma.masked_array([0.1, 1.0], [True, False])).fit(X, Y)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_mask_that_masks_nothing_changes_nothing(model):
    np.testing.assert_array_equal(outputs(model, np.ma.masked_array(X)), outputs(model, X))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_tensors_of_any_kind_are_read_by_value(model):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(X)
    expected = outputs(model, X)
    for given in (
        tensor.clone().requires_grad_(),
        torch._neg_view(-tensor),
        torch.complex(tensor, -tensor).conj().imag,
        tensor.long(),
        list(tensor.clone().requires_grad_()),
    ):
        np.testing.assert_array_equal(outputs(model, given), expected)
    np.testing.assert_allclose(outputs(model, tensor.bfloat16()), expected, atol=1e-5)
    with pytest.raises(InputError, match=r"X is a sparse tensor; pass X\.to_dense"):
        model.fit(tensor.to_sparse(), LABELS)


@pytest.mark.parametrize("model", MODELS[:3], ids=str)
def test_targets_and_labels_are_tensors_of_any_kind(model):
    torch = pytest.importorskip("torch")
    expected = outputs(model, X, LABELS)
    signs = torch.tensor(LABELS, dtype=torch.float64)
    for given in (signs.clone().requires_grad_(), torch._neg_view(-signs), signs.bfloat16()):
        np.testing.assert_array_equal(outputs(model, X, given), expected)
        assert model.score(X, given) == model.score(X, LABELS)


def test_tables_of_pandas_with_nullable_arrow_and_mixed_columns():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame(X.astype(int), columns=list("abc"))
    kernel, model = NTK("dense relu dense"), KernelRegressor(alpha=0.1)
    for given in (
        table,
        table.convert_dtypes(),
        table.convert_dtypes(dtype_backend="pyarrow"),
        table.astype(object),
        table.astype({"b": "category"}),
    ):
        np.testing.assert_array_equal(kernel(given), kernel(X))
        np.testing.assert_array_equal(outputs(model, given), outputs(model, X))
        assert list(model.fit(given, Y).feature_names_in_) == ["a", "b", "c"]
    mixed = table.assign(b=table.b > 2)
    flags = X.copy()
    flags[:, 1] = X[:, 1] > 2
    np.testing.assert_array_equal(kernel(mixed), kernel(flags))
    np.testing.assert_array_equal(kernel(mixed.convert_dtypes()), kernel(flags))
    missing = table.convert_dtypes()
    missing.iloc[4, 1] = pandas.NA
    with pytest.raises(InputError, match=r"NaN or infinity in 1 of 12 inputs .* number 4"):
        kernel(missing)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(missing, Y)
    for column, kind in (
        (pandas.date_range("2020", periods=12), r"b \(datetime"),
        ([f"w{i}" for i in range(12)], r"b \(str"),
    ):
        with pytest.raises(InputError, match=rf"X has columns that are not numbers: {kind}"):
            kernel(table.assign(b=column))
    with pytest.raises(InputError, match=r"columns that are not numbers: b \(datetime"):
        model.fit(table.assign(b=pandas.date_range("2020", periods=12)), Y)


def test_tables_of_polars():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({name: X[:, i] for i, name in enumerate("abc")})
    kernel, model = NTK("dense relu dense"), KernelRegressor(alpha=0.1)
    decimal = table.with_columns(polars.col("a").cast(polars.Decimal(10, 2)))
    flags = table.with_columns(polars.col("b") > 2)
    for given in (table, decimal):
        np.testing.assert_array_equal(kernel(given), kernel(X))
        np.testing.assert_array_equal(outputs(model, given), outputs(model, X))
    assert np.isfinite(kernel(flags)).all()
    for call in (kernel, lambda data: model.fit(data, Y), lambda data: model.fit(X, data)):
        with pytest.raises(InputError, match=r"is a LazyFrame, a query .* pass [Xy]\.collect\(\)"):
            call(table.lazy())
    with pytest.raises(InputError, match=r"columns that are not numbers: a \(String\)"):
        kernel(table.with_columns(polars.lit("w").alias("a")))
    with pytest.raises(InputError, match="y has no value for 1 of 12 samples"):
        model.fit(X, polars.Series([None, *Y[1:]]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "X is None; pass an array"),
        ({"a": [1.0]}, "X is a dict; pass an array with a row for each sample, such as"),
        (MappingProxyType({"7": X}), "X is a mappingproxy; pass an array with a row for each"),
        ({1.0, 2.0}, "X is a set; pass an array"),
        (iter(X), "X is a .*iterator; pass an array"),
    ],
)
def test_what_is_no_data_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        KernelRegressor(alpha=0.1).fit(data, Y)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", None, *"b" * 10], "no value for 1 of 12 samples .* number 1"),
        (np.array(["a", np.nan, *"b" * 10], dtype=object), "no value for 1 of 12"),
        (np.array(["a", 1, *"b" * 10], dtype=object), "no order among each other, of types int, s"),
    ],
)
def test_labels_that_are_missing_or_mixed_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        KernelClassifier(alpha=0.1).fit(X, labels)


def test_plain_things_stay_what_they_are():
    for data in (X, [[1.0, 2.0]]):
        assert plain(data, "X") is data
    with pytest.raises(InputError, match=r"y is the text 'a.csv'; .*load\('a.csv'\).y_train"):
        plain("a.csv", "y")
    assert plain_targets(Y) is Y
    words = ["a", "b"]
    assert plain_targets(words) is words


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("options", [{}, {"alpha": 0}, {"alpha": 0.1}, {"training_time": 1.0}])
@pytest.mark.parametrize("solver", ["auto", "nystrom"])
def test_samples_of_zeros_predict_the_mean(center, options, solver):
    model = KernelRegressor(NTK("dense relu dense"), solver=solver, center=center, **options)
    model.fit(np.zeros((12, 3)), Y)
    np.testing.assert_array_equal(model.predict(X), np.full(12, Y.mean() * center))
    assert model.rkhs_norm_ == 0.0


@pytest.mark.parametrize(
    "y", [["a", float("nan"), "b"] * 4, ("a", np.float64("nan"), "b") * 4, ["a", None, 1.0] * 4]
)
def test_a_gap_among_names_in_a_list_is_no_class(y):
    with pytest.raises(InputError, match=r"y has no value for 4 of 12 samples.*number 1"):
        KernelClassifier(alpha=0.1).fit(X, y)


def test_nullable_columns_keep_their_labels():
    pandas = pytest.importorskip("pandas")
    large = pandas.Series([2**53, 2**53 + 1, 3] * 4, dtype="Int64")
    assert KernelClassifier(alpha=0.1).fit(X, large).classes_.tolist() == [3, 2**53, 2**53 + 1]
    flags = pandas.Series([True, False] * 6, dtype="boolean")
    assert KernelClassifier(alpha=0.1).fit(X, flags).classes_.dtype == bool


def test_numpys_own_texts_are_labels():
    words = np.array(["cat", "a longer one"] * 6, dtype=np.dtypes.StringDType())
    assert KernelClassifier(alpha=0.1).fit(X, words).classes_.tolist() == ["a longer one", "cat"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["2020", "2021"] * 6, dtype="M8[D]"), "dtype datetime64.*days since a first one"),
        (np.array([1, 2] * 6, dtype="m8[s]"), "dtype timedelta64.*regression needs numbers"),
        (np.zeros(12, dtype=[("a", float)]), "regression needs numbers"),
        (["a", "b"] * 6, "names of classes are for KernelClassifier"),
        ([1, "b"] * 6, "make all of them numbers, or texts .*, which are names of classes"),
        (np.array([b"a", b"b"] * 6), "names of classes are for KernelClassifier"),
    ],
)
@pytest.mark.parametrize("model", [KernelRegressor(alpha=0.1), GaussianProcess(noise=0.1)])
def test_targets_that_are_no_numbers(model, y, message):
    with pytest.raises(InputError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize(
    "y", [[0.5, 1.5] * 6, [10**30, 1] * 6, np.array([b"a", b"b"] * 6)], ids=["0.5", "1e30", "bytes"]
)
def test_labels_that_are_no_classes(y):
    with pytest.raises(InputError, match="label"):
        KernelClassifier(alpha=0.1).fit(X, y)


@pytest.mark.parametrize("labels", [[True, False, True], [3, -1, 7], [2**40, 5, 2**40]])
def test_labels_in_an_array_of_objects(labels):
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5]])
    plainly = KernelClassifier(alpha=0.1).fit(X, np.array(labels))
    boxed = KernelClassifier(alpha=0.1).fit(X, np.array(labels, dtype=object))
    assert boxed.classes_.dtype == plainly.classes_.dtype
    assert np.array_equal(boxed.predict(X), plainly.predict(X))
    assert boxed.score(X, np.array(labels, dtype=object)) == plainly.score(X, labels)


def test_one_class_is_named_as_it_was_given():
    for labels, name in ((np.zeros(3), "0.0"), (np.array(["a"] * 3), "'a'")):
        with pytest.raises(InputError, match=rf"only one class, {name}$"):
            KernelClassifier().fit(np.eye(3), labels)


def test_a_module_of_pytorch_is_no_kernel_function():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"is a module of PyTorch.*tangency\.finite\.empirical"):
        KernelRegressor(torch.nn.Linear(3, 1)).fit(np.eye(3), np.arange(3.0))


def test_sparse_targets_are_refused_in_words():
    sparse = pytest.importorskip("scipy.sparse")
    for y in (sparse.coo_array(np.ones((12, 2))), sparse.csr_matrix(np.ones((12, 2)))):
        for model in (KernelRegressor(alpha=0.1), KernelClassifier(alpha=0.1)):
            with pytest.raises(InputError, match=r"y is a sparse matrix; pass y.toarray\(\)"):
                model.fit(X, y)


@pytest.mark.parametrize("other", [1, 1.0, True])
def test_texts_and_numbers_are_no_labels_together(other):
    # NumPy makes one class of 1 and "1".
    for y in ([other, "1", "2"] * 4, ("2", other, "1") * 4):
        with pytest.raises(InputError, match=r"y holds texts and other values, such as '.' and "):
            KernelClassifier(alpha=0.1).fit(X, y)
