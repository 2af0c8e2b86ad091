"""The fields of training: the oracle against `fit` as a tutorial writes it, and the engines against each other."""

import keras
import numpy as np
import pytest
from engines.tiny_runs import check_engines_agree, circles, seeded, tiny, train

from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines.method import group
from bncli.networks.network import network_of

SGD = {"optimizer": "sgd", "lr": 0.5}


def plain_fit(config, optimizer, **compiled):
    """The same training as a tutorial writes it: arrays in, no shuffling."""
    data = datasets.load(config)
    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    loss = "binary_crossentropy" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
    model.compile(optimizer, **{"loss": loss, "metrics": ["accuracy"]} | compiled)
    sizes = {"batch_size": config.batch_size, "epochs": config.epochs}
    rows = {"validation_data": (data.x_val, data.y_val), "validation_batch_size": 512}
    return model.fit(data.x_train, data.y_train, shuffle=False, verbose=0, **sizes, **rows).history


def check_oracle_is(config, optimizer, names=("loss", "accuracy", "val_loss", "val_accuracy"), **compiled):
    (result,) = train(oracle, [config])
    expected = plain_fit(config, optimizer, **compiled)
    assert {name: result.history[name] for name in names} == {
        name: pytest.approx(expected[name], rel=1e-5) for name in names
    }


def check_matters(config, **without):
    """The field under test changes the training: else the tests of this file would show nothing."""
    histories = [result.history["loss"] for result in train(oracle, [config, config.replace(**without)])]
    assert not np.allclose(*histories, rtol=1e-3)


DECAYED = {"norm": "batch", "optimizer": "adamw", "lr": 0.05, "weight_decay": 0.5, "shuffle": False}


def test_decay_of_kernels_is_that_of_an_optimizer_with_the_other_weights_excluded():
    config = circles(**DECAYED, decay="kernels")
    optimizer = keras.optimizers.AdamW(0.05, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    check_oracle_is(config, optimizer)
    check_matters(config, decay="all")


@pytest.mark.parametrize("model", ["dense8", "lstm8 dense8"])
def test_engines_agree_on_decay_of_kernels(model):
    check_engines_agree(seeded(tiny(model=model, dataset="digits", decay="kernels", **DECAYED)))


def test_clipnorm_is_keras_own():
    config = circles(**SGD, norm="batch", clipnorm=0.05, shuffle=False)
    check_oracle_is(config, keras.optimizers.SGD(0.5, clipnorm=0.05))
    check_matters(config, clipnorm=0.0)


def test_engines_agree_on_runs_that_are_clipped_differently_in_one_stack():
    runs = [circles(**SGD, norm="batch", clipnorm=clipnorm) for clipnorm in (0.02, 0.2)]
    assert group(runs) == [runs]
    check_engines_agree(runs)
