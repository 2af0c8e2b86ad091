"""`make calibration`: statistics held against truths that are known, by simulation; writes docs/calibration.md."""

from __future__ import annotations

import importlib
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parent.parent / "docs" / "calibration.md"

INTRODUCTION = """# Calibration

How often bncli's statistics are right, by simulation of studies whose truth is known. *Before* is what bncli 0.1 did,
or *none* where it had no such number. `make calibration` writes this page; this one is from version {version}. The
simulations are in `benchmarks/calibration/`.
"""


def main() -> None:
    """Run every module here that has `rows`, and write the page."""
    parts = [INTRODUCTION.format(version=version("bncli"))]
    for path in sorted(HERE.glob("[a-z]*.py")):
        module = importlib.import_module(f"benchmarks.calibration.{path.stem}")
        if hasattr(module, "rows"):
            started = time.perf_counter()
            parts.append(section(module))
            print(f"{path.stem}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    text = "\n".join(parts)
    TARGET.write_text(text, encoding="utf-8")
    print(text)


def section(module) -> str:
    """Return a module's first line and its table in Markdown."""
    head = (module.__doc__ or "").splitlines()[0]
    title = module.__name__.rsplit(".", 1)[-1].capitalize()
    table = module.rows()
    names = list(table[0])
    lines = [names, ["---"] * len(names), *([row[name] for name in names] for row in table)]
    return f"## {title}\n\n{head}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
