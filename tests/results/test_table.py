"""The table of grades: what stands in it is what was judged, and where nothing was judged it is empty."""

import csv
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from nbgrader.api import Gradebook

from grader import course
from grader.__main__ import main
from grader.author import source
from grader.grade import journal
from grader.grade.journal import Judged, Record
from grader.intake import stored
from grader.results import course_page, lms_export, table
from grader.results.person import Person
from grader.status import ENDED_EARLY, Status
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
POINTS = {"magnitude_mask": 3, "prune_magnitude": 4, "global_magnitude_masks": 3}
WRITTEN = "magnitude_reflection"
DUE = datetime(2026, 11, 20, 12)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    return tmp_path / "course"


def record(student, *shares, status=Status.GRADED, **changes):
    """A record whose exercises earned these shares of their points; None for one that was not reached."""
    verdicts = {
        name: Judged(
            exercise=name,
            number="2",
            status=Ending.UNASKED if share is None else Ending.RIGHT if share == 1 else Ending.WRONG,
            lines=[],
            share=share or 0.0,
            points=POINTS[name],
            submission="",
        )
        for name, share in zip(POINTS, shares, strict=False)
    }
    given = {"submission": "0123456789abcdef" * 4, "version": "v", "submitted_at": "2026-11-20 11:00:00 UTC"}
    one = Record(student, LAB, **given | {"status": status, "verdicts": verdicts} | changes)
    journal.write(one)
    return one


def rows():
    """The rows of the table as the CSV has them, by the columns' titles."""
    titles, *lines = table.lines(LAB)
    return [dict(zip(titles, line, strict=True)) for line in lines]


def row(student):
    return next(each for each in rows() if each["student"] == student)


