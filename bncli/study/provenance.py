"""Where and with which software a study was trained: versions, host, settings, git commit, command line."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from bncli.process import usable_cores

_PACKAGES = ("bncli", "keras", "tensorflow", "numpy", "scikit-learn", "distributed")

_SETTINGS = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""Environment variables that change how TensorFlow computes: devices, threads, determinism, kernels."""

_CPU_FILE, _GPU_FILES = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia/gpus")


def collect() -> dict[str, Any]:
    """Return the facts that `study.json` stores, as JSON types. No package is imported to find its version.

    Returns:
        `versions` by package, `host`, `devices` (None before TensorFlow is imported), `settings`, `git` and `command`.
    """
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "host": {
            "name": platform.node(),
            "system": platform.platform(),
            "machine": platform.machine(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "usable_cores": usable_cores(),
            "gpus": _gpus(),
        },
        "devices": _devices(),
        "settings": {name: os.environ.get(name) for name in _SETTINGS},
        "git": _git(),
        "command": shlex.join(["bncli", *sys.argv[1:]]),
    }


def _devices() -> list[str] | None:
    """The devices that TensorFlow uses; None if this process has not imported it."""
    backend = sys.modules.get("bncli.engines.backend")
    return backend.devices() if backend else None


def _cpu() -> str:
    """The processor's model from the kernel, or else what Python knows of it."""
    return _named(_CPU_FILE, "model name") or platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """Models of the NVIDIA cards, from the driver's files."""
    return [_named(path, "Model") or path.parent.name for path in sorted(_GPU_FILES.glob("*/information"))]


def _named(path: Path, name: str) -> str | None:
    """The value of the first line `name : value` of a file; None if there is no such line or file."""
    try:
        pairs = (line.partition(":") for line in path.read_text().splitlines())
    except OSError:
        return None
    return next((value.strip() for key, _, value in pairs if key.strip() == name), None)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """The commit of the working folder, and whether tracked files have changed; None outside a git checkout."""
    try:
        commit = _ask_git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_ask_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _ask_git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=5)
    return done.stdout.strip()
