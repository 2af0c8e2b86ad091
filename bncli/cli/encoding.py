"""Text in a form that a stream can show: no control characters, and ASCII in place of signs that its encoding lacks."""

from __future__ import annotations

from functools import lru_cache
from typing import TextIO

from bncli.report.spelling import ASCII_BARS, BARS
from bncli.values import plain_text

SIGNS = {"…": "...", "±": "+-", "×": "x", "−": "-", "–": "-", "—": "-", "·": ".", "→": "->", "≤": "<=", "≥": ">="}
"""Signs and their forms in ASCII."""


def fitted(text: str, stream: TextIO) -> str:
    """Return a text as it is written to a stream.

    Control characters, with which a name from outside could drive a terminal, are replaced by escapes; bars and signs
    that the stream's encoding lacks, by ASCII. Other characters stay as they are, such as those of a user's own names.
    """
    text = plain_text(text, limit=None, keep="\n\t")
    return text if text.isascii() else text.translate(_substitutes(getattr(stream, "encoding", None) or "utf-8"))


@lru_cache
def _substitutes(encoding: str) -> dict[int, str]:
    signs = {sign: form for sign, form in SIGNS.items() if not _has(encoding, sign)}
    bars = {} if _has(encoding, BARS) else dict(zip(BARS, ASCII_BARS, strict=True))  # some have a part of the bars
    return str.maketrans(signs | bars)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
