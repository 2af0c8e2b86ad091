"""Folders of images."""

import numpy as np
import pytest
from datafiles import error_text, load
from PIL import Image

from bncli.data import reading
from bncli.data.images import SUFFIXES
from bncli.errors import DataError


def write(path, size=(4, 3), mode="RGB", value=0):
    """An image of one value, except for its first pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size, value)
    image.putpixel((0, 0), 1 if mode in ("1", "L", "P", "I;16") else (255, 9, 0, 255)[: len(image.getbands())])
    image.save(path)
    return path


def pets(folder, suffix=".png", n_each=4, **options):
    for kind in ("dog", "cat"):
        for number in range(n_each):
            write(folder / kind / f"{number}{suffix}", **options)
    return f"images:{folder}"


@pytest.mark.parametrize("suffix", [".png", ".BMP", ".tif", ".ppm", ".gif"])
def test_a_folder_of_images_is_data(tmp_path, suffix):
    data = load(pets(tmp_path / "pets", suffix), scaling="none")
    assert (data.input_shape, data.class_names) == ((3, 4, 3), ("cat", "dog"))
    assert (len(data.y_train), len(data.y_val)) == (6, 2)
    assert data.notices == ()
    np.testing.assert_allclose(data.x_train[0, 0, 0], [255, 9, 0], atol=0)


def test_pixels_are_divided_by_255(tmp_path):
    data = load(pets(tmp_path / "pets"))
    assert (data.scaling, data.x_train.max()) == ("unit", 1)


def test_grey_images_have_one_channel_unless_others_have_colours(tmp_path):
    assert load(pets(tmp_path / "grey", mode="L")).input_shape == (3, 4, 1)
    assert load(pets(tmp_path / "black and white", mode="1")).input_shape == (3, 4, 1)
    pets(tmp_path / "mixed", mode="L")
    write(tmp_path / "mixed" / "dog" / "x.png", mode="RGBA")
    assert load(f"images:{tmp_path}/mixed").input_shape == (3, 4, 3)


def test_other_files_and_hidden_ones_are_left_out(tmp_path):
    name = pets(tmp_path / "pets")
    (tmp_path / "pets" / "README.md").write_text("pets")
    (tmp_path / "pets" / "dog" / "list.txt").write_text("0.png")
    write(tmp_path / "pets" / ".cache" / "0.png", size=(9, 9))
    write(tmp_path / "pets" / "cat" / "._0.png", size=(9, 9))
    data = load(name)
    assert len(data.y_train) + len(data.y_val) == 8


def test_the_split_is_drawn_by_the_data_seed_whatever_the_order_of_files(tmp_path):
    name = pets(tmp_path / "pets", n_each=8)
    assert load(name, data_seed=0).fingerprint() == load(name).fingerprint()


def test_images_of_several_sizes(tmp_path):
    name = pets(tmp_path / "pets")
    other = write(tmp_path / "pets" / "cat" / "2.png", size=(5, 3))
    assert error_text(DataError, load, name) == (
        f"'{tmp_path}/pets' has images of 2 sizes, but a network takes one: 7 of 8 have 4x3 pixels; '{other}', for "
        "one, has 5x3. Resize them, e.g. with ImageMagick: mogrify -resize '4x3!' FILES."
    )


def test_images_of_16_bits(tmp_path):
    path = write(tmp_path / "pets" / "cat" / "0.png", mode="I;16")
    name = pets(tmp_path / "pets", suffix=".bmp")
    assert error_text(DataError, load, name) == (
        f"'{path}' has pixels of another kind than 8 bits (mode I;16). Convert it, e.g. with Pillow: "
        "Image.open(...).convert('L')."
    )


@pytest.mark.parametrize(
    ("folders", "received"),
    [([], "0 subfolders"), (["cat"], "no images in cat"), (["cat", "dog"], "no images in cat, dog")],
)
def test_folders_that_are_no_classes(tmp_path, folders, received):
    for name in folders:
        (tmp_path / "pets" / name).mkdir(parents=True)
    (tmp_path / "pets").mkdir(exist_ok=True)
    assert error_text(DataError, load, f"images:{tmp_path}/pets") == (
        f"'{tmp_path}/pets' needs two or more subfolders, one per class, each with images ({', '.join(SUFFIXES)}). "
        f"Received: {received}."
    )


@pytest.mark.parametrize("name", ["absent", "file", "", "nul\0"])
def test_what_is_no_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    shown = name.replace("\0", r"\x00")
    assert error_text(DataError, load, f"images:{name}") == (
        f"No folder '{shown}'. Give the path of a folder that has a subfolder of images per class."
    )


def test_files_that_are_no_images(tmp_path):
    name = pets(tmp_path / "pets")
    path = tmp_path / "pets" / "cat" / "3.png"
    path.write_bytes(path.read_bytes()[:40])
    assert error_text(DataError, load, name).startswith(f"'{path}' can't be read as an image: ")
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0")  # Pillow runs Ghostscript for it
    assert error_text(DataError, load, name).startswith(f"'{path}' can't be read as an image: cannot identify image")


def test_too_many_pixels_are_refused_before_they_are_read(tmp_path, monkeypatch):
    name = pets(tmp_path / "pets", size=(40, 30))
    monkeypatch.setattr(reading, "MAX_BYTES", 100_000)
    assert "its 8 images as float32 would take " in error_text(DataError, load, name)


def test_a_folder_that_may_not_be_searched(locked_folder):
    message = error_text(DataError, load, f"images:{locked_folder}")
    assert message == f"Can't look into '{locked_folder}': Permission denied."
