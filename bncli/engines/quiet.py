"""Imports TensorFlow without the lines that its C++ side writes to the error stream while it starts up."""

import os
import sys
import tempfile

from bncli import startup


def import_tensorflow() -> None:
    """Import TensorFlow and find the devices with the stream caught; what was caught is shown only on failure."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            with startup.lean_import():
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
