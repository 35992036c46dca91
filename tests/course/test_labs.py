"""Each lab with its answers runs from top to bottom: no error, no noise, every check right, figures drawn."""

import re
import sys
import time

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode, v4

from grader import course
from grader.author import notebooks


def execute(notebook: NotebookNode) -> NotebookNode:
    """Run a notebook in the python3 kernel, an error ending it with its message."""
    NotebookClient(
        notebook, kernel_name="python3", timeout=1800, resources={"metadata": {"path": course.ROOT}}
    ).execute()
    return notebook


def text(output) -> str:
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


def assert_runs_clean(lab: str) -> None:
    notebook = execute(notebooks.source_notebook(lab))
    figures = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output
            assert output.get("name") != "stderr", f"cell {cell.id} writes to standard error: {output.text}"
            figures += "image/png" in output.get("data", {})
        if cell.id.startswith("check_"):
            said = "".join(text(output) for output in cell.outputs if output.output_type == "stream")
            said = said.replace("\r", "\n")  # a bar of progress ends its own line
            name = cell.id.removeprefix("check_")
            assert re.search(rf"^Check \d+\.\d+  {name}: all \d+ parts pass$", said, re.MULTILINE), said
    assert figures


def test_the_kernel_is_this_interpreter():
    """A python3 kernel of another environment would test, and grade with, other packages."""
    (cell,) = execute(v4.new_notebook(cells=[v4.new_code_cell("import sys; print(sys.executable)")])).cells
    assert text(cell.outputs[0]).strip() == sys.executable


@pytest.mark.lengthy
@pytest.mark.parametrize("lab", course.labs())
def test_a_lab_runs_on_the_tiny_model(lab, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    assert_runs_clean(lab)


BY_DEFAULT = ("03_wanda_calibration",)  # the others: `make labs`


@pytest.mark.notebook
@pytest.mark.parametrize(
    "lab", [pytest.param(lab, marks=() if lab in BY_DEFAULT else pytest.mark.slow) for lab in course.labs()]
)
def test_a_lab_runs_on_the_course_model(lab, monkeypatch, capsys):
    monkeypatch.delenv("PRUNING_LABS_MODEL", raising=False)
    monkeypatch.delenv("PRUNING_LABS_TEXT", raising=False)
    start = time.perf_counter()
    assert_runs_clean(lab)
    with capsys.disabled():
        print(f"\n{lab}: {time.perf_counter() - start:.0f} s")
