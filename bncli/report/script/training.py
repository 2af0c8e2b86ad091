"""The lines of a script that train a run's network, measure it, and print its numbers beside the recorded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.tables import task_of
from bncli.config import RunConfig
from bncli.probes.population import moving_averages, n_batches
from bncli.report.script.code import Writer
from bncli.results import RunResult
from bncli.tasks.metrics import POPULATION, history_metrics
from bncli.tasks.task import CLASSIFICATION, REGRESSION, TASKS
from bncli.training.optimizers import SHIFTS_AND_SCALES

if TYPE_CHECKING:
    import keras

_BATCHES = '''\
def batches():
    """Yield the batches of all epochs; every epoch has an order of its own."""
    for epoch in range({epochs}):
        order = {order}
        for start in range(0, len(order), {batch_size}):
            rows = order[start : start + {batch_size}]
            yield x_train[rows], y_train[rows]{weights}
'''

_WEIGHTS = """\
# Weights of rows, by which every class counts alike
counts = np.bincount(y_train, minlength={n_classes})
weights = len(y_train) / ({n_classes} * np.maximum(counts, 1))  # every class counts alike
weights = weights.astype("float32")[y_train]"""

_SHUFFLED = 'np.random.default_rng(derive("order", epoch)).permutation(len(x_train))'

_STOPS = """\
stop = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", not np.isfinite(logs["loss"]))
)"""
"""What ends a run that diverges, after the epoch in which it does."""

_RATE = '''\
class Rate(optimizers.schedules.LearningRateSchedule):
    """The learning rate after `step` updates."""

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        done = keras.ops.maximum(step - {n_warmup}, 0) / {n_after}
        return {lr} * keras.ops.where(step < {n_warmup}, step / {n_rising}, {factor})

'''

_FACTORS = {
    "constant": "1.0",
    "step": "keras.ops.where(done < 0.5, 1.0, keras.ops.where(done < 0.75, 0.1, 0.01))",
    "exponential": "keras.ops.power(0.01, done)",
}
"""The schedules that are no Keras class with a warm-up, as factors on the rate; `done` is a share of the training."""

_BINARY_ACCURACY = """\
def accuracy(y, predicted):
    y = keras.ops.reshape(y, (-1, 1))
    return keras.ops.cast((keras.ops.cast(y, "float32") > 0.5) == (predicted > 0.5), "float32")[:, 0]
