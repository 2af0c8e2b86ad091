"""Folders of images: a subfolder per class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.columns import listed
from bncli.data.reading import check_size, is_file, quoted, reading
from bncli.data.splits import LabelledRows
from bncli.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Pillow's names of the formats; it has others, some of which call other programs."""

GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
"""Pillow's modes of images of 8 bits: those with one channel, and those with several."""


def read_images(folder: str) -> LabelledRows:
    """Read a folder that has a subfolder of images for each class; all images must have one size.

    Images are grey if all are, else RGB; transparency is ignored. Hidden files and folders are left out.

    Args:
        folder: Path of the folder.

    Raises:
        DataError: There is no such folder, a file can't be read, or sizes differ.
    """
    import numpy as np

    paths = _paths(folder)
    headers = [_header(path) for path in paths]
    sizes = Counter(size for size, _ in headers)
    if len(sizes) > 1:
        _refuse_sizes(folder, paths, [size for size, _ in headers], sizes)
    mode = "L" if all(mode in GREY for _, mode in headers) else "RGB"
    width, height = headers[0][0]
    check_size(quoted(folder), 4 * len(paths) * width * height * len(mode), f"its {len(paths):,} images as float32")
    x = np.stack([_pixels(path, mode) for path in paths])
    return LabelledRows(x, np.array([path.parent.name for path in paths]))


def _paths(folder: str) -> list[Path]:
    """The images of a folder, by class and name."""
    try:
        if not folder:
            raise FileNotFoundError
        classes = sorted(path for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [(path, sorted(each for each in path.iterdir() if _is_image(each))) for path in classes]
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # a NUL character is a ValueError
        raise DataError(
            f"No folder {quoted(folder)}. Give the path of a folder that has a subfolder of images per class."
        ) from error
    except OSError as error:
        raise DataError(f"Can't look into {quoted(folder)}: {error.strerror}.") from error
    empty = [path.name for path, images in found if not images]
    if empty or len(found) < 2:
        received = f"no images in {listed(empty)}" if empty else f"{len(found)} subfolders"
        raise DataError(
            f"{quoted(folder)} needs two or more subfolders, one per class, each with images "
            f"({', '.join(SUFFIXES)}). Received: {received}."
        )
    return [path for _, images in found for path in images]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and is_file(path)


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """The width and height of an image, and Pillow's name of its mode."""
    from PIL import Image

    with reading(path, "an image") as file, Image.open(file, formats=FORMATS) as image:
        size, mode = image.size, image.mode
    if mode not in (*GREY, *COLOUR):
        raise DataError(
            f"{quoted(path)} has pixels of another kind than 8 bits (mode {mode}). Convert it, e.g. with Pillow: "
            "Image.open(...).convert('L')."
        )
    return size, mode


def _pixels(path: Path, mode: str) -> np.ndarray:
    """The pixels of an image, shape (height, width, channels)."""
    import numpy as np
    from PIL import Image

    with reading(path, "an image") as file, Image.open(file, formats=FORMATS) as image:
        pixels = np.asarray(image.convert(mode), "uint8")
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _refuse_sizes(
    folder: str, paths: list[Path], sizes: list[tuple[int, int]], counts: Counter[tuple[int, int]]
) -> None:
    (usual, n_usual), *_ = counts.most_common()
    other, size = next((path, size) for path, size in zip(paths, sizes, strict=True) if size != usual)
    raise DataError(
        f"{quoted(folder)} has images of {len(counts)} sizes, but a network takes one: {n_usual:,} of {len(paths):,} "
        f"have {usual[0]}x{usual[1]} pixels; {quoted(other)}, for one, has {size[0]}x{size[1]}. Resize them, e.g. with "
        f"ImageMagick: mogrify -resize '{usual[0]}x{usual[1]}!' FILES."
    )
