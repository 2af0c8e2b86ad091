"""The tour, executed as Jupyter executes it."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The cells of code of `examples/tour.ipynb` with their outputs."""
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("tour")
    notebook = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    assert (folder / "studies" / "tour" / "report.html").exists()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell, kind="text/html"):
    return ["".join(output.data[kind]) for output in cell.outputs if kind in output.get("data", {})]


@pytest.mark.slow
def test_a_comparison_shows_its_progress_and_then_itself(cells):
    bar, result = shown(cells[1])
    assert bar.startswith('<progress value="210" max="210" ')
    assert bar.endswith(" 21/21 runs, done")
    assert "<table>" in result
    assert 'alt="main figure"' in result
    assert "validation accuracy" in result


@pytest.mark.slow
def test_figures_are_shown_as_pictures_and_tables_as_tables(cells):
    pictures = [cell for cell in cells if shown(cell, "image/png")]
    assert len(pictures) == 2
    assert all("<table" in shown(cell)[-1] for cell in (cells[2], cells[3], cells[-1]))


@pytest.mark.slow
def test_a_folder_trains_only_what_is_new(cells):
    bars = [html for html in shown(cells[-2]) if html.startswith("<progress")]
    assert [bar.rpartition("</progress> ")[2] for bar in bars] == ["6/6 runs, done", "8/8 runs, done"]


@pytest.mark.slow
def test_nothing_is_written_to_stderr(cells):
    told = [output.text for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert told == []
