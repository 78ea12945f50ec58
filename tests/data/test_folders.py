"""Folders of images: classes, parts, depth, and the first image that does not fit."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tangency.data import DataError, DataWarning, load

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_classes_in_alphabetical_order(tmp_path):
    save(tmp_path / "dog/1.png", GREY + 1)
    save(tmp_path / "cat/b.png", GREY + 2)
    save(tmp_path / "cat/a.png", GREY)
    (tmp_path / "cat/.hidden.png").write_bytes(b"")
    (tmp_path / "cat/notes.txt").write_text("not an image")
    found = load(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert found.y_train.tolist() == [0, 0, 1]
    assert found.X_train.shape == (3, 3, 4, 1)
    assert np.array_equal(found.X_train[..., 0], np.stack([GREY, GREY + 2, GREY + 1]) / 255)


def test_training_and_test_folders(tmp_path):
    save(tmp_path / "train/a/1.png", COLOUR)
    save(tmp_path / "train/b/1.png", COLOUR)
    save(tmp_path / "test/b/1.png", COLOUR + 5)
    found = load(tmp_path)
    assert found.X_train.shape == (2, 3, 4, 3)
    assert found.y_test.tolist() == [1]
    assert np.array_equal(found.X_test[0], (COLOUR + 5) / 255)
    save(tmp_path / "test/c/1.png", COLOUR)
    with pytest.raises(DataError, match="class 'c' is not in the training part"):
        load(tmp_path)


def test_sixteen_bits_keep_their_depth(tmp_path):
    deep = GREY.astype(np.uint16) * 5000
    save(tmp_path / "a/1.png", deep)
    assert np.array_equal(load(tmp_path).X_train[0, ..., 0], deep / 65535)


def test_black_and_white_and_palettes(tmp_path):
    save(tmp_path / "a/1.png", GREY > 5)
    assert np.array_equal(load(tmp_path).X_train[0, ..., 0], GREY > 5)
    (tmp_path / "p/a").mkdir(parents=True)
    Image.fromarray(COLOUR).quantize(64).save(tmp_path / "p/a/1.png")
    assert load(tmp_path / "p").X_train.shape == (1, 3, 4, 3)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (GREY[:2], r"b.2\.png: 4x2 pixels in grey, but .*1\.png is 4x3 pixels in grey"),
        (COLOUR, r"b.2\.png: 4x3 pixels in colour, but .*1\.png is 4x3 pixels in grey"),
    ],
)
def test_the_first_odd_image_is_named(tmp_path, odd, message):
    save(tmp_path / "a/1.png", GREY)
    save(tmp_path / "b/2.png", odd)
    save(tmp_path / "b/3.png", odd)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_test_images_of_another_size(tmp_path):
    save(tmp_path / "train/a/1.png", GREY)
    save(tmp_path / "test/a/1.png", GREY[:, :2])
    with pytest.raises(DataError, match="2x3 pixels in grey, but the training images are 4x3"):
        load(tmp_path)


def test_transparency_is_refused(tmp_path):
    save(tmp_path / "a/1.png", np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(DataError, match=r"pixels of kind 'RGBA'.*save it as plain grey or RGB"):
        load(tmp_path)


def test_damaged_image(tmp_path):
    save(tmp_path / "a/1.png", np.random.default_rng(0).integers(0, 255, (30, 30), np.uint8))
    whole = (tmp_path / "a/1.png").read_bytes()
    (tmp_path / "a/1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.png: cannot be read as an image"):
        load(tmp_path)


def test_empty_folders(tmp_path):
    with pytest.raises(DataError, match="neither IDX files nor one folder of images per class"):
        load(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match=r"a: no images in it \(looked for \.png"):
        load(tmp_path)


def test_without_pillow(tmp_path, monkeypatch):
    save(tmp_path / "a/1.png", GREY)

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DataError, match="needs Pillow, which is not installed"):
        load(tmp_path)


def test_equal_brightness_reads_equal_at_any_depth(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    save(tmp_path / "set/train/a/1.png", GREY)
    save(tmp_path / "set/train/a/2.tif", deep)
    save(tmp_path / "set/train/b/1.png", GREY > 5)
    big = Image.frombytes("I;16B", (4, 3), deep.astype(">u2").tobytes())
    big.save(tmp_path / "set/train/b/2.tif")
    save(tmp_path / "set/test/b/1.png", GREY)
    found = load(tmp_path / "set")
    expected = [GREY / 255, GREY / 255, GREY > 5, GREY / 255]
    assert np.array_equal(found.X_train[..., 0], expected)
    assert np.array_equal(found.X_test[0, ..., 0], GREY / 255)
    # As they are: the pictures of 8 bits on the scale of those of 16.
    assert np.array_equal(load(tmp_path / "set", scale=None).X_train[0, ..., 0], deep)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif", "1.webp"])
def test_pictures_are_turned_as_the_camera_noted(tmp_path, name):
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, 16:] = 255
    note = Image.Exif()
    note[0x0112] = 6  # to be turned by a quarter, clockwise
    (tmp_path / "a").mkdir()
    options = {} if name == "1.tif" else {"quality": 100}
    Image.fromarray(wide).save(tmp_path / "a" / name, exif=note, **options)
    found = load(tmp_path).X_train[0]
    assert found.shape == (32, 16, 3)
    np.testing.assert_allclose(found, np.rot90(wide, -1) / 255, atol=0.02)


def test_alpha_that_hides_nothing_is_dropped(tmp_path):
    opaque = np.full((3, 4, 1), 255, np.uint8)
    save(tmp_path / "c/a/1.png", np.concatenate([COLOUR, opaque], axis=2))
    save(tmp_path / "c/b/1.png", COLOUR)
    assert np.array_equal(load(tmp_path / "c").X_train, np.stack([COLOUR, COLOUR]) / 255)
    save(tmp_path / "g/a/1.png", np.concatenate([GREY[..., None], opaque], axis=2))
    assert np.array_equal(load(tmp_path / "g").X_train[0, ..., 0], GREY / 255)


def _grey(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GREY).save(path, **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("1.png", {"transparency": 3}, "'L' with transparency, .* flatten it onto a background"),
        ("1.gif", {"save_all": True, "append_images": [Image.fromarray(GREY + 9)]}, "2 frames"),
        ("1.tif", {"save_all": True, "append_images": [Image.fromarray(GREY + 9)]}, "2 frames"),
        ("1.png", {"save_all": True, "append_images": [Image.fromarray(GREY + 9)]}, "2 frames"),
    ],
)
def test_pictures_that_may_be_seen_in_two_ways_are_refused(tmp_path, name, options, message):
    _grey(tmp_path / "a" / name, **options)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_pixels_without_a_fixed_scale_are_refused(tmp_path):
    for folder, pixels in (("f", GREY.astype(np.float32)), ("i", GREY.astype(np.int32))):
        save(tmp_path / folder / "a/1.tif", pixels)
        with pytest.raises(DataError, match=r"without a fixed scale; .* array \(\.npy, \.npz\)"):
            load(tmp_path / folder)


@pytest.mark.parametrize("inner", ["cat/more", "cat/more/again"])
def test_images_in_folders_within_a_class_are_not_left_out(tmp_path, inner):
    save(tmp_path / "cat/1.png", GREY)
    save(tmp_path / "dog/1.png", GREY)
    save(tmp_path / inner / "2.png", GREY)
    with pytest.raises(DataError, match=r"2\.png: the folder of a class is read without"):
        load(tmp_path)


def test_hidden_folders_within_a_class_are_left_alone(tmp_path):
    save(tmp_path / "cat/1.png", GREY)
    save(tmp_path / "cat/.ipynb_checkpoints/1.png", GREY)
    assert len(load(tmp_path).X_train) == 1


def test_what_is_no_file_is_not_waited_for(tmp_path):
    save(tmp_path / "cat/1.png", GREY)
    os.mkfifo(tmp_path / "cat/2.png")
    with pytest.raises(DataError, match=r"2\.png: is not a readable file"):
        load(tmp_path)


def test_images_beside_the_classes_are_told(tmp_path):
    for place in ("cat/1.png", "dog/1.png", "3.png", "4.png"):
        save(tmp_path / "all" / place, GREY)
    with pytest.warns(
        DataWarning, match=r"2 images lie beside .* classes and are not read, .*3\.png"
    ):
        found = load(tmp_path / "all")
    assert found.class_names == ("cat", "dog")
    assert len(found.X_train) == 2
    for place in ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/5.png"):
        save(tmp_path / "parts" / place, GREY)
    with pytest.warns(DataWarning, match=r"test: 1 images lie beside .* the first is '5\.png'"):
        load(tmp_path / "parts")
    (tmp_path / "all" / "readme.txt").write_text("not an image")
    (tmp_path / "all" / "3.png").unlink()
    (tmp_path / "all" / "4.png").unlink()
    load(tmp_path / "all")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["train/a/1.png", "val/a/1.png"], "holds 'val' beside train; parts are called train and"),
        (["train/a/1.png", "test/a/1.png", "val/a/1.png"], r"load .*train alone"),
        (["test/a/1.png", "test/b/1.png"], r"test: holds no images, but folders with images; if"),
        (["images/a/1.png", "images/b/1.png"], r"load .*images itself; parts of a set are called"),
        (["1.png", "2.png"], r"no labels for its 2 examples; .*one folder of images per class"),
        (["a/1.png", "a/2.heic"], r"2\.heic: cannot be read as an image"),
    ],
)
def test_other_ways_to_lay_out_a_set(tmp_path, places, message):
    for place in places:
        save((tmp_path / place).with_suffix(".png"), GREY)
        (tmp_path / place).with_suffix(".png").rename(tmp_path / place)
    if places[-1].endswith(".heic"):
        (tmp_path / places[-1]).write_bytes(b"no image of Pillow")
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_classes_may_be_called_train_and_val(tmp_path):
    for name in ("car", "train", "val"):
        save(tmp_path / name / "1.png", GREY)
    assert load(tmp_path).class_names == ("car", "train", "val")


def test_other_suffixes_of_the_same_pictures(tmp_path):
    save(tmp_path / "a/1.png", GREY)
    Image.fromarray(GREY).save(tmp_path / "a/2.jfif", format="JPEG")
    Image.fromarray(GREY).save(tmp_path / "a/3.TGA")
    assert len(load(tmp_path).X_train) == 3


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    save(tmp_path / "cat/1.png", GREY)

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"cannot be opened: .*Permission denied"):
        load(tmp_path)
