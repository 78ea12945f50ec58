"""Pictures in memory: lists of Pillow's images, and data sets such as those of torchvision."""

import numpy as np
import pytest

import tangency as tg
from tangency.data import DataError, Dataset, load

Image = pytest.importorskip("PIL.Image")

GREY = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8
COLOUR = np.stack([GREY, GREY + 1, GREY + 2], axis=-1)
PICTURES = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]


class Vision:
    """Behaves as a data set of torchvision: items by number, and names of classes."""

    classes = ("cat", "dog")

    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


class Part:
    """Behaves as `torch.utils.data.Subset`."""

    indices = (0,)

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.dataset[index]


def test_images_of_pillow():
    found = load(PICTURES, require_labels=False)
    assert found.X_train.shape == (2, 5, 6, 3)
    assert np.array_equal(found.X_train[0], COLOUR / 255)
    assert found.y_train is None


def test_pictures_read_as_files_do(tmp_path):
    (tmp_path / "a").mkdir()
    for name, image in (
        ("palette", PICTURES[0].quantize(8)),
        ("black", Image.fromarray(GREY > 90)),
    ):
        image.save(tmp_path / "a" / "1.png")
        in_memory = load([image], require_labels=False, dtype="float32")
        assert np.array_equal(in_memory.X_train, load(tmp_path, dtype="float32").X_train), name
    with pytest.raises(DataError, match="pictures, item 0: pixels of kind 'F', without a fixed"):
        load([PICTURES[0].convert("F")], require_labels=False)


def test_pairs_give_labels_and_names():
    found = load(Vision([(PICTURES[0], 1), (PICTURES[1], np.int64(0))]))
    assert found.y_train.tolist() == [1, 0]
    assert found.class_names == ("cat", "dog")
    assert found.name == "Vision"
    named = load(list(zip(PICTURES, ["owl", "ant"], strict=True)))
    assert named.y_train.tolist() == ["owl", "ant"]
    assert named.class_names is None
    part = Vision([(PICTURES[0], 1)])
    assert load(Part(part)).class_names == ("cat", "dog")


