"""Packs the runs of studies that train for hours into evidence/, and unpacks them.

    python docs/evidence.py unpack studies        into a folder, where it has no such study yet
    python docs/evidence.py pack studies NAME...  from a folder

An archive holds `study.json` and the journals: `bncli report studies/NAME` and `make reproduce` continue from there.
"""

import io
import sys
import tarfile
from pathlib import Path

from bncli.study.folder import Store
from bncli.study.journal import journals

EVIDENCE = Path(__file__).parent.parent / "evidence"


def unpack(folder: Path) -> None:
    """Unpack every archive whose study the folder does not have."""
    for archive in sorted(EVIDENCE.glob("*.tar.xz")):
        name = archive.name.removesuffix(".tar.xz")
        if not (folder / name).exists():
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")


def pack(folder: Path, names: list[str]) -> None:
    """Pack studies of the folder, whose own path is left out."""
    EVIDENCE.mkdir(exist_ok=True)
    for name in names:
        Store(folder / name).need_study()
        with tarfile.open(EVIDENCE / f"{name}.tar.xz", "w:xz", preset=9) as packed:
            text = (folder / name / "study.json").read_text(encoding="utf-8").replace(f" --out {folder}", "")
            member = _without_owner(tarfile.TarInfo(f"{name}/study.json"))
            member.size = len(text.encode())
            packed.addfile(member, io.BytesIO(text.encode()))
            for path in journals(folder / name):
                packed.add(path, f"{name}/{path.name}", filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member without who packed it and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    what, place, *given = sys.argv[1:]
    if what == "pack":
        pack(Path(place), given)
    else:
        unpack(Path(place))
