"""The labs' own experiments are not run again for the grade, unless something that runs may need them."""

import nbformat
import pytest

from grader import course
from grader.author import notebooks
from grader.grade import experiments, journal
from grader.grade.class_run import grade_class
from tests.grade.test_hostile import hand_in
from tests.hostile.submissions import FILE, LAB, find

LABS = course.labs()


def tagged(notebook) -> list[int]:
    return [i for i, cell in enumerate(notebook.cells) if experiments.TAG in cell.metadata.get("tags", [])]


@pytest.fixture
def handed_in():
    """Lab 02 with its answers, and the release of it: the same cells, for what is asked here."""
    return notebooks.solved_notebook(LAB), notebooks.solved_notebook(LAB)


@pytest.mark.parametrize("lab", LABS)
def test_no_answer_needs_an_experiment(lab):
    """What is handed in as the lab's own solution is spared every experiment, and no other cell."""
    notebook = notebooks.solved_notebook(lab)
    assert tagged(notebook)
    assert experiments.spared(notebook, notebook) == tagged(notebook)


@pytest.mark.parametrize("lab", LABS)
def test_students_get_the_same_tags(lab):
    released = nbformat.read(course.notebook(lab), as_version=4)
    found = [cell.source for cell in released.cells if experiments.TAG in cell.metadata.get("tags", [])]
    source = notebooks.source_notebook(lab)
    assert found == [source.cells[index].source for index in tagged(source)]


@pytest.mark.parametrize("more", [
    "print(half)",  # the cell of an experiment defines it
    "def more():\n    return [by_kind for _ in range(2)]",
    "globals()['half']",
    "%time 1",
    "get_ipython()",
    "def broken(:",
    "(" * 5000 + "1" + ")" * 5000,
    "-" * 50_000 + "1",
    "+".join(["a"] * 40_000),
    "\ud800",
    "x = 1\n" * 100_000,
])  # fmt: skip
def test_whatever_may_read_an_experiment_has_all_of_them_run(handed_in, more):
    notebook, released = handed_in
    notebook.cells.append(nbformat.v4.new_code_cell(more))
    assert experiments.spared(notebook, released) == []


@pytest.mark.parametrize("more", [
    "import numpy as np\nprint(model)",  # the set-up runs anyway
    "def mine(masks, half):\n    name = masks\n    return name, half",  # names of its own
    "class Mine:\n    half = 1",
    "[half for half in range(2)]",
])  # fmt: skip
def test_what_reads_none_changes_nothing(handed_in, more):
    notebook, released = handed_in
    notebook.cells.append(nbformat.v4.new_code_cell(more))
    assert experiments.spared(notebook, released) == tagged(released)


def test_an_answer_that_reads_one_has_all_of_them_run(handed_in):
    """It worked in the student's notebook, so it works here."""
    notebook, released = handed_in
    cell = find(notebook, "global_magnitude_masks")
    cell.source = cell.source.replace("    every =", "    half\n    every =")
    assert experiments.spared(notebook, released) == []


def test_a_changed_experiment_is_run(handed_in):
    """One that needs nothing of the others runs alone; one that does brings them all."""
    notebook, released = handed_in
    *rest, last = tagged(released)
    notebook.cells[last].source += "\nprint('mine')"
    assert experiments.spared(notebook, released) == []  # the table reads what the others make
    notebook.cells[last].source = "print('mine')"
    assert experiments.spared(notebook, released) == rest


def test_through_the_sandbox(empty_course):
    """The score is that of a notebook whose cells all run, and the page says which did not."""
    lean, whole = notebooks.solved_notebook(LAB), notebooks.solved_notebook(LAB)
    whole.cells.append(nbformat.v4.new_code_cell("print(half.keys())"))
    hand_in("lean", {FILE: nbformat.writes(lean).encode()})
    hand_in("whole", {FILE: nbformat.writes(whole).encode()})
    grade_class(LAB)
    records = {record.student: record for record in journal.records(LAB)}
    pages = {name: nbformat.reads(record.notebook, as_version=4) for name, record in records.items()}
    assert records["lean"].score() == records["whole"].score() == records["whole"].points() > 0
    assert records["lean"].status == records["whole"].status == "GRADED"
    said = {
        name: [i for i, cell in enumerate(page.cells)
               if any(experiments.NOT_RUN in each.get("text", "") for each in cell.get("outputs", []))]
        for name, page in pages.items()
    }  # fmt: skip
    assert said == {"lean": tagged(lean), "whole": []}
    assert [pages["lean"].cells[i].source for i in said["lean"]] == [
        lean.cells[i].source for i in tagged(lean)
    ]
    assert "q_proj" in pages["whole"].cells[-1].outputs[0].text
