"""A judge was mended: who changes and by how much is known before anything is handed over."""

import hashlib
import shutil

import pytest
from msgspec.structs import replace

from grader import course
from grader.__main__ import main
from grader.grade import class_run, journal, version
from grader.grade import regrade as regrading
from grader.grade.submission import begun
from grader.results import gradebook
from grader.status import Status
from labsupport import files
from labsupport.check.judge.kit.verdict import Ending
from tests.results.test_gradebook import LAB, book, graded, row

pytestmark = pytest.mark.lengthy


@pytest.fixture
def mended(folder, monkeypatch):
    """ann and bob were graded by an older judge; the mended one gives ann all points of one exercise."""
    digest = hashlib.sha256(b"{}").hexdigest()
    for student in ("ann", "bob"):
        files.write_whole(course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb", b"{}")
    gradebook.hand_over(LAB, [graded(student, 0.5, digest=digest) for student in ("ann", "bob")])

    def judge(task):
        if task.submission.raw is None:
            return replace(begun(task), status=task.submission.status, reason=task.submission.reason)
        old = journal.read(LAB, task.submission.student)
        new = replace(begun(task), status=Status.GRADED, verdicts=dict(old.verdicts), notebook=old.notebook)
        new.verdicts["prune_magnitude"] = replace(
            old.verdicts["prune_magnitude"], status=Ending.WRONG, share=1.0 if new.student == "ann" else 0.5
        )
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
        "The judge of 2.2 refused &lt;right&gt; answers. The judge gave the exercises 5 points before, "
        "and gives 7 now."
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


def broken(monkeypatch):
    """From now on the judge of prune_magnitude fails on everybody, as one with a slip in it does."""
    judge = class_run.grade
    monkeypatch.setattr(version, "of", lambda _: "another")

    def failing(task):
        new = judge(task)
        fault = replace(new.verdicts["prune_magnitude"], status=Ending.FAULT, share=0.0)
        return replace(
            new,
            status=Status.PARTLY_GRADED,
            reason="It failed.",
            verdicts=new.verdicts | {"prune_magnitude": fault},
        )

    monkeypatch.setattr(class_run, "grade", failing)


def test_a_broken_judge_takes_no_points(mended, monkeypatch, capsys):
    """Nothing was judged, so nobody is told of 0 points; the mended judge tells later."""
    with monkeypatch.context() as patch:
        broken(patch)
        assert main(["regrade", LAB, "--why", "The judge is new."]) == 1
    said = capsys.readouterr().out
    assert "  bob: prune_magnitude 2 -> not judged\n" in said and "  bob: PARTLY_GRADED: It failed.\n" in said
    assert [journal.read(LAB, student).why for student in ("ann", "bob")] == ["", ""]
    assert main(["regrade", LAB, "--why", "The judge is new."]) == 0
    assert "bob: prune_magnitude not judged -> 2\n" in capsys.readouterr().out
    assert journal.read(LAB, "bob").why == "The judge is new. The judge gives the exercises 5 points now."


def test_points_by_hand_are_named_as_standing(mended, capsys):
    """They do not change, so neither the instructor nor the student is told that they did."""
    with book() as open_book:
        open_book.find_grade("check_prune_magnitude", LAB, LAB, "ann").manual_score = 1.5
        open_book.db.commit()
    assert main(["regrade", LAB, "--why", "The judge of 2.2 refused right answers."]) == 0
    assert "(prune_magnitude 2 -> 4; 1.5 by hand stands)" in capsys.readouterr().out
    page = gradebook.feedback(LAB) / "ann" / LAB / f"{LAB}.html"
    assert (
        "gives 7 now.</p>" in page.read_text() and "Points that were given by hand stand." in page.read_text()
    )
    assert row("ann")["total"] == "4.5"


def test_a_judge_that_failed_leaves_no_doubt_of_points_by_hand(mended, monkeypatch):
    """They are for this work: once the judge is mended nothing says that they were for earlier work."""
    with book() as open_book:
        open_book.find_grade("check_prune_magnitude", LAB, LAB, "ann").manual_score = 1.5
        open_book.db.commit()
    with monkeypatch.context() as patch:
        broken(patch)
        assert main(["regrade", LAB]) == 1
    assert main(["regrade", LAB]) == 0
    assert row("ann")["notes"] == "" and row("ann")["prune_magnitude"] == "1.5"


def test_a_sentence_whose_numbers_are_not_true_any_more_goes(mended, monkeypatch):
    assert main(["regrade", LAB, "--why", "The judge of 2.2 refused right answers."]) == 0
    with monkeypatch.context() as patch:
        broken(patch)
        assert main(["regrade", LAB]) == 1
    assert journal.read(LAB, "ann").why == ""


def test_work_that_vanished_is_named(mended, capsys):
    """It keeps its points, and neither the list nor the table says that a regrade renews them."""
    version.note(LAB, "another")
    shutil.rmtree(course.folder() / "submitted" / "ann")
    assert main(["regrade", LAB]) == 1
    said = capsys.readouterr().out
    assert "ann: not graded again" in said and "collect it once more" in said
    assert "collect it once more" in row("ann")["notes"] and row("ann")["total"] == "5"


def test_other_work_is_no_change_and_is_not_silent(mended, capsys):
    place = course.folder() / "submitted"
    files.write_whole(place / "bob" / LAB / f"{LAB}.ipynb", b"{ }")
    shutil.rmtree(place / "ann" / LAB)
    assert main(["regrade", LAB, "--dry-run"]) == 1
    said = capsys.readouterr().out
    assert "bob: other work than before: 5 -> 5 points" in said
    assert "ann: NOT_SUBMITTED: " in said and "0 of 2 change" in said
