"""Prints docs/reproduction.md: every claim that ships with the verdict of the runs in a folder of studies."""

import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tabulate import tabulate

from bncli.claims import verify
from bncli.claims.discovery import controlled, method
from bncli.claims.judgement import VERDICTS, Verdict
from bncli.study.files import load_study
from bncli.study.folder import Store

INTRODUCTION = Path(__file__).parent / "reproduction.md.in"
"""Written by hand; `{circles-after-faster}` stands for what was measured on that claim."""

Pair = tuple[str, Verdict]


def main(folder: Path) -> None:
    """Judge every claim by the runs in `folder` and print the page."""
    read: list[Pair] = []
    for subject in verify.subjects((), everything=True):
        name = subject.study.name
        read += [(name, verdict) for verdict in verify.read_verdicts(subject, folder / name)]
    verdicts = controlled([verdict for _, verdict in read])
    found = list(zip([name for name, _ in read], verdicts, strict=True))
    known = {verdict.claim.id: short(verdict) for _, verdict in found}
    text = INTRODUCTION.read_text(encoding="utf-8")
    names = list(dict.fromkeys(name for name, _ in found))
    facts = {"count": tally(found), "versions": versions(folder, names), "control": method(verdicts)}
    print(text.format_map(known | facts).rstrip())
    for name in names:
        own = [verdict for study, verdict in verify.in_order(found) if study == name]
        print(section(name, own))


def short(verdict: Verdict) -> str:
    """The measured value with its interval: `0.847 [0.844, 0.849]`; in words where nothing was measured."""
    if verdict.value is None:
        return verdict.text
    if verdict.low is None or math.isnan(verdict.low):
        return f"{verdict.value:.3g}"
    value, low, high = (f"{number:.3g}" for number in (verdict.value, verdict.low, verdict.high))
    return f"{value} [{low}, {high}]"


def tally(found: list[Pair]) -> str:
    """Count the verdicts: `12 exact, 30 reproduced`."""
    counts = Counter(verdict.verdict for _, verdict in found)
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])


def versions(folder: Path, studies: Iterable[str]) -> str:
    """Name the versions and machines that the runs come from, each once."""
    packages: dict[str, set[str]] = {}
    machines = set()
    for path in (folder / name for name in studies):
        content = Store(path).read_study() or {"versions": {}}
        for name, number in content["versions"].items():
            packages.setdefault(name, set()).add(number)
        if host := content.get("host"):
            machines.add(f"{host['machine']}, {host['cores']} cores")
    listed = [f"{name} {' and '.join(sorted(numbers))}" for name, numbers in packages.items()]
    return f"{', '.join(listed)} ({'; '.join(sorted(machines))})"


def section(name: str, verdicts: list[Verdict]) -> str:
    """The claims of one preset as a table under its question and the command that checks them."""
    rows = [{key: cell.replace("|", "\\|") for key, cell in row(verdict).items()} for verdict in verdicts]
    notes = [f"- {verdict.claim.id}: {verdict.claim.note}" for verdict in verdicts if verdict.claim.note]
    parts = [
        f"\n## {name}",
        load_study(name).question,
        f"<!-- not run: trains for minutes, with MNIST for hours -->\n```console\n$ bncli verify {name}\n```",
        tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True),
        "\n".join(notes),
    ]
    return "\n\n".join(part for part in parts if part)


def row(verdict: Verdict) -> dict[str, str]:
    """One claim: number, statement with its source, published, measured, verdict."""
    claim = verdict.claim
    source = f"[{claim.source}]({claim.link})" if claim.link else claim.source
    source += f", for {claim.transfers_from}" if claim.transfers_from else ""
    return {
        "#": str(claim.number or ""),
        "claim": f"{claim.statement} (`{claim.id}`; {source})",
        "published": claim.published or "no figure",
        "measured": f"{verdict.measured}.",
        "verdict": f"**{verdict.verdict}**",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
