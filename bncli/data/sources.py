"""Data sets that are named by where they come from: `openml:adult@2`, `images:pets`.

To add a source, register a reader: a function of what follows the colon, whose keyword parameters are the data fields
that it uses, with their defaults, and that returns `LabelledRows`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bncli.data.images import read_images
from bncli.data.openml import fetch
from bncli.data.splits import LabelledRows
from bncli.registry import Registry

REGISTRY: Registry[Callable[..., LabelledRows]] = Registry("source")

FORMS = {"openml": "openml:NAME@VERSION", "images": "images:FOLDER"}
"""How a data set of each source is named."""


@REGISTRY.register("openml")
def openml(reference: str, *, label: str | None = None, drop: str | None = None) -> LabelledRows:
    """A table of openml.org, prepared as tables are; found in the cache or downloaded."""
    return fetch(reference, label, drop)


@REGISTRY.register("images")
def images(folder: str) -> LabelledRows:
    """A folder of images: a subfolder per class, all images of one size."""
    return read_images(folder)


def source_of(name: str) -> str | None:
    """Return the name of the source that a data set's name begins with; None for other names.

    >>> source_of("openml:adult@2"), source_of("digits")
    ('openml', None)
    """
    source, colon, _ = name.partition(":")
    return source if colon and source in REGISTRY else None


def read_source(name: str, fields: dict[str, Any]) -> LabelledRows:
    """Read a data set of a source.

    Args:
        name: Its name, such as `images:pets`.
        fields: The data fields that the source uses.

    Raises:
        DataError: It can't be found or read.
        InvalidConfig: What follows the colon names nothing.
    """
    source, _, rest = name.partition(":")
    return REGISTRY[source](rest, **fields)
