"""A compiled program: it trains stacks of runs that share a graph, one stack after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bncli import timeline
from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.base import OnEpoch, OnModel, compile_afterwards, finished_result
from bncli.engines.graph import Graph, Numbers, State
from bncli.engines.history import Patience, StackHistory
from bncli.engines.method import LANES, MAX_STACK, RATES, Method, epochs_per_call
from bncli.engines.rates import steps_per_epoch, warmup_steps
from bncli.engines.recording import Recording
from bncli.engines.rows import Chunk, evaluation_chunks, order_chunks, population_batches
from bncli.engines.scoring import Ending, Scored, balanced_accuracy, ending_of, of_run, population_parts
from bncli.engines.starting import built
from bncli.networks.network import network_of
from bncli.networks.norms import RECALIBRATED
from bncli.networks.own import statistics_of
from bncli.results import RunResult

NAME = "stacked"

COMPILERS = 2
"""Threads that compile ahead; more of them would only hold more programs in memory."""

_tracing = threading.Lock()
"""Traces one function at a time: Python's lock would slow two down, and both would reach their compiler late."""


class Program:
    """One network on one data set, compiled for stacks of up to `method.n_runs` runs.

    Args:
        runs: Runs that share a graph.
        dataset: Their data.
        method: How they are trained; `stacked.prepare` chooses one.
        probe: Which probes to record; None for none.
        by_epoch: Whether every call trains a single epoch; it does if runs may stop early, or if there are probes.

    Attributes:
        n_epochs: How many epochs a call trains.
    """

    def __init__(
        self,
        runs: Sequence[RunConfig],
        dataset: Dataset,
        method: Method,
        probe: str | None = None,
        *,
        by_epoch: bool = False,
    ) -> None:
        self.config = runs[0]
        self.dataset = dataset
        self.method = method
        self.probe = probe
        with timeline.span("build the network", model=self.config.model, norm=self.config.norm):
            self.graph = Graph(self.config, dataset, method, probe)
        by_epoch = by_epoch or bool(probe) or any(run.patience for run in runs)
        self.n_epochs = 1 if by_epoch else epochs_per_call(self.config, dataset, method)
        self._drawn = lru_cache(maxsize=LANES * MAX_STACK)(self._draw)
        self._compile(runs[: method.n_runs * method.lanes])

    def _compile(self, first_runs: Sequence[RunConfig]) -> None:
        """Call every function once, with no step or one row, so that it compiles; XLA compiles them side by side.

        At the same time, draw the initial values of the runs that train first.
        """
        graph, state = self.graph, self.graph.zeros()
        numbers = self.numbers(self.fill(first_runs[: self.method.n_runs]))
        orders = tf.zeros([self.n_epochs, self.method.n_runs, len(self.dataset.y_train)], tf.int32)
        chunk = next(evaluation_chunks(self.dataset.x_val[:1], self.dataset.y_val[:1]))
        with ThreadPoolExecutor(COMPILERS) as pool:
            calls: list[Future[Any]] = []
            alive = tf.ones([self.method.n_runs], tf.bool)
            nothing = (orders, alive, tf.constant(0.0), tf.constant(0))
            calls.append(pool.submit(_first_call, graph.train_epochs, state, numbers, *nothing))
            calls.append(pool.submit(_first_call, graph.evaluate, *state[:2], *chunk))
            if graph.averages:
                batches = tf.zeros_like(population_batches(self.fill(first_runs[:1]), len(self.dataset.y_train)))
                calls.append(pool.submit(_first_call, graph.population, *state[:2], batches, tf.constant(0)))
            if graph.look:
                calls.append(pool.submit(_first_call, graph.looking, *state[:2]))
            if graph.look and graph.look.landscape:
                calls.append(pool.submit(_first_call, graph.surveying, *state[:2], numbers["lr"]))
            calls += [pool.submit(self._drawn, config.seed, config.init_scale) for config in first_runs]
            for call in calls:
                call.result()

    def run(
        self, configs: Sequence[RunConfig], on_epoch: OnEpoch | None = None, on_model: OnModel | None = None
    ) -> list[RunResult]:
        """Train one stack.

        Args:
            configs: At most `method.n_runs` runs of this graph.
            on_epoch: Called after each epoch with those of `configs` that trained in it, and its number from 1.
            on_model: Called with each run and its trained model.

        Returns:
            One result for each run, in order; each has an equal share of the stack's time.
        """
        started = time.perf_counter()
        recording = self._recording(configs)
        state, history = self._train(configs, on_epoch, recording)
        with timeline.span("scores after training", runs=len(configs)):
            ending = self.ending(configs, state)
        seconds = (time.perf_counter() - started) / len(configs)
        if on_model:
            for index, config in enumerate(configs):
                on_model(config, self.trained_model(config, state, index))
        results = [
            finished_result(config, self.dataset, self.graph.model, own, of_run(ending, index), seconds, NAME)
            for index, (config, own) in enumerate(zip(configs, history.of_runs(len(configs)), strict=True))
        ]
        return recording.joined(results) if recording else results

    def _recording(self, configs: Sequence[RunConfig]) -> Recording | None:
        graph = self.graph
        if graph.look is None:
            return None
        filled, n_rows = self.fill(configs), len(self.dataset.y_train)
        return Recording(graph.look, graph.looking, graph.surveying, filled, n_rows)

    def _train(
        self, configs: Sequence[RunConfig], on_epoch: OnEpoch | None, recording: Recording | None
    ) -> tuple[State, StackHistory]:
        """Train a stack until its last epoch, or until all its runs have ended."""
        filled = self.fill(configs)
        state, history, alive = self.initial_state(filled), StackHistory(self.dataset.score), np.ones(len(filled), bool)
        numbers, patience = self.numbers(filled), Patience([config.patience for config in filled])
        if recording:
            recording.add(*state[:2])
        for first, orders in order_chunks(filled, len(self.dataset.y_train), self.n_epochs):
            last = min(first + self.n_epochs, self.config.epochs)
            with timeline.span(f"epochs {first + 1} to {last}", runs=len(configs)):
                state, values_by_epoch = self.train_epochs(state, numbers, orders, first, alive)
            if recording:
                recording.add(*state[:2])
            for epoch, values in enumerate(values_by_epoch, first + 1):
                history.add(alive, values)
                if on_epoch:
                    on_epoch([config for config, is_alive in zip(configs, alive, strict=False) if is_alive], epoch)
                alive = alive & history.is_finite & ~patience.is_over(values[2])
                if not alive[: len(configs)].any():
                    return state, history
        return state, history

    def train_epochs(
        self, state: State, numbers: Numbers, orders: tf.Tensor, first: int, alive: np.ndarray | None = None
    ) -> tuple[State, list[list[np.ndarray]]]:
        """Train some epochs.

        Args:
            state: The state before.
            numbers: As `numbers` returns them.
            orders: As `order_chunks` yields them, for `n_epochs` epochs.
            first: The number of the first of them, from 0.
            alive: Which runs train, shape (runs,); None for all.

        Returns:
            The state afterwards; by epoch, the values of a history, shape (runs,) each.
        """
        n_epochs = min(self.n_epochs, self.config.epochs - first)
        n_done = float(first * steps_per_epoch(self.config, len(self.dataset.y_train)))
        alive = np.ones(self.method.n_runs, bool) if alive is None else alive
        ends = tf.constant(alive), tf.constant(n_done), tf.constant(n_epochs)
        state, measured = self.graph.train_epochs(state, numbers, orders, *ends)
        return state, list(self._means(measured.numpy()[:n_epochs]))

    def _means(self, measured: np.ndarray) -> Iterator[list[np.ndarray]]:
        """The values of a history after each epoch, shape (runs,) each, of the sums that a graph measures."""
        criterion, y_train, y_val = self.graph.criterion, self.dataset.y_train, self.dataset.y_val
        for loss, marks, val_loss, *val_marks in measured.astype("float64"):
            train = loss / len(y_train), criterion.score(marks / len(y_train), y_train)
            val = val_loss / len(y_val), criterion.score(sum(val_marks) / len(y_val), y_val)
            yield [*train, *val, *([balanced_accuracy(val_marks, y_val)] if self.dataset.is_imbalanced else [])]

    def fill(self, configs: Sequence[RunConfig]) -> list[RunConfig]:
        """Return `configs`, filled up with copies of the last run to `method.n_runs`: the size is compiled in."""
        return [*configs, *[configs[-1]] * (self.method.n_runs - len(configs))]

    def numbers(self, configs: Sequence[RunConfig]) -> Numbers:
        """Return learning rate, momentum and so on of the runs, shape (runs,) each."""
        found = {name: [getattr(config, name) for config in configs] for name in RATES}
        found["warmup"] = [warmup_steps(config, len(self.dataset.y_train)) for config in configs]
        return {name: tf.constant(values, tf.float32) for name, values in found.items()}

    def initial_state(self, configs: Sequence[RunConfig]) -> State:
        """Return the state before training: each run's own weights and dropout seeds, the rest as Keras starts it."""
        drawn = [self._drawn(config.seed, config.init_scale) for config in configs]
        weights, others = (
            [_stack(variable, drawn) for variable in variables]
            for variables in (self.graph.model.trainable_variables, self.graph.model.non_trainable_variables)
        )
        return weights, others, self.graph.slots(weights)

    def _draw(self, seed: int, init_scale: float) -> dict[int, Any]:
        """The initial values, by the `id` of the variable, that depend on seed and scale."""
        config = self.config.replace(init_scale=init_scale)
        shapes = self.dataset.input_shape, self.dataset.n_classes
        values = network_of(config.model).seeded_values(self.graph.model, config, *shapes, seed)
        return values | (self._recalibrated if config.norm == RECALIBRATED else {})

    @cached_property
    def _recalibrated(self) -> dict[int, Any]:
        """The values of the statistics of the arm `recalibrated`, which all runs share."""
        model = built(self.config, self.dataset)
        statistics = statistics_of(model)
        pairs = zip(self.graph.model.variables, model.variables, strict=True)
        return {id(variable): own.value for variable, own in pairs if id(own) in statistics}

    def score(self, state: State, chunks: Iterable[Chunk]) -> Scored:
        """Return how each run answers the rows of all chunks in inference mode."""
        loss = marks = np.zeros(self.method.n_runs)
        answers = []
        for x, y, counts in chunks:
            more_loss, more_marks, predicted = self.graph.evaluate(state[0], state[1], x, y, counts)
            loss, marks = loss + more_loss.numpy(), marks + more_marks.numpy()
            answers.append((y.numpy()[: int(counts.sum())], predicted))
        labels = np.concatenate([y for y, _ in answers])
        return Scored(loss / len(labels), self.graph.criterion.score(marks / len(labels), labels), answers)

    def ending(self, configs: Sequence[RunConfig], state: State) -> Ending:
        """Return how the trained runs answer in inference mode, with moving and with population statistics.

        Args:
            configs: The runs.
            state: Their state after training.
        """
        moving = self._score_parts(state, self.dataset.parts)
        population = self.population_scores(configs, state) if self.graph.averages else moving
        return ending_of(self.dataset, moving, population)

    def population_scores(self, configs: Sequence[RunConfig], state: State) -> dict[str, Scored]:
        """Return how the trained runs answer the parts of the data with population statistics."""
        weights, others, slots = state
        batches = population_batches(self.fill(configs), len(self.dataset.y_train))
        estimated = self.graph.population(weights, others, batches, tf.constant(len(batches)))
        return self._score_parts((weights, estimated, slots), population_parts(self.dataset))

    def _score_parts(self, state: State, parts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Scored]:
        return {part: self.score(state, evaluation_chunks(*rows)) for part, rows in parts.items()}

    def trained_model(self, config: RunConfig, state: State, index: int) -> keras.Model:
        """Return an ordinary Keras model with the trained values of run number `index` of the stack."""
        shapes = self.dataset.input_shape, self.dataset.n_classes
        model = network_of(config.model).build(config, *shapes, config.seed)
        for variables, values in ((model.trainable_variables, state[0]), (model.non_trainable_variables, state[1])):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(tf.cast(value[index], variable.dtype))
        compile_afterwards(model, config, self.graph.criterion)
        return model


def _first_call(function: Any, *arguments: Any) -> None:
    """Trace a function, then compile it; tracing holds Python's lock, so only the compilers run side by side."""
    name = function.python_function.__name__.lstrip("_")
    with _tracing, timeline.span(f"trace {name}"):
        function.get_concrete_function(*arguments)
    with timeline.span(f"compile {name}"):
        function(*arguments)


def _stack(variable: keras.Variable, drawn: Sequence[dict[int, Any]]) -> tf.Tensor:
    """One variable's initial values for all runs, shape (runs, ...)."""
    dtype = variable.value.dtype
    return tf.stack([tf.cast(values.get(id(variable), variable.value), dtype) for values in drawn])