def written(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory):
    """nbgrader's gradebook with the lab in it and a due date, made once: making one takes seconds."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    course.config()  # nbgrader finds alembic
    with Gradebook(f"sqlite:///{path}", "pruning-labs") as book:
        book.add_assignment(LAB, duedate=DUE)
        book.add_notebook(LAB, LAB)
        for name, points in POINTS.items():
            book.add_grade_cell(f"check_{name}", LAB, LAB, max_score=points, cell_type="code")
        book.add_grade_cell(WRITTEN, LAB, LAB, max_score=3, cell_type="markdown")
    return path


@pytest.fixture
def book(empty_gradebook):
    """The gradebook of the course."""
    shutil.copy(empty_gradebook, course.prepare() / "gradebook.db")
    with Gradebook(course.gradebook_url(), "pruning-labs") as book:
        yield book


def hand_in(book, student, late=timedelta(0), penalty=None):
    book.add_student(student)
    submission = book.add_submission(LAB, student, timestamp=DUE + late)
    submission.notebooks[0].late_submission_penalty = penalty
    book.db.commit()


def by_hand(book, student, cell, **values):
    grade = book.find_grade(cell, LAB, LAB, student)
    for name, value in values.items():
        setattr(grade, name, value)
    book.db.commit()


# Scores


def test_points_are_shares_of_what_each_exercise_is_worth():
    record("ann", 1, 0.5, 2 / 3)
    found = row("ann")
    assert [found[name] for name in POINTS] == ["3", "2", "2"]
    assert (found["total"], found["max"], found["status"]) == ("7", "13", Status.GRADED)
    assert (found["submission"], found["submitted_at"]) == ("0123456789ab", "2026-11-20 11:00:00 UTC")
    assert list(found) == table.columns(LAB)


def test_a_starred_exercise_costs_and_earns_nothing():
    """It has no column and is in no maximum; whoever has only that right still has no points."""
    (starred,) = (cell.name for cell in source.read(LAB) if cell.kind == "check" and not cell.points)
    for student, share, status in (("ann", 1, Ending.UNWRITTEN), ("ben", 0.0, Ending.RIGHT)):
        one = record(student, share, share, share)
        first = one.verdicts["magnitude_mask"]
        one.verdicts[starred] = replace(first, exercise=starred, status=status, share=1 - share, points=0)
        journal.write(one)
        assert Person("a", table.rows(LAB)[-1], one, "", []).nothing == (student == "ben")
    assert starred not in table.columns(LAB)
    assert [(found["total"], found["max"]) for found in rows()] == [("10", "13"), ("0", "13")]


def test_the_total_is_of_the_points_and_not_of_what_was_rounded():
    record("ann", 1 / 3 + 0.0015, 0.25 + 0.001, 1 / 3 + 0.0015)
    assert [row("ann")[name] for name in (*POINTS, "total")] == ["1", "1", "1", "3.01"]


def test_a_wrong_answer_in_a_graded_submission_is_a_zero():
    record("ann", 0.0, None, 1)
    assert [row("ann")[name] for name in (*POINTS, "total")] == ["0", "0", "3", "3"]


@pytest.mark.lengthy
@pytest.mark.parametrize("status", [Status.UNREADABLE, Status.NOT_SUBMITTED, Status.GRADER_ERROR])
def test_a_failure_is_never_a_zero(status, book):
    """Not even where a person graded the submission before."""
    record("ann", 1, 1, 1, status=status, reason="It is empty.")
    hand_in(book, "ann", timedelta(hours=1), penalty=1.0)
    by_hand(book, "ann", WRITTEN, manual_score=2.0)
    found = row("ann")
    assert not any(found[name] for name in (*POINTS, WRITTEN, "total", "late_penalty"))
    assert (found["status"], found["reason"]) == (status, "It is empty.")


@pytest.mark.parametrize("status", ENDED_EARLY)
def test_what_was_judged_before_the_end_stands_and_the_rest_is_empty(status):
    record("ann", 1, None, status=status, reason="It ended in prune_magnitude.")
    found = row("ann")
    assert [found[name] for name in (*POINTS, "total")] == ["3", "", "", "3"]
    assert (found["status"], found["reason"]) == (status, "It ended in prune_magnitude.")
    record("bob", None, None, None, status=status)
    assert row("bob")["total"] == ""


# Who is in the table


@pytest.mark.lengthy
def test_nobody_is_missing(folder, book):
    """Not those on the roster, in the gradebook or with a folder in submitted/ alone."""
    record("ann", 1, 1, 1)
    book.add_student("bob")
    (folder / "submitted" / "cem" / LAB).mkdir(parents=True)
    (folder / "submitted" / "cem" / LAB / f"{LAB}.ipynb").write_text("{}")
    (folder / "submitted" / "dan" / "01_perplexity").mkdir(parents=True)
    (folder / "submitted" / ".collect-x").mkdir()
    (folder / "roster.csv").write_text("student_id,name\neve,Eve Adams\nann,Ann Lee\n")
    assert {each["student"]: each["status"] for each in rows()} == {
        "ann": Status.GRADED,
        "bob": Status.NOT_SUBMITTED,
        "cem": "not graded yet",
        "dan": Status.NOT_SUBMITTED,
        "eve": Status.NOT_SUBMITTED,
    }
    assert all(not each["total"] and each["reason"] for each in rows() if each["student"] != "ann")


def test_a_class_without_students_has_a_table_without_rows(tmp_path):
    assert written(table.write_csv(LAB, tmp_path / "new" / "grades.csv")) == []
    assert (tmp_path / "new" / "grades.csv").read_text().startswith("student,magnitude_mask,prune_magnitude,")


def test_looking_makes_no_gradebook(folder):
    record("ann", 1)
    table.rows("02")
    assert not (folder / "gradebook.db").exists()


# What nbgrader knows


def test_a_written_answer_is_empty_until_a_person_grades_it(book):
    record("ann", 1, 1, 1)
    hand_in(book, "ann")
    assert (row("ann")[WRITTEN], row("ann")["total"]) == ("", "10")
    by_hand(book, "ann", WRITTEN, manual_score=2.5, extra_credit=0.25)
    assert (row("ann")[WRITTEN], row("ann")["total"]) == ("2.75", "12.75")


def test_a_question_left_as_it_was_released_is_a_zero_that_nobody_must_grade(book):
    record("ann", 1, 1, 1)
    hand_in(book, "ann")
    by_hand(book, "ann", WRITTEN, auto_score=0.0, needs_manual_grade=False)
    assert row("ann")[WRITTEN] == "0"
    by_hand(book, "ann", WRITTEN, needs_manual_grade=True)  # a person took a grade back
    assert row("ann")[WRITTEN] == ""


def test_a_person_overrules_the_examiner(book):
    record("ann", 0, 1, 1)
    hand_in(book, "ann")
    by_hand(book, "ann", "check_magnitude_mask", auto_score=0.0, manual_score=1.5)
    by_hand(book, "ann", "check_prune_magnitude", auto_score=1.0)  # an old one; the record is newer
    assert [row("ann")[name] for name in (*POINTS, "total")] == ["1.5", "4", "3", "8.5"]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("late", "penalty", "expected"),
    [
        (timedelta(hours=-1), None, ("no", "0", "", "10")),
        (timedelta(hours=2), None, ("yes", "7200", "", "10")),
        (timedelta(hours=2), 1.5, ("yes", "7200", "1.5", "8.5")),
        (timedelta(days=9), 99.0, ("yes", "777600", "99", "0")),
    ],
)
def test_lateness_and_what_it_costs(book, late, penalty, expected):
    record("ann", 1, 1, 1)
    hand_in(book, "ann", late, penalty)
    found = row("ann")
    assert tuple(found[name] for name in ("late", "late_seconds", "late_penalty", "total")) == expected


def test_a_platforms_mark_of_lateness_stands_where_no_time_is_known(folder):
    """Canvas's download says LATE and not how late: the table and what Canvas gets back say so too."""
    record("ann", 1, 1, 1)
    record("bob", 1, 1, 1)
    folder.joinpath("submitted", "ann", LAB).mkdir(parents=True)
    folder.joinpath("submitted", "ann", LAB, stored.LATE).touch()
    assert [(row(who)["late"], row(who)["late_seconds"]) for who in ("ann", "bob")] == [("yes", ""), ("", "")]
    ann, bob = lms_export.lines(LAB, "canvas")[2:]
    assert "late as the platform marks it" in ann[-1] and "late" not in bob[-1]


