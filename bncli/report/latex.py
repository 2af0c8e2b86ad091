"""Tables for papers: LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bncli.values import plain_text

LEFT_OUT = ("curve",)
"""Columns that LaTeX can't set: sparklines."""

FITTED = r"\resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{%" + "\n"
"""Makes a table that is wider than the text as wide as the text."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "²": r"\textsuperscript{2}",
    "…": r"\ldots{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
}


def to_latex(rows: Sequence[Mapping[str, str]], title: str = "", caption: str = "") -> str:
    r"""Return rows of texts as a LaTeX table; it needs the package booktabs.

    Args:
        rows: Texts by column; all rows have the same columns.
        title: What the table is called, the first words of its caption and its label.
        caption: A paragraph that explains the columns.

    Example:
        >>> print(to_latex([{"arm": "none", "val_loss": "0.1"}], "a_b"))
        % needs \usepackage{booktabs,graphicx}
        \begin{table}[htbp]
        \centering
        \caption{a\_b}
        \label{tab:a-b}
        \resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{%
        \begin{tabular}{lr}
        \toprule
        arm & val\_loss \\
        \midrule
        none & 0.1 \\
        \bottomrule
        \end{tabular}}
        \end{table}
        <BLANKLINE>
    """
    import pandas as pd

    names = [name for name in (rows[0] if rows else ()) if name not in LEFT_OUT]
    slug = "-".join(re.findall(r"[a-z0-9]+", title.lower()))
    table = pd.DataFrame([[escaped(row[name]) for name in names] for row in rows], columns=[*map(escaped, names)])
    text = table.style.hide(axis="index").to_latex(
        column_format="".join("r" if all(_is_number(row[name]) for row in rows) else "l" for name in names),
        caption=escaped(". ".join(line.rstrip(".") for line in (title, *caption.splitlines()) if line)) or None,
        label=f"tab:{slug}" if slug else None,
        position="htbp",
        position_float="centering",
        hrules=True,
    )
    text = text.replace(r"\begin{tabular}", FITTED + r"\begin{tabular}").replace(r"\end{tabular}", r"\end{tabular}}")
    return f"% needs \\usepackage{{booktabs,graphicx}}\n{text}"


def escaped(text: str) -> str:
    r"""Return a text as LaTeX sets it: special characters are escaped.

    >>> print(escaped("50% of val_loss < 1"))
    50\% of val\_loss \textless{} 1
    """
    found = "".join(_SPECIAL.get(character, character) for character in plain_text(text, None))
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", found)


def _is_number(text: str) -> bool:
    return not text or text[0] in "-+.0123456789"
