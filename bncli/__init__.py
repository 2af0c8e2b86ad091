"""Batch-normalization ablation studies: paired seeds, tables, figures, every run on disk.

The public names are imported when they are first used, so that the command line starts fast: `train`, `compare`,
`sweep`, `run` and `load`, which return a `Result`; `RunConfig`, `RunResult`, `Study`, `load_study`, `run_study` and
`load_runs`.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "RunConfig": "bncli.config",
    "RunResult": "bncli.results",
    "Study": "bncli.study.study",
    "load_study": "bncli.study.files",
    "Result": "bncli.api",
    "train": "bncli.api",
    "compare": "bncli.api",
    "sweep": "bncli.api",
    "run": "bncli.api",
    "load": "bncli.api",
    "run_study": "bncli.api",
    "load_runs": "bncli.api",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
