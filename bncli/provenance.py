"""Where and with what a study ran: versions, host, git commit, command line."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from typing import Any

_PACKAGES = ("bncli", "keras", "tensorflow", "numpy", "scikit-learn")


def collect() -> dict[str, Any]:
    """Return the facts for `study.json`; reads metadata only and imports none of the packages."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "host": {"system": platform.platform(), "machine": platform.machine(), "cores": os.cpu_count()},
        "git": _git(),
        "command": shlex.join(["bncli", *sys.argv[1:]]),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Commit of the working folder and whether it has uncommitted changes; None outside a checkout."""
    try:
        commit = _ask_git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_ask_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _ask_git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=5)
    return done.stdout.strip()
