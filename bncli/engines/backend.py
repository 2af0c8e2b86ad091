"""TensorFlow and Keras, imported without the lines that TensorFlow's C++ side writes while it starts up.

Every module that uses them takes them from here.
"""

import os
import sys
import tempfile

from bncli import process


def _import_tensorflow() -> None:
    """Import TensorFlow and find the devices with the error stream caught; what was caught is shown on failure only."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            with process.lean_import():
                import tensorflow as tf

            tf.config.list_logical_devices()
            tf.get_logger().setLevel("ERROR")
        except Exception:
            caught.seek(0)
            os.write(kept, caught.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


if "tensorflow" not in sys.modules:
    _import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

__all__ = ["devices", "keras", "tf"]


def devices() -> list[str]:
    """Return the devices that TensorFlow uses: `CPU:0`, and `GPU:0` where it has one."""
    return [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