class Swapped:
    """Gives other labels than the data set that it holds."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return 2

    def __getitem__(self, index):
        image, label = self.dataset[index]
        return image, 1 - label


def test_names_are_left_out_where_labels_may_be_others():
    whole = Vision([(PICTURES[0], 1), (PICTURES[1], 0)])
    found = load(Swapped(whole))
    assert found.y_train.tolist() == [0, 1]
    assert found.class_names is None
    whole.target_transform = lambda label: 1 - label
    assert load(whole).class_names is None
    whole.target_transform = None
    assert load(whole).class_names == ("cat", "dog")


def test_arrays_keep_their_order_and_scale():
    floats = load([(COLOUR / 2.0, 0), (COLOUR / 4.0, 1)])
    assert np.array_equal(floats.X_train[1], COLOUR / 4.0)
    whole = load([(GREY, 0), (GREY, 1)])
    assert np.array_equal(whole.X_train[0, ..., 0], GREY / 255)
    deep = load([(GREY, 0), (GREY.astype(np.uint16) * 257, 1)])
    assert np.array_equal(deep.X_train[0], deep.X_train[1])


def test_tensors_are_moved_to_channels_last():
    torch = pytest.importorskip("torch")
    first = torch.tensor(np.moveaxis(COLOUR, -1, 0).copy())
    pairs = Vision([(first, torch.tensor(0)), (first, torch.tensor(1))])
    found = load(pairs)
    assert np.array_equal(found.X_train[0], COLOUR / 255)
    assert found.y_train.tolist() == [0, 1]
    last = load([(torch.tensor(COLOUR), 0)])
    assert np.array_equal(last.X_train[0], COLOUR / 255)
    doubtful = [(torch.zeros(3, 5, 4), 0)]
    with pytest.raises(DataError, match=r"shape \(3, 5, 4\) may have their channels first or last"):
        load(doubtful)
    assert load([(torch.zeros(3, 5, 4, 6), 0)]).X_train.shape == (1, 5, 4, 6, 3)
    with pytest.raises(DataError, match=r"shape \(1, 4, 4, 4\) may have their channels first"):
        load([(torch.zeros(1, 4, 4, 4), 0)])
    assert load(doubtful, channels="first").X_train.shape == (1, 5, 4, 3)
    assert load(doubtful, channels="last").X_train.shape == (1, 3, 5, 4)


@pytest.mark.parametrize("order", [1, -1])
def test_tensors_among_others_are_refused(order):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(COLOUR)
    for other in (COLOUR, PICTURES[0]):
        given = [(tensor, 0), (other, 1)][::order]
        with pytest.raises(DataError, match=r"some are tensors, .* and some (arrays|pictures)"):
            load(given)
        assert np.array_equal(load(given, channels="last").X_train[0], COLOUR / 255)


@pytest.mark.parametrize("channels", ["first", "none"])
def test_channels_of_pictures_are_known(channels, tmp_path):
    PICTURES[0].save(tmp_path / "1.png")
    for source in (PICTURES, tmp_path):
        with pytest.raises(DataError, match=rf"channels last; channels='{channels}' is for arrays"):
            load(source, channels=channels, require_labels=False)


class Loader:
    dataset = Vision([])

    def __iter__(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ([], "pictures: there are no items in it"),
        ([PICTURES[0], PICTURES[1].resize((3, 2))], "item 1: 3x2 pixels in colour, but item 0 is"),
        ([PICTURES[0], PICTURES[1].convert("L")], r"item 1: 6x5 pixels in grey.*image.convert"),
        ([(PICTURES[0], 1), PICTURES[1]], "some items have a label and some have none"),
        ([(PICTURES[0], 1, 2)], r"item 0 is a tuple of 3; expected a picture, or a pair"),
        ([(PICTURES[0], {"boxes": []})], "item 0: its label is .*; expected one number or name"),
        ([{"image": PICTURES[0]}], r"item 0 is a dictionary of 'image'; pass pairs"),
        (["a.png"], "item 0 is 'a.png'; expected a picture"),
        (list(zip(PICTURES, [1, "1"], strict=True)), "texts and other values, such as '1' and 1"),
        (list(zip(PICTURES, [2**63, -1], strict=True)), "whole numbers too large for one type"),
        ([(COLOUR, 0), (COLOUR / 255, 1)], "item 1: numbers of type float64, but item 0 has uint8"),
        (Loader(), "Loader: gives batches; pass the data set in it, its .dataset"),
        (iter(PICTURES), r"its items have no numbers; pass list\(…\) of it"),
        (PICTURES, "no labels for its 2 examples"),
        (COLOUR, r"must be a path or a name, got .*; arrays go into Dataset\(X, y\)"),
    ],
    # Pictures show where they lie in memory: workers must collect the same names.
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_refused(source, told):
    with pytest.raises(DataError, match=told):
        load(source)


class Named:
    """As a group of HDF5: arrays by their names, and a length."""

    def keys(self):
        return {"X": 0}.keys()

    def __len__(self):
        return 1

    def __getitem__(self, name):
        return {"X": COLOUR}[name]


def test_what_holds_arrays_by_name_is_told_to_take_them_out(tmp_path):
    np.savez(tmp_path / "a.npz", X=COLOUR)
    with np.load(tmp_path / "a.npz") as archive:
        for source in (archive, Named(), {"X": COLOUR}):
            with pytest.raises(DataError, match=r"as in Dataset\(source\['X'\], source\['y'\]\)"):
                load(source)


def test_options_of_files_are_refused():
    with pytest.raises(DataError, match=r"are for files; give pairs, as in list\(zip"):
        load(PICTURES, labels="labels.npy")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (PICTURES, "X holds images of Pillow"),
        (PICTURES[0], "X is an image of Pillow"),
        ([(PICTURES[0], 1)], "X holds pairs of a picture and a label"),
        (Vision([(PICTURES[0], 1)]), "X holds pairs of a picture and a label"),
        (Vision([(GREY, 1)]), "X holds pairs of a picture and a label"),
        ("pictures", "X is the text 'pictures'"),
        (Dataset(np.ones((2, 3)), np.arange(2)), "X is a Dataset; pass its X_train"),
    ],
    ids=["list", "one", "pairs", "dataset", "arrays", "path", "own"],
)
def test_kernels_and_models_say_how_to_read_them(data, told):
    for call in (
        tg.NTK("flatten dense"),
        lambda X: tg.KernelRegressor(tg.NTK("dense")).fit(X, [0]),
    ):
        with pytest.raises(tg.InputError, match=told):
            call(data)


def test_a_folder_of_pictures_without_classes(tmp_path):
    for number, image in enumerate(PICTURES):
        image.save(tmp_path / f"{number}.png")
    found = load(tmp_path, require_labels=False)
    assert np.array_equal(found.X_train[0], COLOUR / 255)
    assert found.y_train is None
    with pytest.raises(DataError, match=r"no labels for its 2 examples.*one folder of images per"):
        load(tmp_path)
    PICTURES[1].resize((2, 2)).save(tmp_path / "9.png")
    with pytest.raises(DataError, match=r"9.png: 2x2 pixels in colour, but .*0.png is 6x5"):
        load(tmp_path, require_labels=False)
