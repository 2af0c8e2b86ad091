"""Tables for papers."""

import shutil
import subprocess

import pytest
from fakes import TRIVIAL, TWO_AXES, evidence, learned, make_study

from bncli.report.latex import to_latex
from bncli.report.rows import result_rows, table_caption

NASTY = r"50% & $x$ _a_ {b} ~^ \cmd #1 <|> R² ..."
MINIMAL = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def table():
    shown = evidence(make_study(axes=TWO_AXES, seeds=range(3), name="a_study"), learned, TRIVIAL)
    return to_latex(result_rows(shown), shown.study.name, table_caption(shown))


def test_rows_and_rules_are_those_of_booktabs(table):
    lines = table.splitlines()
    assert lines[0] == r"% needs \usepackage{booktabs,graphicx}"
    rules = [line for line in lines if line in (r"\toprule", r"\midrule", r"\bottomrule")]
    assert rules == [r"\toprule", r"\midrule", r"\bottomrule"]
    rows = [line for line in lines if line.endswith(r"\\")]
    assert rows[0] == r"activation & lr & arm & val\_accuracy & learned & difference & verdict & hit epoch & n \\"
    assert len(rows) == 9
    assert {row.count("&") for row in rows} == {8}
    assert r"\label{tab:a-study}" in lines
    assert r"\caption{a\_study. mean [95\% interval] over seeds" in table


def test_no_rows_are_a_table_without_rows():
    assert r"\begin{tabular}" in to_latex([], "none")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX (apt-get install texlive-latex-recommended)")
def test_it_compiles_whatever_the_cells_hold(tmp_path, table):
    hostile = to_latex([{NASTY: NASTY, "arm": "batch:before *"}], NASTY, NASTY)
    (tmp_path / "a.tex").write_text(MINIMAL % (table + hostile), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
