"""The names that Keras gives to layers without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NAME_COUNTS = "object_name_uids"
"""Keras' global attribute that counts layers by the beginning of their name."""


@contextmanager
def fresh_names() -> Iterator[None]:
    """Let Keras count the names of layers from the start in a block: a network has the same names each time.

    Keras has no public way to do so without forgetting the user's own models as well.
    """
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute(_NAME_COUNTS)
    global_state.set_global_attribute(_NAME_COUNTS, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAME_COUNTS, before)
