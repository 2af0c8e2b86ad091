"""Make cases of what the user names: a saved model, a function, a spec."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.diagnosis.case import Case, Training, looks_trained
from bncli.networks import norms
from bncli.networks.file import FileNetwork
from bncli.networks.naming import fresh_names
from bncli.networks.network import network_of
from bncli.networks.saved import saved_training
from bncli.training.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Subject:
    """What is to be diagnosed.

    Attributes:
        config: A run of the network: its model, arm and training.
        input_shape: The shape of one row.
        n_classes: The number of classes.
        dataset: Data to measure it on, scaled as it needs them; None for a diagnosis without data.
        epochs: How long a saved model was trained, if the user says so; its file may know better.
        batch_size: Samples per batch in the training of a saved model, if the user says so.
    """

    config: RunConfig
    input_shape: tuple[int, ...]
    n_classes: int
    dataset: Dataset | None = None
    epochs: int | None = None
    batch_size: int | None = None


def as_it_is(config: RunConfig) -> RunConfig:
    """Return a run that keeps a network as its user has it: the weights of a file, the normalizations of a function.

    Specs and functions that ask for their normalizations get batch normalization, unless the run has another.
    """
    network = network_of(config.model)
    if isinstance(network, FileNetwork):
        return config.replace(norm=norms.AS_IS, keep_weights=True)
    if config.norm != norms.NONE:
        return config
    return config.replace(norm=norms.AS_IS if network.rewrites else "batch")


def case_of(subject: Subject) -> Case:
    """Build a network and measure it on its data, if there is some.

    Raises:
        InvalidConfig: The network can't be built.
    """
    importlib.import_module("bncli.backend")
    config, data = subject.config, subject.dataset
    model = built(config, subject.input_shape, subject.n_classes)
    training = training_of(subject)
    is_trained = _is_trained(subject, model, training)
    if data is None:
        return Case(model, training, is_trained)
    from bncli.diagnosis.readings import take_readings

    return Case(model, training, is_trained, take_readings(model, data, training.batch_size))


def _is_trained(subject: Subject, model: keras.Model, training: Training) -> bool:
    """Whether the weights were trained; those of a function whose weights the seed decides were drawn."""
    network = network_of(subject.config.model)
    if isinstance(network, FileNetwork):
        return looks_trained(model) or bool(training.n_steps)
    return looks_trained(model) and bool(network.fixed_layers(subject.config, subject.input_shape, subject.n_classes))


def built(config: RunConfig, input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
    """Return the network of a run with its initial weights, and with layer names as in a process of its own.

    Raises:
        InvalidConfig: It can't be built.
    """
    from bncli.engines.base import dtype_policy

    with fresh_names(), dtype_policy(config.dtype):
        return network_of(config.model).build(config, input_shape, n_classes, config.seed)


def training_of(subject: Subject) -> Training:
    """Return what is known of a network's training: of a file what is in it, else what its run would do."""
    config, rows = subject.config, None if subject.dataset is None else len(subject.dataset.y_train)
    network = network_of(config.model)
    if not isinstance(network, FileNetwork):
        decay = OPTIMIZERS[config.optimizer].weight_decay if config.weight_decay is None else config.weight_decay
        decays = decay > 0 and config.decay == "all"
        return Training(_n_steps(rows, config.batch_size, config.epochs), config.batch_size, rows, decays)
    saved = saved_training(network.path)
    size = subject.batch_size or saved.batch_size
    steps = saved.n_steps or _n_steps(rows, size, subject.epochs)
    decays_norms = saved.weight_decay > 0 and saved.decay in (None, "all")
    return Training(steps, size, rows, decays_norms, is_decay_sure=saved.decay is not None)


def _n_steps(rows: int | None, batch_size: int | None, epochs: int | None) -> int | None:
    return epochs * math.ceil(rows / batch_size) if rows and batch_size and epochs else None
