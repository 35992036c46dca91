"""A starred exercise has no points: does it cost anybody anything, and is it judged all the same?"""

import pytest
from nbformat import NotebookNode, v4

from grader.author import notebooks
from labsupport import checking, standing
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import Ending, Verdict
from labsupport.standing import Graded, Last

LAB = "02_magnitude_pruning"


@pytest.fixture
def two(monkeypatch) -> dict[str, Last]:
    """A course of two exercises, the second one starred: what their checks said last, to be filled in."""
    said: dict[str, Last] = {}
    cells = [Graded(LAB, "magnitude_mask", 3.0, False), Graded(LAB, "sparsity", 0.0, False)]
    monkeypatch.setattr(standing, "graded_cells", lambda: cells)
    monkeypatch.setattr(standing, "last", lambda name: said.get(name, Last()))
    return said


def row(name: str) -> str:
    """The row of an exercise in the table of progress, without what aligns it."""
    return next(" ".join(line.split()) for line in standing.report().splitlines() if f" {name} " in line)


def test_progress_is_complete_without_it(two):
    """Nobody is sent on to it, and it is not '0 of 0 points'."""
    assert standing.report().endswith("Go on with magnitude_mask in lab 02.")
    two["magnitude_mask"] = Last("right", 9, 9, 1.0)
    said = standing.report()
    assert "3 of 3 points so far" in said and said.endswith("Every exercise is done.")
    assert row("sparsity") == "sparsity open starred"
    two["sparsity"] = Last("right", 8, 8, 1.0)
    assert row("sparsity") == "sparsity passed starred" and "3 of 3 points so far" in standing.report()


def ran(status: Ending, monkeypatch) -> tuple[str, bool]:
    """What `labsupport check` reports on a lab of which only the starred exercise is not right."""
    cells = []
    for name, points in (("magnitude_mask", 3), ("sparsity", 0)):
        mark = {
            "grade_id": f"check_{name}",
            "grade": True,
            "solution": False,
            "locked": False,
            "points": points,
        }
        cells.append(v4.new_code_cell(f"check.{name}({name})", metadata={"nbgrader": mark}))
    if status != Ending.RIGHT:
        cells[1].outputs = [v4.new_output("error", ename="CheckFailed", evalue="", traceback=[])]
    notebook: NotebookNode = v4.new_notebook(cells=cells, metadata=notebooks.METADATA)
    number = EXERCISES["sparsity"].number
    told = Verdict(exercise="sparsity", number=number, status=status, lines=[], share=0.0, cause="Why.")
    monkeypatch.setattr(checking, "read", lambda _path: notebook)
    monkeypatch.setattr(checking, "run", lambda *_: ({0, 1}, {"sparsity": told}))
    return checking.report(checking.Path("02_sample.ipynb"))


@pytest.mark.parametrize(
    ("status", "said"),
    [(Ending.UNWRITTEN, "not written yet"), (Ending.WRONG, "not yet"), (Ending.RIGHT, "passed")],
)
def test_a_lab_is_done_without_it(status, said, monkeypatch):
    """The line says how it stands, a failure is no pass, and the rest is all there is to do."""
    text, done = ran(status, monkeypatch)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert done and lines[-1] == "All done."
    assert "magnitude_mask passed" in lines
    assert any(line.startswith(f"sparsity, starred {said}") for line in lines)
