"""Errors carried forward in a submission: from the notebook through the sandbox to grades and report."""

import nbformat
import pytest

from grader import course
from grader.author import notebooks
from grader.author.release import release
from grader.grade import journal
from grader.grade.class_run import grade_class
from grader.grade.try_function import attempt
from grader.results import gradebook, lms_export, report, table
from grader.sandbox.run import Limits
from labsupport import files
from labsupport.check.judge.kit.verdict import Ending

pytestmark = pytest.mark.sandbox

LAB = "02_magnitude_pruning"
LIMITS = Limits(cell_seconds=200, total_seconds=900)
SENTENCE = "right, given your magnitude_mask; mend that first"


def notebook(replaced: dict[str, tuple[str, str]]) -> nbformat.NotebookNode:
    """The lab's solution; replaced: exercise -> text, and what stands in its place."""
    found = notebooks.source_notebook(LAB)
    found.cells = [
        cell for cell in found.cells if "nbgrader" in cell.metadata or cell.source.startswith("import torch")
    ]
    for cell in found.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name in replaced:
            old, new = replaced[name]
            assert old in cell.source
            cell.source = cell.source.replace(old, new)
    return found


LAX = {"magnitude_mask": (" > ", " >= ")}
CLASS = {
    "lax": LAX,
    "wrong-twice": LAX | {"prune_magnitude": ("linears.apply_masks(model, masks)", "pass")},
    "keeps-all": {
        "magnitude_mask": ("k = round(", "return torch.ones_like(weight, dtype=bool)\n    k = round(")
    },
    "all-right": {},
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_seed):
    """The class, graded once: records by student."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(tmp_path_factory.mktemp("labs")))
        (course.folder() / "seed").write_text(course_seed)
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        release([LAB])
        for student, replaced in CLASS.items():
            path = course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb"
            files.write_whole(path, nbformat.writes(notebook(replaced)).encode())
        records = grade_class(LAB, limits=LIMITS)
        gradebook.hand_over(LAB, records)
        yield {record.student: record for record in records}


def shares(record) -> list[float]:
    """The shares of 2.1, 2.2 and 2.3."""
    return [verdict.share for verdict in record.verdicts.values() if verdict.points]


def test_one_character_costs_one_exercise(graded):
    """With >= for > in 2.1, the exercises that call it keep their points and say what to mend."""
    assert shares(graded["lax"]) == [0, 1, 1]
    for name in ("prune_magnitude", "global_magnitude_masks"):
        verdict = graded["lax"].verdicts[name]
        assert (verdict.status, verdict.given) == (Ending.RIGHT, ["magnitude_mask"])
        assert SENTENCE in " ".join(verdict.message().split())
    assert SENTENCE in " ".join(graded["lax"].notebook.replace("\\n", " ").split())


def test_what_does_not_follow_earns_nothing(graded):
    """A second mistake of its own, and a mask that keeps everything, are not carried forward."""
    assert shares(graded["wrong-twice"]) == [0, 0, 1]
    assert shares(graded["keeps-all"]) == [0, 0, 0]
    assert graded["wrong-twice"].verdicts["prune_magnitude"].given == []


def test_right_stays_right(graded):
    """Who has everything right hears nothing of it."""
    assert shares(graded["all-right"]) == [1, 1, 1]
    assert "given your" not in graded["all-right"].notebook


def test_results_show_the_condition(graded, tmp_path):
    """Record, table, platform's comment, and report say on what the points rest."""
    assert journal.read(LAB, "lax") == graded["lax"]
    row = next(row for row in table.rows(LAB) if row.student == "lax")
    condition = "given your magnitude_mask; mend that first"
    assert row.conditions == dict.fromkeys(("prune_magnitude", "global_magnitude_masks"), condition)
    assert f"prune_magnitude 4 of 4 ({condition})" in lms_export.comment(row, table.questions(LAB))
    page = " ".join(report.write(LAB, tmp_path / "report.html").read_text().split())
    assert page.count(SENTENCE) == 5  # three messages, and the mistakes of two exercises


def test_one_function_outside_a_notebook(graded, tmp_path):
    """`grader try` finds the earlier function in the same file."""
    cells = [cell for cell in notebook(LAX).cells if cell.cell_type == "code"]
    source = "\n".join(cell.source for cell in cells if not cell.source.startswith("check."))
    path = tmp_path / "answers.py"
    path.write_text(source)
    verdict = attempt("global_magnitude_masks", path)
    assert (verdict.share, verdict.given) == (1, ["magnitude_mask"])
