"""A timeline of a command, on demand: `BNCLI_PROFILE=FILE` has the command write where its time went.

The file is in the trace event format, which Perfetto (ui.perfetto.dev) and Chrome (chrome://tracing) show.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bncli import atomic

PROFILE = "BNCLI_PROFILE"

_events: list[dict[str, Any]] | None = None
"""What has ended so far; None while nothing is recorded."""


@contextmanager
def recorded() -> Iterator[None]:
    """Record the spans of the block, and write them to the file that the environment names, if it names one.

    Raises:
        StoreError: The file can't be written. It is tried before the block runs.
    """
    global _events
    path = os.environ.get(PROFILE)
    if not path:
        yield
        return
    atomic.replace_file(Path(path), lambda file: file.write_text("[]"))
    _events = []
    add("python", time.perf_counter() - time.process_time())
    try:
        with span("command"):
            yield
    finally:
        text = json.dumps({"traceEvents": _events, "displayTimeUnit": "ms"})
        _events = None
        atomic.replace_file(Path(path), lambda file: file.write_text(text))


@contextmanager
def span(name: str, **details: object) -> Iterator[None]:
    """Record when the block begins and ends, if a timeline is recorded.

    Args:
        name: What happens in it.
        **details: More about it, as JSON types.
    """
    if _events is None:
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        add(name, started, **details)


def add(name: str, started: float, **details: object) -> None:
    """Record what began at `started`, a value of `time.perf_counter`, and ends now; see `span`."""
    if _events is not None:  # the format wants microseconds
        times = {"ts": 1e6 * started, "dur": 1e6 * (time.perf_counter() - started)}
        place = {"pid": os.getpid(), "tid": threading.get_native_id()}
        _events.append({"name": name, "ph": "X", **times, **place, "args": details})