def test_an_extension_is_no_lateness_and_without_a_due_date_nothing_is_known(book):
    record("ann", 1)
    hand_in(book, "ann", timedelta(hours=2))
    book.grant_extension(LAB, "ann", hours=3)
    assert row("ann")["late"] == "no"
    book.update_or_create_assignment(LAB, duedate=None)
    assert (row("ann")["late"], row("ann")["late_seconds"]) == ("", "")


def test_a_gradebook_that_cannot_be_read_is_one_sentence(folder):
    record("ann", 1)
    course.prepare()
    (folder / "gradebook.db").write_bytes(b"no database " * 100)
    with pytest.raises(
        LabError, match=r"gradebook .*gradebook\.db cannot be read: file is not a database\.$"
    ):
        table.rows(LAB)


def test_a_password_is_not_in_the_sentence(folder):
    course.prepare()
    with (folder / course.OWN).open("a") as file:
        file.write('c.CourseDirectory.db_url = "postgresql+nodriver://ann:hunter2@host/grades"\n')
    with pytest.raises(LabError, match="cannot be read") as told:
        table.rows(LAB)
    assert "hunter2" not in str(told.value)


# The file


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", " =", "＝", "\r="])
def test_a_spreadsheet_calculates_nothing(start, tmp_path):
    student = f'{start}HYPERLINK("x","y")'
    record(student, 1, reason=f"{start}1+1", submitted_at=f"{start}1")
    cells = written(table.write_csv(LAB, tmp_path / "grades.csv"))[0]
    assert all(cells[name].startswith("'") for name in ("student", "reason", "submitted_at"))
    assert cells["magnitude_mask"] == "3" and cells["late_penalty"] == ""


def test_a_row_is_one_line_whatever_the_reason_holds(tmp_path):
    record("ann", 1, reason='a "quoted",\nsecond\r\nline \ud800 \x00 \u202e')
    record("bob", 1)
    path = table.write_csv(LAB, tmp_path / "grades.csv")
    assert len(path.read_text().splitlines()) == 3
    assert [cells["student"] for cells in written(path)] == ["ann", "bob"]
    assert written(path)[0]["reason"].startswith('a "quoted",?second')


