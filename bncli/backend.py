"""Imports TensorFlow and Keras; every module that needs them takes them from here.

TensorFlow's C++ code writes dozens of lines while it starts. They are shown only if the import fails or if they may
explain why a GPU is not used.
"""

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from bncli import process
from bncli.errors import InvalidConfig, first_line, shown
from bncli.values import read_whole

GPU_WORDS = re.compile("cuda|cudnn|cublas|gpu|nvidia|driver|dlopen|dynamic librar|tensorrt", re.IGNORECASE)

FATAL = re.compile(r"F\d{4} ")
"""How a line begins after which TensorFlow ends the process."""

MAX_THREADS = 1024

MAX_CAUGHT = 1 << 20
"""Bytes of start-up lines that are searched for the fatal one."""

WIDE_VECTORS = ("2.21.",)
"""How the versions of TensorFlow begin of which it is known that XLA has the flag for the width of vectors."""

NVIDIA_DRIVER = Path("/proc/driver/nvidia")
"""This folder exists where an NVIDIA driver is loaded: only there can a GPU be missed."""


def gpu_lines(lines: Iterable[str]) -> list[str]:
    """Return those of TensorFlow's start-up lines that concern a GPU or its libraries."""
    return [line for line in lines if GPU_WORDS.search(line)]


def devices() -> list[str]:
    """Return the names of the devices that TensorFlow uses, such as `["CPU:0", "GPU:0"]`."""
    return [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Catch what the block writes to file descriptor 2, as C++ code does; the list has the lines after the block."""
    lines: list[str] = []
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            with _shown_if_it_dies(caught.fileno(), original):
                yield lines
        finally:
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            lines += caught.read().decode(errors="replace").splitlines()


def fatal_lines(text: str) -> list[str]:
    """Return those of TensorFlow's start-up lines after which it ends the process."""
    return [line for line in text.splitlines() if FATAL.match(line)]


@contextmanager
def _shown_if_it_dies(caught: int, original: int) -> Iterator[None]:
    """If TensorFlow ends the process in the block, show why.

    It may call `abort` or `exit`, after which no Python code runs here. A forked process therefore waits for the end
    of the block, and writes the fatal lines if it does not come.

    Args:
        caught: File descriptor that has what was written to stderr.
        original: File descriptor to write to.
    """
    if not (process.is_ours and sys.platform == "linux"):
        yield
        return
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # Python warns of a fork beside threads; this one needs none of their locks
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(writer)
        if not os.read(reader, 1):
            _write_lines(fatal_lines(os.pread(caught, MAX_CAUGHT, 0).decode(errors="replace")), original)
        os._exit(0)
    os.close(reader)
    try:
        yield
    finally:
        os.write(writer, b".")
        os.close(writer)
        os.waitpid(child, 0)


def check_threads() -> None:
    """Check TensorFlow's variables for the number of threads: it aborts at some numbers, and hangs at others.

    Raises:
        InvalidConfig: A variable is not a whole number, is negative, or is too large.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        try:
            read_whole(os.environ.get(name) or "0", 0, MAX_THREADS)
        except ValueError as error:
            raise InvalidConfig(
                f"{name} must be a whole number from 0 to {MAX_THREADS}. Received: {shown(os.environ[name])}. "
                f"Try unset {name}."
            ) from error


def _import_tensorflow() -> None:
    """Import TensorFlow and initialize its devices, and show only those start-up lines that a user needs."""
    check_threads()
    has_driver = NVIDIA_DRIVER.exists()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if has_driver else "3")  # a missing CUDA library is a warning
    _use_wide_vectors()
    process.check_backend()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with captured_stderr() as lines:
            with process.lean_import():
                import keras  # noqa: F401
                import tensorflow as tf
            tf.config.list_logical_devices()
            tf.get_logger().setLevel("ERROR")
    except (AssertionError, AttributeError, TypeError, ValueError) as error:  # what Keras makes of its settings
        raise InvalidConfig(
            f"Keras can't be imported ({type(error).__name__}: {first_line(error)}). Its settings are probably wrong: "
            "the file keras.json in $KERAS_HOME or ~/.keras, and the environment variables KERAS_*. Remove them."
        ) from error
    except Exception:
        _write_lines(lines)
        raise
    if has_driver:
        _write_lines(gpu_lines(lines))


def _use_wide_vectors() -> None:
    """Let XLA use vectors of 512 bits where the processor has them: training is 3 to 9 % faster.

    XLA ends the process at a flag that it does not know, so that only versions that know it get it. A user's own
    choice stays.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    try:
        version = metadata.version("tensorflow")
    except metadata.PackageNotFoundError:  # tensorflow-cpu has the same module under another name
        return
    if version.startswith(WIDE_VECTORS) and "prefer_vector_width" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_prefer_vector_width=512".strip()


def _write_lines(lines: Iterable[str], descriptor: int = 2) -> None:
    os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())


if "tensorflow" not in sys.modules:
    _import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

__all__ = ["captured_stderr", "devices", "gpu_lines", "keras", "own_settings", "tf"]

SETTINGS: dict[str, Any] = {
    "floatx": "float32",
    "dtype_policy": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-7,
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
"""Keras' own defaults. Its file keras.json and environment variables can change them, but not the `run_id` of a run."""


def _configure(values: dict[str, Any], *, tf32: bool = False) -> None:
    """Set Keras' settings, and whether a GPU may multiply float32 as TF32.

    TF32 keeps 10 of the 23 bits after the point. TensorFlow allows it by default, so that GPUs that have it would give
    other results than a CPU.
    """
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)
    tf.config.experimental.enable_tensor_float_32_execution(tf32)


@contextmanager
def own_settings() -> Iterator[None]:
    """Give Keras the settings of `SETTINGS` while the block runs: a notebook may have others for its own models."""
    before = {name: getattr(keras.config, name)() for name in SETTINGS}
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        _configure(SETTINGS)
        yield
    finally:
        _configure(before, tf32=tf32)


def _leave_sums_alone() -> None:
    """Switch TensorFlow's memory optimizer off, in all threads.

    In graphs whose tensors take more than some 200 MB it has sums of three or more tensors added up in a temporary
    variable. TensorFlow 2.21 may add to it before it is there, and functions that run in two threads share it: training
    then fails with `AlreadyExistsError` or `FailedPreconditionError`, crashes, or goes on with a wrong sum. TensorFlow
    has no public way to switch it off; the last line has every thread read the options anew.
    """
    from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
    from tensorflow.python.eager import context

    config = context.context()._config or config_pb2.ConfigProto()
    config.graph_options.rewrite_options.memory_optimization = rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
    context.context()._config = config
    tf.config.optimizer.set_experimental_options({})


_leave_sums_alone()

if process.is_ours:
    _configure(SETTINGS)
