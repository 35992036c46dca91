"""A lab that changes after it was handed in: what cannot be replaced stays, and the sentence says how."""

import os
import re
import shutil
import time

import pytest

from grader import course
from grader.__main__ import main
from grader.author.release import release
from grader.grade import class_run, journal, version
from grader.grade.submission import begun
from grader.results import gradebook, table
from labsupport import files
from labsupport.errors import LabError
from tests.results.test_gradebook import LAB, LATE, due, graded, manual, penalty

pytestmark = pytest.mark.lengthy


@pytest.fixture
def source(folder, tmp_path, monkeypatch):
    """The source of the lab, to be changed, in a course where one student has handed in."""
    shutil.copytree(course.SOLUTIONS, tmp_path / "solutions")
    monkeypatch.setattr(course, "SOLUTIONS", tmp_path / "solutions")
    gradebook.hand_over(LAB, [graded("ann")])
    return course.source(LAB)


def test_dropping_an_exercise_leaves_the_old_release(source):
    """nbgrader refuses, and deleted the release: then `grade` and `release` pointed at each other."""
    old = {path: path.read_bytes() for path in course.folder().glob(f"*/{LAB}/*.ipynb")}
    text = source.read_text()
    dropped = re.sub(
        r'# %% exercise="global_magnitude_masks".*?(?=# %% \[markdown\])', "", text, flags=re.DOTALL
    )
    assert dropped != text
    source.write_text(dropped)
    with pytest.raises(LabError, match=r"The old release stays\. Keep every exercise .* points=0"):
        release([LAB])
    assert {path: path.read_bytes() for path in course.folder().glob(f"*/{LAB}/*.ipynb")} == old
    assert not list(course.folder().glob(".release-*"))


def test_what_a_killed_release_left_goes_and_anothers_stays(source):
    """A folder with the solutions lay in the course for ever; one of now may be another release's."""
    for name, age in ((".release-old", 5000), (".release-new", 0)):
        (course.folder() / name).mkdir()
        os.utime(course.folder() / name, (time.time() - age,) * 2)
    release([LAB])
    assert [path.name for path in course.folder().glob(".release-*")] == [".release-new"]


def test_an_exercise_of_no_points_counts_no_more(source):
    """What the sentence says works: the class is graded again, and table and total are without it."""
    text = source.read_text()
    source.write_text(
        text.replace('check="global_magnitude_masks" points=1', 'check="global_magnitude_masks" points=0')
    )
    assert source.read_text() != text
    release([LAB])
    gradebook.hand_over(LAB, [graded("ann")])
    (row,) = table.rows(LAB)
    assert (row.total, row.most) == (9, 12) and "global_magnitude_masks" not in row.scores
    assert gradebook.students(LAB)["ann"].score == 9


def test_a_dropped_exercise_is_in_no_penalty(source):
    """Points by hand for it stay in nbgrader's gradebook; a tenth for lateness is a tenth of the total."""
    due("2026-11-20 12:00:00")
    penalty("return score / 10")
    manual("ann", "check_global_magnitude_masks", 1)
    text = source.read_text()
    source.write_text(
        text.replace('check="global_magnitude_masks" points=1', 'check="global_magnitude_masks" points=0')
    )
    release([LAB])
    gradebook.hand_over(LAB, [graded("ann", at=LATE)])
    (row,) = table.rows(LAB)
    assert (round(row.penalty, 6), round(row.total or 0, 6)) == (0.9, 8.1)


def test_other_points_are_graded_after_their_release_and_not_before(source, monkeypatch, capsys):
    """Otherwise a right answer had 4 of 6 points, and neither a mark nor a later regrade said so."""
    files.write_whole(course.folder() / "submitted" / "ann" / LAB / f"{LAB}.ipynb", b"{}")
    monkeypatch.setattr(class_run, "grade", begun)
    before = version.of(LAB)
    assert main(["grade", LAB]) == 0
    source.write_text(
        source.read_text().replace('check="prune_magnitude" points=4', 'check="prune_magnitude" points=6')
    )
    for command in (["grade", LAB], ["regrade", LAB, "--dry-run"], ["regrade", LAB]):
        assert main(command) == 2
        assert "prune_magnitude had 4 points when" in capsys.readouterr().err
    unreleased = version.of(LAB), version.here(LAB)
    release([LAB])
    assert len({before, unreleased[0], version.of(LAB)}) == 3 and version.here(LAB) != unreleased[1]
    assert main(["grade", LAB]) == 0 and journal.read(LAB, "ann").version == version.of(LAB)
