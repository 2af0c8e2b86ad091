"""Writes docs/gallery.md and its pictures: what each preset asks, what it found, its main figure, its command.

    python docs/gallery.py studies        the folder of `bncli verify --all`

A preset without runs in the folder keeps its picture and its answer.
"""

import re
import sys
from functools import partial
from pathlib import Path

from bncli.analysis.evidence import Evidence, read_evidence
from bncli.report import figure as drawing
from bncli.report.answer import answer_of
from bncli.report.canvas import Wish, as_wished, to_png
from bncli.report.page import HEROES
from bncli.report.style import own_style
from bncli.study.files import load_study, presets

HERE = Path(__file__).parent
PAGE, PICTURES = HERE / "gallery.md", HERE / "images" / "gallery"

INTRODUCTION = """# Gallery

Every preset: what it asks, what its runs say, its main figure, and the command that makes both. The answers are those
of `report.html`, written by `make gallery` from the runs of [reproduction.md](reproduction.md). `bncli list presets`
lists the presets; `bncli sweep --preset NAME --seeds 5` tries one with fewer seeds.
"""


def main(folder: Path) -> None:
    """Write the page from the studies in a folder."""
    earlier = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE) if PAGE.exists() else []
    kept = {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in earlier[1:]}
    PICTURES.mkdir(parents=True, exist_ok=True)
    sections = []
    for name in presets():
        if (folder / name / "study.json").exists():
            sections.append(section(name, read_evidence(folder / name)))
        elif name in kept:
            sections.append(kept[name])
    PAGE.write_text("\n".join([INTRODUCTION, *sections]), encoding="utf-8")


def section(name: str, evidence: Evidence) -> str:
    """A preset's part of the page; its picture is written beside."""
    study = load_study(name)
    answer = " ".join(answer_of(evidence).sentences)
    title = draw(name, evidence)
    size = f"{len(evidence.conditions_table)} conditions, {len(evidence.study.seeds)} seeds"
    command = "sweep" if study.axes else "compare"
    return (
        f"## {name}\n\n**{study.question}**\n\n{answer} ({size})\n\n![{title}](images/gallery/{name}.png)\n\n"
        f"<!-- not run: trains the whole study -->\n```sh\nbncli {command} --preset {name}\n```\n"
    )


def draw(name: str, evidence: Evidence) -> str:
    """Write the main figure of a preset, and return its title."""
    with own_style():
        for figure in HEROES:
            drawn = as_wished(partial(drawing.REGISTRY[figure], evidence), Wish(dpi=90))
            if drawn is not None:
                (PICTURES / f"{name}.png").write_bytes(to_png(drawn))
                return str(drawn.message)
    raise SystemExit(f"{name} has no figure.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
