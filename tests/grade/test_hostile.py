"""A hostile class through the real sandbox and the real examiner: each gets its status and its sentence."""

import json

import nbformat
import pytest

from grader import course
from grader.author import notebooks
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.results import gradebook
from grader.sandbox.run import Limits
from grader.status import Status
from tests.hostile.submissions import ENTRIES, FILE, LAB

pytestmark = pytest.mark.alone

LIMITS = Limits(cell_seconds=30, total_seconds=300, memory=3 * 2**30, processes=160, output=4 * 2**20)
HONEST = ("honest-ada", "honest-ben")


def right_answers() -> nbformat.NotebookNode:
    """The lab's own solution as a student hands it in: imports, answers and checks, no figures."""
    notebook = notebooks.source_notebook(LAB)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
        or (cell.cell_type == "code" and cell.source.startswith("import torch"))
    ]
    return notebook


def hand_in(student: str, files: dict) -> None:
    folder = course.folder() / "submitted" / student / LAB
    folder.mkdir(parents=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).symlink_to(content)


@pytest.fixture(scope="module", params=["warm", pytest.param("cold", marks=pytest.mark.rare)])
def graded(request, tmp_path_factory, course_seed):
    """The whole class, graded once with each way to start: records by student."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(tmp_path_factory.mktemp("class") / "course"))
        (course.prepare() / "seed").write_text(course_seed)
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("COURSE_SECRET", "not for students")
        release([LAB])
        for student, entry in ENTRIES.items():
            hand_in(student, entry.files(right_answers()))
        records = grade_class(LAB, workers=2, limits=LIMITS, cold=request.param == "cold")
        gradebook.hand_over(LAB, records)
        yield {record.student: record for record in records}


@pytest.mark.parametrize("student", ENTRIES)
def test_submission(graded, student):
    """Status, sentence, cell and score are what the table says, and never more than the work deserves."""
    entry, record = ENTRIES[student], graded[student]
    told = json.dumps(
        [record.reason, record.flags, [v.message() for v in record.verdicts.values()], record.notebook]
    )
    assert record.status == entry.status, (record.reason, record.flags)
    assert entry.says in told.replace("\\n", " ").replace("  ", " ") or entry.says in told, told[:3000]
    assert record.cell == entry.cell
    shares = {name: verdict.share for name, verdict in record.verdicts.items() if verdict.points}
    assert {name: share for name, share in shares.items() if share} == {
        n: s for n, s in entry.share.items() if s
    }, (
        record.flags,
        [verdict.message() for verdict in record.verdicts.values()],
    )
    assert not record.verdicts or sum(verdict.points for verdict in record.verdicts.values()) == 10


def test_failures_have_reasons(graded):
    """Whoever is not GRADED has a sentence that an instructor can act on."""
    for record in graded.values():
        assert record.status in Status
        assert record.status == "GRADED" or record.reason.endswith((".", "?"))


def test_honest_ones_as_when_alone(graded, tmp_path, monkeypatch):
    """The hostile ones cost the honest ones nothing: alone they come out exactly the same."""
    seed, submitted = (course.folder() / "seed").read_text(), course.folder() / "submitted"
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "seed").write_text(seed)
    release([LAB])
    for student in HONEST:
        hand_in(student, {FILE: (submitted / student / LAB / FILE).read_bytes()})
    for record in grade_class(LAB, limits=LIMITS):
        assert record.verdicts == graded[record.student].verdicts
        assert record.flags == graded[record.student].flags


def test_gradebook_agrees(graded):
    """nbgrader's gradebook holds the examiner's scores, and no 0 for who could not be graded."""
    booked = gradebook.students(LAB)
    for student, record in graded.items():
        if record.verdicts:
            assert booked[student].score == pytest.approx(record.score())
        else:
            assert student not in booked


def test_feedback_shows_the_judge_once(graded):
    """The judge's message stands below its check cell, and there alone."""
    for student in HONEST:
        notebook = nbformat.reads(graded[student].notebook, as_version=4)
        said = [out.text for cell in notebook.cells for out in cell.get("outputs", []) if "text" in out]
        for verdict in graded[student].verdicts.values():
            assert sum(text.strip() == verdict.message().strip() for text in said) == 1


def test_nothing_runs_in_a_browser(graded):
    """What a submission displays reaches neither autograded notebook nor feedback as HTML."""
    pages = gradebook.feedback(LAB)
    page = (pages / "hooks-into-ipython" / LAB / f"{LAB}.html").read_text()
    assert "<script>document.title" not in page
    assert "&lt;script&gt;document.title" in page  # its source is shown, as text
    notebook = nbformat.read(course.folder() / "autograded" / "hooks-into-ipython" / LAB / FILE, as_version=4)
    kinds = {key for cell in notebook.cells for out in cell.get("outputs", []) for key in out.get("data", {})}
    assert kinds <= {"text/plain", "image/png"}