"""

_POPULATION = """\
# Population statistics: BatchNormalization gets the means over {count} batches in place of its moving averages
found = [layer for layer in {layers} if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
for norm in found:
    norm.momentum = 0.0  # so that its averages are the statistics of the last batch
averages, seen = [value for norm in found for value in (norm.moving_mean, {spread})], []
order = np.random.default_rng(derive("order", {epochs})).permutation(len(x_train))
for rows in order[:{n_rows}].reshape({count}, -1):
    model(x_train[rows], training=True)
    seen.append([value.numpy() for value in averages])
for value, *of_batches in zip(averages, *seen):
    value.assign(np.mean(of_batches, axis=0)){variances}
history["population_val_loss"], history["population_val_{score}"] = zip(model.evaluate(x_val, y_val, verbose=0))"""


_RENORM = {
    "spread": "norm.moving_stddev if norm.renorm else norm.moving_variance",
    "variances": """
for norm in found:
    if norm.renorm:  # its variance is made of its average standard deviation
        norm.moving_variance.assign(keras.ops.relu(keras.ops.square(norm.moving_stddev) - norm.epsilon))""",
}

_PLAIN = {"spread": "norm.moving_variance", "variances": ""}
"""What the statistics are means of, and the lines that follow, with batch renormalization and without it."""


def training_lines(result: RunResult, model: keras.Model, n_rows: int, layers: str, writer: Writer) -> list[str]:
    """Return the lines.

    Args:
        result: The run.
        model: Its network.
        n_rows: The number of training rows.
        layers: The code for the layers of `model`.
        writer: Writes the optimizer.
    """
    from bncli.engines.rates import steps_per_epoch

    config, diverges = result.config, result.state == "diverged"
    order = _SHUFFLED if config.shuffle else "np.arange(len(x_train))"
    loss, labels = _labels(config, model)
    callbacks = ["stop"] if diverges else []
    if config.patience:
        callbacks.append(f'keras.callbacks.EarlyStopping("val_loss", patience={config.patience})')
    called_back = f"callbacks=[{', '.join(callbacks)}], " if callbacks else ""
    is_weighted = config.class_weight != "none" and task_of([config]) == CLASSIFICATION
    sizes = {"epochs": config.epochs, "batch_size": config.batch_size}
    lines = [
        "# The training",
        _BATCHES.format(**sizes, order=order, weights=", weights[rows]" if is_weighted else ""),
        "",
        *([_WEIGHTS.format(n_classes=max(model.output_shape[-1], 2))] if is_weighted else []),
        *labels,
        *_optimizer(config, n_rows, writer),
        f"model.compile(optimizer, {loss}, jit_compile=False)",
        *([_STOPS] if diverges else []),
        "history = model.fit(",
        f"    batches(), steps_per_epoch={steps_per_epoch(config, n_rows)}, epochs={config.epochs}, shuffle=False,",
        f"    validation_data=(x_val, y_val), {called_back}verbose=2,",
        ").history",
    ]
    averages = moving_averages(model)
    has_averages = bool(averages) and not diverges
    if has_averages:
        lines += ["", _population(config, n_rows, layers, _RENORM if averages.deviations else _PLAIN)]
    return lines + _printing(result, has_averages=has_averages)


def _labels(config: RunConfig, model: keras.Model) -> tuple[str, list[str]]:
    """The loss and the metrics, as arguments of `compile`, and the lines that smooth the labels."""
    from bncli.engines.criterion import Criterion

    n_outputs, share = model.output_shape[-1], config.label_smoothing
    criterion = Criterion(task_of([config]), config.loss)
    loss = criterion.keras_name(n_outputs, is_soft=share > 0)
    if criterion.task == REGRESSION:
        return f'"{loss}", metrics=[keras.metrics.R2Score(name="r2")]', []
    if share and n_outputs == 1:
        lines = [_BINARY_ACCURACY, f"y_train = y_train * (1 - {share}) + {share} / 2  # smoothed, in training only"]
        return f'"{loss}", metrics=[accuracy]', ["", *lines]
    lines = []
    if criterion.takes_shares(n_outputs, is_soft=share > 0):
        lines.append(f'y_train, y_val = (np.eye({n_outputs}, dtype="float32")[y] for y in (y_train, y_val))')
    if share:
        lines.append(f"y_train = y_train * (1 - {share}) + {share} / {n_outputs}  # smoothed, in training only")
    return f'"{loss}", metrics=["accuracy"]', lines


def _optimizer(config: RunConfig, n_rows: int, writer: Writer) -> list[str]:
    from bncli.engines.base import make_optimizer
    from bncli.engines.rates import is_constant

    text = writer.write(make_optimizer(config, config.lr))
    rate, lines = ("", []) if is_constant(config) else _rate(config, n_rows)
    text = text.replace(f"learning_rate={config.lr!r}", f"learning_rate={rate}") if rate else text
    lines = [*lines, f"optimizer = {text}"]
    if config.decay == "kernels" and config.weight_decay:
        lines += [
            f"plain = [v for v in model.trainable_variables if len(v.shape) < 2 or v.name in {SHIFTS_AND_SCALES!r}]",
            "optimizer.exclude_from_weight_decay(plain)",
        ]
    return lines


def _rate(config: RunConfig, n_rows: int) -> tuple[str, list[str]]:
    """The code for the learning rate, and the lines that define it."""
    from bncli.engines.rates import steps_per_epoch, warmup_steps

    n_steps, n_warmup = config.epochs * steps_per_epoch(config, n_rows), warmup_steps(config, n_rows)
    if config.schedule != "cosine":
        numbers = {"n_warmup": n_warmup, "n_after": max(n_steps - n_warmup, 1), "n_rising": max(n_warmup, 1)}
        text = _RATE.format(lr=config.lr, factor=_FACTORS[config.schedule], **numbers)
        return "Rate()", ["", *text.splitlines()]
    if n_warmup:
        rising = f"warmup_target={config.lr}, warmup_steps={n_warmup}"
        return f"optimizers.schedules.CosineDecay(0.0, {n_steps - n_warmup}, {rising})", []
    return f"optimizers.schedules.CosineDecay({config.lr}, {n_steps})", []


def _printing(result: RunResult, *, has_averages: bool) -> list[str]:
    names = list(history_metrics(TASKS[task_of([result.config])].score))
    names += [f"{POPULATION}{name}" for name in names if name.startswith("val_")] if has_averages else []
    entries = [f'"{name}": {_rounded(result.metrics.get(name))}' for name in names]
    return [
        f"recorded = {{{', '.join(entries[:4])}}}",
        *([f"recorded |= {{{', '.join(entries[4:])}}}"] if entries[4:] else []),
        "for name, value in recorded.items():",
        '    print(f"{name:24} {history[name][-1]:.6f}, in bncli {value}")',
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _population(config: RunConfig, n_rows: int, layers: str, parts: dict[str, str]) -> str:
    batch_size = min(config.batch_size, n_rows)
    count = n_batches(n_rows, batch_size, config.epochs)
    numbers = {"count": count, "epochs": config.epochs, "n_rows": count * batch_size}
    return _POPULATION.format(layers=layers, score=TASKS[task_of([config])].score, **numbers, **parts)
