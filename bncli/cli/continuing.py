"""The command that trains the missing runs of a folder: a recorded one, if it still means the same study."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from bncli.cli.building import build_study
from bncli.cli.options import OPTIONS, Options
from bncli.cli.sweep import FLAGSHIP
from bncli.cli.train import study_of
from bncli.config import FIELDS
from bncli.data.files import is_data_path
from bncli.study.folder import Store
from bncli.study.opening import as_begun, stored_study
from bncli.study.study import Study

WITH_VALUE, FLAGS = ("--out", "-o", "--save-model", "--shard"), ("--restart", "--dry-run", "-n", "--help", "-h")
"""Options that a continuing command must not repeat."""


def command_that_continues(folder: Path, commands: Mapping[str, TyperCommand]) -> list[str]:
    """Return the words of a command that trains what a folder's study lacks; none if no recorded one does.

    Args:
        folder: The study's folder.
        commands: The commands `train`, `compare` and `sweep` by name.

    Raises:
        StoreError: The folder holds no study.
    """
    content = Store(folder).need_study()
    whole = stored_study(folder, content)
    for words in _recorded(content):
        study = _study_of(words, commands)
        if study and _is_all_of(as_begun(study, folder), whole) and _has_data(study):
            return [*words, "--out", str(folder)]
    return []


def _recorded(content: Mapping[str, Any]) -> Iterator[list[str]]:
    """The commands of the folder's sessions, the last one first, without what they did beside training."""
    sessions = content.get("sessions")
    for session in reversed(sessions if isinstance(sessions, list) else [content]):
        command = session.get("command") if isinstance(session, Mapping) else None
        try:
            words = shlex.split(command) if isinstance(command, str) else []
        except ValueError:
            continue
        if words[:1] == ["bncli"]:
            yield _without_dropped(words[1:])


def _without_dropped(words: Sequence[str]) -> list[str]:
    kept, left = [], iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        if name in WITH_VALUE and not equals:
            next(left, None)
        elif name not in (*WITH_VALUE, *FLAGS):
            kept.append(word)
    return kept


def _study_of(words: Sequence[str], commands: Mapping[str, TyperCommand]) -> Study | None:
    """The study that a command means here and now; None if it is none of these commands, or is refused."""
    if not words or words[0] not in commands:
        return None
    try:
        given = commands[words[0]].make_context(words[0], list(words[1:])).params
        options = Options(**{field.name: given[field.name] for field in OPTIONS})
        if words[0] == "train":
            return study_of(options, given["arm"])
        axes = given.get("axes") or []
        fallback = FLAGSHIP if words[0] == "sweep" and not axes else None
        return build_study(words[0], options, given["arms"], axes, fallback)[0]
    except Exception:  # noqa: BLE001 - a stored text may fail in any way, and what fails is not named
        return None


def _is_all_of(study: Study, whole: Study) -> bool:
    varied = {*dict(study.axes), *dict(whole.axes), "seed"}
    if any(getattr(study.base, name) != getattr(whole.base, name) for name in FIELDS if name not in varied):
        return False
    names = ("seed", "arm", *dict(whole.united(study).axes))
    return all(set(whole.united(study).values_of(name)) == set(study.values_of(name)) for name in names)


def _has_data(study: Study) -> bool:
    """Whether the study's files are there; a recorded command names them from the folder in which it was given."""
    names = {study.base.dataset, *dict(study.axes).get("dataset", ())}
    return all(Path(str(name)).is_file() for name in names if is_data_path(str(name)))
