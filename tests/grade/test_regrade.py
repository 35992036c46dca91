"""A judge was mended: who changes and by how much is known before anything is handed over."""

import hashlib

import pytest
from msgspec.structs import replace

from grader import course
from grader.__main__ import main
from grader.grade import class_run, journal
from grader.grade import regrade as regrading
from grader.grade.submission import begun
from grader.results import gradebook
from labsupport import files
from tests.results.test_gradebook import LAB, graded

pytestmark = pytest.mark.lengthy


@pytest.fixture
def mended(folder, monkeypatch):
    """ann and bob were graded by an older judge; the mended one gives ann all points of one exercise."""
    digest = hashlib.sha256(b"{}").hexdigest()
    for student in ("ann", "bob"):
        files.write_whole(course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb", b"{}")
    gradebook.hand_over(LAB, [graded(student, 0.5, digest=digest) for student in ("ann", "bob")])

    def judge(task):
        old = journal.read(LAB, task.submission.student)
        new = replace(begun(task), status=old.status, verdicts=dict(old.verdicts), notebook=old.notebook)
        if new.student == "ann":
            new.verdicts["prune_magnitude"] = replace(new.verdicts["prune_magnitude"], share=1.0)
        return new

    monkeypatch.setattr(class_run, "grade", judge)


def stored() -> dict:
    return {path.name: path.read_bytes() for path in journal.folder(LAB).glob("*") if path.is_file()}


def test_a_dry_run_says_who_changes_and_writes_nothing(mended, capsys):
    before = stored()
    assert main(["regrade", LAB, "--dry-run", "--why", "x"]) == 0
    said = capsys.readouterr().out
    assert "ann: 5 -> 7 points (prune_magnitude 2 -> 4)" in said and "bob" not in said
    assert f"{LAB}: 1 of 2 change. Nothing was written." in said
    assert stored() == before and gradebook.students(LAB)["ann"].score == 5


def test_those_who_changed_are_told_why(mended, capsys):
    """In their feedback alone; another regrade of the same work keeps the sentence."""
    assert main(["regrade", LAB, "--why", "The judge of 2.2 refused <right> answers."]) == 0
    assert gradebook.students(LAB)["ann"].score == 7
    told = (
        "The judge of 2.2 refused &lt;right&gt; answers. The exercises had 5 points before, and have 7 now."
    )
    for again in (False, True):
        if again:
            assert main(["regrade", LAB]) == 0
        pages = gradebook.feedback(LAB)
        assert told in (pages / "ann" / LAB / f"{LAB}.html").read_text()
        assert "refused" not in (pages / "bob" / LAB / f"{LAB}.html").read_text()


def test_a_killed_regrade_has_told_whom_it_graded(mended, monkeypatch):
    """The next one finds their points the same, and would tell them nothing."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(regrading, "compared", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        regrading.regrade(LAB, None, "The judge refused right answers.", False)
    assert main(["regrade", LAB, "--why", "The judge refused right answers."]) == 0
    assert journal.read(LAB, "ann").why.startswith("The judge refused right answers.")
    assert journal.read(LAB, "bob").why == ""


def test_a_dry_run_leaves_times_too(mended):
    """Collected again with another time, which a run that is not dry would enter."""
    place = course.folder() / "submitted" / "ann" / LAB / "timestamp.txt"
    files.write_whole(place, b"2026-11-21 10:00:00 UTC")
    before = stored()
    assert main(["regrade", LAB, "--dry-run"]) == 0 and stored() == before
