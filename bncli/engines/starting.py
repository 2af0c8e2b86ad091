"""The network of a run as it is before training."""

from __future__ import annotations

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.criterion import Criterion
from bncli.engines.inference import Inference
from bncli.networks.network import network_of
from bncli.networks.norms import RECALIBRATED
from bncli.networks.own import batch_norms, freeze, statistics_of


def built(config: RunConfig, dataset: Dataset) -> keras.Model:
    """Build the network of a run for its data; the statistics of the arm `recalibrated` come from the training rows."""
    model = network_of(config.model).build(config, dataset.input_shape, dataset.n_classes, config.seed)
    if config.norm == RECALIBRATED:
        recalibrate(model, config, dataset)
    return model


def recalibrate(model: keras.Model, config: RunConfig, dataset: Dataset) -> None:
    """Give frozen batch normalizations population statistics under the weights that the model has.

    They are the same for every seed.
    """
    for layer in batch_norms(model):
        layer.trainable = True  # else there is nothing to estimate
    inference = Inference(model, dataset, Criterion(dataset.task, config.loss))
    found = inference.population(config.with_seed(0))
    statistics = statistics_of(model)
    for variable, value in zip(model.non_trainable_variables, found, strict=True):
        if id(variable) in statistics:
            variable.assign(value)
    freeze(model)
