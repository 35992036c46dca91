"""Each lab with its answers runs from top to bottom: no error, no noise, every check right, figures drawn."""

import re
import sys

import pytest
from nbformat import NotebookNode, v4

from benchmarks.lab_runs import execute
from grader import course
from grader.author import notebooks
from tests.course.lab_runs import ON_COURSE_MODEL
from tests.sample import few

SHORT = ("02_magnitude_pruning",)


def text(output) -> str:
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


def assert_ran_clean(notebook: NotebookNode) -> None:
    figures = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output
            assert output.get("name") != "stderr", f"cell {cell.id} writes to standard error: {output.text}"
            assert "weights at zero" not in text(output), f"cell {cell.id} measures a model left sparse"
            figures += "image/png" in output.get("data", {})
        if cell.id.startswith("check_"):
            said = "".join(text(output) for output in cell.outputs if output.output_type == "stream")
            said = said.replace("\r", "\n")  # a bar of progress ends its own line
            name = cell.id.removeprefix("check_")
            assert re.search(rf"^Check \d+\.\d+  {name}: all \d+ parts pass$", said, re.MULTILINE), said
    assert figures


@pytest.mark.lengthy
def test_the_kernel_is_this_interpreter():
    """A python3 kernel of another environment would test, and grade with, other packages."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell("import sys; print(sys.executable)")])
    (cell,) = execute(notebook).notebook.cells
    assert text(cell.outputs[0]).strip() == sys.executable


@pytest.mark.lengthy
def test_a_kernel_puts_nothing_where_the_lab_works():
    """Its sockets lay in the checkout, where a test that copies the checkout meets them."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell("import os; print(*os.listdir())")])
    (cell,) = execute(notebook).notebook.cells
    there = text(cell.outputs[0]).split()
    assert "README.md" in there and not [name for name in there if "ipc" in name]


@pytest.mark.lengthy
@pytest.mark.parametrize("lab", few(course.labs(), of=SHORT))
def test_a_lab_runs_on_the_tiny_model(lab, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    assert_ran_clean(execute(notebooks.source_notebook(lab)).notebook)


@pytest.mark.notebook
@pytest.mark.parametrize("lab", ON_COURSE_MODEL)
def test_a_lab_runs_on_the_course_model(lab, on_course_model, capsys):
    run = on_course_model(lab)
    assert_ran_clean(run.notebook)
    with capsys.disabled():
        print(f"\n{lab}: {run.seconds:.0f} s")