def test_the_old_table_stands_when_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    record("ann", 1)
    path = table.write_csv(LAB, tmp_path / "grades.csv")
    old = path.read_bytes()
    record("bob", 1)
    with pytest.raises(LabError, match=r"The grades cannot be written to .*: Is a directory\.$"):
        table.write_csv(LAB, tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(LabError, match=r"grades\.csv: No space left on device\.$"):
        table.write_csv(LAB, path)
    assert path.read_bytes() == old and [each.name for each in tmp_path.glob("*.csv*")] == ["grades.csv"]


# As a learning platform imports them

ROSTER = """student_id,name,canvas_id,sis_login_id,section,id_number,email
ann,"Lee, Ann",4001,alee,Mon,S-1,ann@uni.edu
bob,Bob Ray,4002,bray,Mon,S-2,bob@uni.edu
eve,=cmd|'/c calc'!A1,4003,@eve,Tue,+3,-eve@uni.edu
"""


@pytest.fixture
def class_of_four(folder, book):
    """Ann lost points for being late, Bob's answer waits, Eve's file is none, Zoe is not on the roster."""
    record("ann", 1, 1, 1)
    record("bob", 1, 0.5, 0)
    record("eve", status=Status.UNREADABLE, reason="It is no notebook: it begins with '<b>'.")
    record("zoe", 0, 0, 0)
    hand_in(book, "ann", timedelta(days=2, hours=3), penalty=3)
    hand_in(book, "bob")
    by_hand(book, "ann", WRITTEN, manual_score=3.0, needs_manual_grade=False)
    (folder / "roster.csv").write_text(ROSTER)
    (folder / course.OWN).write_text(f"{course.OWN_TEXT}{RULE}")


RULE = """
from nbgrader.plugins import LateSubmissionPlugin
class Rule(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 3
c.AssignLatePenalties.plugin_class = Rule
"""


def typed(path, *options):
    """The file that the command writes, as titles and rows."""
    assert main(["grades", "02", "--csv", str(path), *options]) == 0
    with path.open(newline="", encoding="utf-8") as file:
        titles, *lines = csv.reader(file)
    return titles, lines


@pytest.mark.lengthy
def test_canvas_finds_one_assignment_and_everybody(class_of_four, tmp_path):
    """Canvas makes an assignment of each column behind Section that does not speak of a final grade."""
    titles, (most, *lines) = typed(tmp_path / "c.csv", "--layout", "canvas", "--column", "Lab 2 (4711)")
    assert titles[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert [title for title in titles[5:] if "Final Grade" not in title] == ["Lab 2 (4711)"]
    assert most[0].strip() == "Points Possible" and most[5:] == ["13", "(read only)"]
    ann, bob, eve, zoe = lines
    assert ann[:6] == ["Lee, Ann", "4001", "", "alee", "Mon", "10"]
    assert ann[6] == "GRADED, late by 2 d 3 h, 3 points off"
    assert bob[5:] == ["5", "GRADED, a written answer waits to be graded"]
    assert (eve[1], eve[5:]) == ("4003", ["", "UNREADABLE"])
    assert zoe[:6] == ["zoe", "", "", "zoe", "", "0"]  # Canvas knows logins; a number would be another's


def test_canvas_gets_a_new_assignment_when_none_is_named(class_of_four):
    assert lms_export.lines("2", "canvas")[0][5] == "Lab 02: magnitude pruning"


def test_moodle_reads_points_percent_and_comments(class_of_four, tmp_path):
    titles, lines = typed(tmp_path / "m.csv", "--layout", "moodle")
    assert {"Identifier", "Email address", "ID number", "Grade", "Last modified (grade)"} <= set(titles)
    ann, bob, eve, zoe = (dict(zip(titles, line, strict=True)) for line in lines)
    who = ("Full name", "ID number", "Email address", "Grade", "Maximum Grade", "Percentage")
    assert [ann[title] for title in who] == ["Lee, Ann", "S-1", "ann@uni.edu", "10", "13", "76.92"]
    said = ann["Feedback comments"]
    assert (
        said.startswith("10 of 13 points: magnitude_mask 3 of 5,")
        and "Late by 2 d 3 h, 3 points off." in said
    )
    assert "magnitude_reflection – of 3. A written answer is not graded yet." in bob["Feedback comments"]
    assert (eve["Grade"], eve["Percentage"], eve["Status"]) == ("", "", "UNREADABLE")
    assert "begins with '&lt;b&gt;'" in eve["Feedback comments"]  # Moodle shows comments as HTML
    assert (zoe["Username"], zoe["Grade"]) == ("zoe", "0")


def test_a_platforms_comment_names_no_command(folder):
    """Moodle shows it to the student; `grade` is the instructor's."""
    work = folder / "submitted" / "ann" / LAB / f"{LAB}.ipynb"
    work.parent.mkdir(parents=True)
    work.write_text("{}")
    titles, ann = lms_export.lines(LAB, "moodle")
    assert dict(zip(titles, ann, strict=True))["Feedback comments"] == "Not graded yet."


@pytest.mark.lengthy
@pytest.mark.parametrize("layout", ["canvas", "moodle"])
def test_a_spreadsheet_calculates_nothing_in_a_platforms_layout(layout, class_of_four, tmp_path):
    _, lines = typed(tmp_path / "p.csv", "--layout", layout, "--column", "=1+1")
    eve = next(line for line in lines if any("calc" in cell for cell in line))
    assert not [cell for cell in eve if cell[:1] in "=+-@" and cell]
    assert sum(cell[:1] == "'" for cell in eve) >= 2
    assert typed(tmp_path / "p.csv", "--layout", layout, "--column", "=1+1")[0].count("'=1+1") == 1


@pytest.mark.parametrize(
    "titles", ["Student,ID,SIS User ID,SIS Login ID", "Full name,Identifier,ID number,Email address"]
)
def test_a_platforms_own_list_is_a_roster(titles, folder, tmp_path):
    """Its export and a column student_id in front: no column must be renamed, and all come back."""
    record("ann", 1, 1, 1)
    folder.joinpath("roster.csv").write_text(f"student_id,{titles}\nann,Ann Lee,77,s9,ann@uni.edu\n")
    assert lms_export.roster.read(folder / "roster.csv").find("leeann")[0] == "ann"
    for layout in ("canvas", "moodle"):
        line = lms_export.lines(LAB, layout)[-1]
        assert {"Ann Lee", "s9" if "SIS" in titles or layout == "moodle" else "ann"} <= set(line)


def test_the_command_says_what_the_import_will_not_show(class_of_four, tmp_path, capsys):
    typed(tmp_path / "c.csv", "--layout", "canvas")
    said = capsys.readouterr().out
    assert "3 of 4 students have a score; the others' cells are empty, not 0." in said
    assert "Late: 1." in said and "a total without it: 2." in said and "the student id alone: 1." in said


def test_the_layout_that_was_there_stays(class_of_four, tmp_path, capsys):
    titles, lines = typed(tmp_path / "g.csv")
    assert titles == table.columns(LAB) and [line[0] for line in lines] == ["ann", "bob", "eve", "zoe"]
    assert capsys.readouterr().out == f"{tmp_path / 'g.csv'}\n"
    assert main(["grades", "02", "--csv", str(tmp_path / "g.csv"), "--column", "x"]) == 2
    assert "--layout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59, "less than a minute"), (60, "1 min"), (5400, "1 h 30 min"), (86461, "1 d"), (90061, "1 d 1 h")],
)
def test_a_time_is_said_as_a_person_says_it(seconds, words):
    assert lms_export.span(seconds) == words


# Extensions and exemptions


def grant(tmp_path, text: str) -> int:
    (tmp_path / "more.csv").write_text(text)
    return main(["extensions", LAB, str(tmp_path / "more.csv")])


@pytest.mark.lengthy
def test_more_time_for_some(book, tmp_path, capsys):
    """By days or until a day; of those who have handed in, lateness is that of now, also of a moved date."""
    for student in ("ann", "bob", "cem"):
        record(student, 1)
        hand_in(book, student, late=timedelta(hours=30))
    assert grant(tmp_path, "student_id;days;until\nann;2;\nbob;;2026-11-21 17:00\n") == 0
    assert [row(student)["late"] for student in ("ann", "bob", "cem")] == ["no", "yes", "yes"]
    assert row("bob")["late_seconds"] == "3600"
    assert "bob: until 2026-11-21 17:00 UTC" in capsys.readouterr().out
    book.update_or_create_assignment(LAB, duedate=DUE - timedelta(days=1))
    book.grant_extension(LAB, "cem", days=3)  # nobody wrote that into a file
    assert grant(tmp_path, "student_id,until\nbob,2026-11-21\n") == 0
    assert [row(student)["late"] for student in ("ann", "bob", "cem")] == ["yes", "no", "no"]
    assert grant(tmp_path, "student_id,days\nbob,\n") == 0
    assert row("bob")["late_seconds"] == str(54 * 3600)


@pytest.mark.lengthy
def test_a_day_before_the_due_date_is_no_more_time_and_not_silent(book, tmp_path, capsys):
    """The year of a slip, for instance: the student's work would be late as before."""
    record("ann", 1)
    hand_in(book, "ann", late=timedelta(hours=30))
    assert grant(tmp_path, "student_id,until\nann,2025-12-01\n") == 1
    assert capsys.readouterr().out.endswith("UTC, so there is no more time for: ann.\n")
    assert row("ann")["late"] == "yes"
    assert grant(tmp_path, "student_id,until\nann,2026-12-01\n") == 0


def test_who_is_exempt_has_no_score_and_misses_nothing(tmp_path, capsys):
    """In the table, for Canvas, and on the course's page, where the lab does not count."""
    for student in ("ann", "bob", "cem"):
        record(student, 0)
        mark = course.folder() / "submitted" / student / LAB / stored.LATE
        mark.parent.mkdir(parents=True)
        mark.touch()
    assert grant(tmp_path, "student_id,exempt\nann,yes\nbob,no\nzoe,x\n") == 1
    assert "zoe: exempt (not known in this course)" in capsys.readouterr().out
    assert (row("ann")["status"], row("ann")["total"], row("bob")["total"]) == ("EXEMPT", "", "0")
    assert (row("ann")["late"], row("bob")["late"]) == ("", "yes")
    canvas = {line[0]: line for line in lms_export.lines(LAB, "canvas")}
    assert canvas["ann"][5] == "EX" and canvas["bob"][5] == "0"
    (course.folder() / "release" / LAB).mkdir(parents=True)
    people = {each.student: each for each in course_page.students(course_page.handed_out(tmp_path))}
    assert people["bob"].behind and not people["ann"].behind
    assert main(["report", LAB]) == 0


@pytest.mark.lengthy
def test_a_slip_that_is_taken_back_leaves_no_row(book, tmp_path, capsys):
    """Somebody who does not exist is in no table that a platform imports."""
    record("ann", 1)
    assert grant(tmp_path, "student_id,days,exempt\nanm,1,\nbeb,,yes\n") == 1
    assert "anm: 1 day more (not known in this course)" in capsys.readouterr().out
    assert grant(tmp_path, "student_id,days,exempt\nanm,1,\n") == 1  # known by no second slip
    assert [each.student for each in table.rows(LAB)] == ["anm", "ann", "beb"]
    assert grant(tmp_path, "student_id,days,exempt\nanm,,\n") == 0
    assert [each.student for each in table.rows(LAB)] == ["ann", "beb"]


@pytest.mark.parametrize(
    "text",
    ["student_id\nann\n", "student_id,days\nann,many\n", "student_id,days\nann,-1\n",
     "student_id,days,until\nann,1,2026-12-03\n", "student_id,until\nann,soon\n",
     "student_id,exempt\nann,perhaps\n",
     "student_id,days\nann,1,5\n", "student_id,days,Days\nann,1,2\n",
     "student_id,days\nann,1\nann,2\n", "student_id,days\n,1\n", "name,days\nann,1\n"],
)  # fmt: skip
def test_a_file_that_says_nothing_clear_changes_nothing(tmp_path, text, capsys):
    assert grant(tmp_path, "student_id,days\nann,1\n") == 1
    kept = (course.folder() / "extensions" / f"{LAB}.csv").read_text()
    assert grant(tmp_path, text) == 2 and "more.csv" in capsys.readouterr().err
    assert (course.folder() / "extensions" / f"{LAB}.csv").read_text() == kept


@pytest.mark.lengthy
@pytest.mark.parametrize("layout", [[], ["--layout", "canvas"], ["--layout", "moodle"]])
def test_a_dash_prints_the_table_and_nothing_else(folder, tmp_path, layout):
    """`grades 02 --csv - | ...` reads the bytes of the file, in any encoding of the terminal."""
    record("käthe")
    words = [sys.executable, "-m", "grader", "grades", "02", *layout, "--csv"]
    ascii_terminal = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(course.ROOT)}
    printed = subprocess.run([*words, "-"], cwd=tmp_path, capture_output=True, env=ascii_terminal)
    assert (
        subprocess.run([*words, "g.csv"], cwd=tmp_path, capture_output=True, env=ascii_terminal).returncode
        == 0
    )
    assert printed.returncode == 0 and "käthe".encode() in printed.stdout
    assert printed.stdout == (tmp_path / "g.csv").read_bytes() and not (tmp_path / "-").exists()


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "words",
    [
        "grader essays 02 --to -", "grader archive -", "grader collect 02 . --unmatched -",
        "labsupport report tiny --html -", "labsupport compare --results -", "benchmarks --file -",
    ],
)  # fmt: skip
def test_a_dash_is_no_file_elsewhere(words, tmp_path):
    """Nothing is written to a file of that name: the command says that it needs a name."""
    done = subprocess.run(
        [sys.executable, "-m", *words.split()], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(course.ROOT)},
    )  # fmt: skip
    assert done.returncode == 2 and "a file's name is needed here" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "-").exists()
