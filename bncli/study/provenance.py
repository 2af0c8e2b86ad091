"""Where and with which software a study was trained: versions, host, settings, git commit, command line."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
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
    backend = sys.modules.get("bncli.backend")
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


_GIT = (
    "git",
    "--no-optional-locks",  # without them the index stays as it is, and hook post-index-change is not run
    "--no-pager",
    "-c", "core.fsmonitor=false",
)  # fmt: skip
"""Git without the programs that a repository's own settings can make it run; it comes with the code of others."""

_STATUS = ("status", "--porcelain", "--untracked-files=no", "--no-renames", "--ignore-submodules=dirty")
"""Without renames and the inside of submodules, no further file is read and no further git is started."""

_GIT_SECONDS = 5

_REDIRECTIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""Environment variables, set inside of git's hooks, that stand for another repository than the working folder's."""


def _git() -> dict[str, Any] | None:
    """The commit of the working folder, and whether tracked files have changed; None outside a git checkout."""
    try:
        commit = _ask_git("rev-parse", "HEAD").decode(errors="replace").strip()
        return {"commit": commit, "dirty": bool(_ask_git(*_STATUS, without=_filters()).strip())}
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _filters() -> list[str]:
    """The settings of the filters: programs to which git passes files that may have changed."""
    try:
        names = _ask_git("config", "--null", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$")
    except subprocess.CalledProcessError:  # there are none
        return []
    return sorted({os.fsdecode(name) for name in names.split(b"\0") if name})


def _ask_git(*arguments: str, without: Sequence[str] = ()) -> bytes:
    """The output of a git command, as bytes, because names of files have any encoding.

    Args:
        *arguments: The command.
        without: The names of settings to empty.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _REDIRECTIONS}
    n_given = int(environment.get("GIT_CONFIG_COUNT") or 0)
    for number, name in enumerate(without, n_given):
        value = "false" if name.endswith(".required") else ""
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    done = subprocess.run(
        [*_GIT, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment | {"GIT_CONFIG_COUNT": str(n_given + len(without)), "GIT_ALLOW_PROTOCOL": ""},
        check=True,
        timeout=_GIT_SECONDS,
    )
    return done.stdout
