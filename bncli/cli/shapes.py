"""`--input-shape` and `--classes`: what a network is built for without data."""

from __future__ import annotations

from typing import Annotated

from bncli.cli.options import option
from bncli.errors import InvalidConfig, shown
from bncli.study.networks import Shapes
from bncli.values import read_whole

InputShapeOption = Annotated[
    str | None, option("--input-shape", metavar="H,W,C|N", help="Shape of one row, in place of a data set.")
]
ClassesOption = Annotated[
    str | None, option("--classes", metavar="N", help="Number of classes, with --input-shape; by default 10.")
]


def typed_shapes(input_shape: str | None, classes: str | None, dataset: str | None) -> Shapes | None:
    """Return the shapes of `--input-shape` and `--classes`; None without them.

    Raises:
        InvalidConfig: They can't be read, or contradict `--dataset`.
    """
    if input_shape is None:
        if classes is not None:
            raise InvalidConfig("--classes goes with --input-shape; a data set has its own classes.")
        return None
    if dataset is not None:
        raise InvalidConfig("--input-shape stands in place of --dataset. Give one of them.")
    try:
        shape = tuple(read_whole(part, 1, 1_000_000) for part in input_shape.replace("x", ",").split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 2, 3):
        raise InvalidConfig(
            f"--input-shape must be the whole numbers of one row's shape, such as 28,28,1 for an image or 30 for a "
            f"table. Received: {shown(input_shape)}."
        )
    try:
        return Shapes(shape, read_whole(classes or "10", 2, 100_000))
    except ValueError:
        raise InvalidConfig(f"--classes must be a whole number from 2 to 100000. Received: {shown(classes)}.") from None
