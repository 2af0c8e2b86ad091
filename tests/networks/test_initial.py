"""Initial values for another seed, without building another model."""

import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.networks.building import build_model
from bncli.networks.initial import seeded_values

DIGITS = (8, 8, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "conv4 norm pool dropout0.5 flatten dense8", "norm": "batch"},
        {"model": "lstm4*2 dense8", "init_scale": 0.5},
        {"model": "gru4*2 dropout0.3 dense8", "kernel_initializer": "he_normal"},
        {"model": "conv4 dropout0.5 { conv4:s2:same dropout0.2 conv6:same } gap", "norm": "batch", "init_scale": 0.5},
        {"model": "dense8 dropout0 dense8", "kernel_initializer": "orthogonal", "norm": "layer"},
    ],
)
def test_seeded_values_are_those_of_a_model_built_with_that_seed(fields):
    config = RunConfig(**fields)
    first, second = (build_model(config, DIGITS, 10, seed) for seed in (0, 1))
    drawn = seeded_values(first, config, DIGITS, 10, 1)
    assert len(drawn) > 1
    for old, new in zip(first.variables, second.variables, strict=True):
        if id(old) in drawn or "seed_generator" not in old.path:  # Keras draws the seeds that are never used
            np.testing.assert_array_equal(drawn.get(id(old), old), new, err_msg=new.path)


def test_seeded_values_leave_out_what_does_not_depend_on_the_seed():
    config = RunConfig(model="dense8", norm="batch")
    model = build_model(config, DIGITS, 10, 0)
    drawn = seeded_values(model, config, DIGITS, 10, 1)
    paths = {variable.path.partition("/")[2] for variable in model.variables if id(variable) in drawn}
    assert paths == {"dense_0/kernel", "dense_1/kernel"}
