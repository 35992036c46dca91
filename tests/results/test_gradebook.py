"""The gradebook of a class: each record whole or not at all, one bad record nobody else's, late is late."""

import hashlib
import json
import os
import re
import sqlite3
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from sqlalchemy import Engine, event

from grader import course
from grader.__main__ import main
from grader.author.release import release
from grader.grade import class_run, journal, submission, version
from grader.grade.journal import Judged, Record
from grader.intake import files as submitted_files
from grader.intake import register
from grader.results import feedback, gradebook, penalties, table
from grader.results.similarity import identical
from grader.status import Status
from labsupport import files
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError
from tests.results.formgrader import serving

LAB = "02_magnitude_pruning"
WRITTEN = "magnitude_reflection"
ON_TIME = "2026-11-20 11:00:00 UTC"
LATE = "2026-11-20 15:00:00 UTC"  # three hours after what `due` says
pytestmark = pytest.mark.lengthy


def fresh(folder: Path, url: str = "") -> None:
    """A course with the lab released and nobody in it; url: of its gradebook, where that is its own."""
    if url:
        own = course.prepare() / course.OWN
        own.write_text(f"{course.OWN_TEXT}c.CourseDirectory.db_url = {url!r}\n")
    release([LAB])
    assert (folder / "gradebook.db").exists() == (not url)


def graded(student: str, share: float = 1.0, at: str = ON_TIME, digest: str = "0" * 64) -> Record:
    """A record in the journal as grading leaves it: every exercise earned this share of its points."""
    notebook = nbformat.read(course.folder() / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    record = Record(student, LAB, digest, "v", Status.GRADED, submitted_at=at)
    record.graded_at = f"{at} and {share}"
    for name, points in submission.check_points(notebook).items():
        record.verdicts[name] = Judged(
            exercise=name,
            number="2",
            status=Ending.RIGHT if share == 1 else Ending.WRONG,
            lines=[],
            share=share,
            points=points,
            submission="0" * 64,
        )
    written = next(
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN
    )
    written.source = "Small weights matter less."
    record.notebook = nbformat.writes(submission.annotated(notebook, record))
    journal.write(record)
    return record


def book() -> Gradebook:
    return Gradebook(course.gradebook_url(), "pruning-labs")


def due(moment: str) -> None:
    with book() as open_book:
        open_book.update_or_create_assignment(LAB, duedate=moment)


def row(student: str) -> dict[str, str]:
    """A student's row as the CSV has it, by the columns' titles."""
    titles, *lines = table.lines(LAB)
    return next(dict(zip(titles, line, strict=True)) for line in lines if line[0] == student)


def entered_at(student: str) -> int:
    """When nbgrader last wrote its copy of a submission, in nanoseconds."""
    return (course.folder() / "autograded" / student / LAB / f"{LAB}.ipynb").stat().st_mtime_ns


@pytest.fixture
def spoiled(monkeypatch):
    """Call it with students: nbgrader fails on their submissions, as on a bug of its own."""
    true = Autograde.init_assignment

    def spoil(*students):
        def init(self, assignment, student):
            true(self, assignment, student)
            if student in students:
                raise ValueError(f"no luck with {student}")

        monkeypatch.setattr(Autograde, "init_assignment", init)

    return spoil


# Whole or not at all


def test_a_class_is_entered(folder):
    """Scores, what waits for a person, and the notebooks that formgrader shows."""
    gradebook.hand_over(LAB, [graded("ann"), graded("bob", 0.5)])
    found = gradebook.students(LAB)
    assert {student: found[student].score for student in found} == {"ann": 10, "bob": 5}
    assert all(each.needs_manual_grade for each in found.values())
    for student in found:
        shown = nbformat.read(folder / "autograded" / student / LAB / f"{LAB}.ipynb", as_version=4)
        assert "Check" in json.dumps(shown)


def test_one_bad_record_costs_nobody_else_anything(folder, spoiled):
    """It is named with its reason; the others are in, nothing of it is, and the next run enters it alone."""
    records = [graded(student) for student in ("ann", "bob", "cem")]
    spoiled("bob")
    with pytest.raises(LabError, match=r"on bob .*ValueError: no luck with bob\. The journal keeps all"):
        gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB).keys() == {"ann", "cem"}
    with book() as open_book:
        assert {student.id for student in open_book.students} == {"ann", "cem"}  # not half of bob
    spoiled()
    kept = entered_at("ann")
    gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB)["bob"].score == 10
    assert entered_at("ann") == kept


def test_many_bad_records_are_one_sentence(folder, spoiled):
    """The first with its reason, the others by name."""
    spoiled("ann", "bob", "cem")
    with pytest.raises(LabError) as told:
        gradebook.hand_over(LAB, [graded(student) for student in ("ann", "bob", "cem")])
    said = str(told.value)
    assert "\n" not in said and "no luck with ann" in said and "2 others: bob, cem." in said


def test_what_a_bad_resubmission_had_earned_before_still_stands(folder, spoiled):
    gradebook.hand_over(LAB, [graded("ann", 0.5)])
    spoiled("ann")
    with pytest.raises(LabError):
        gradebook.hand_over(LAB, [graded("ann", 1.0)])
    assert gradebook.students(LAB)["ann"].score == 5


def test_killed_in_the_middle_of_a_record(folder, monkeypatch):
    """What nbgrader had written of it is not in the gradebook, and the next run enters it."""
    records = [graded("ann"), graded("bob")]
    true = gradebook.AdoptVerdicts._add_score

    def killed(self, cell, resources):
        true(self, cell, resources)
        if self.student_id == "bob":
            raise KeyboardInterrupt

    monkeypatch.setattr(gradebook.AdoptVerdicts, "_add_score", killed)
    with pytest.raises(KeyboardInterrupt):
        gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB).keys() == {"ann"}
    monkeypatch.setattr(gradebook.AdoptVerdicts, "_add_score", true)
    gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB)["bob"].score == 10


def test_locked_in_the_middle(folder, monkeypatch):
    """The rest waits for the next run, and nobody is tried in vain: each would wait for the lock again."""
    records = [graded(student) for student in ("ann", "bob", "cem")]
    tried, true = [], gradebook.adopt
    with sqlite3.connect(folder / "gradebook.db") as other:

        def locked(record):
            tried.append(record.student)
            if tried == ["ann", "bob"]:
                other.execute("BEGIN IMMEDIATE")
            true(record)

        monkeypatch.setattr(gradebook, "adopt", locked)
        with pytest.raises(
            LabError, match=r"gradebook .* cannot be reached: database is locked\. The journal keeps all"
        ):
            gradebook.hand_over(LAB, records)
        other.rollback()
    assert tried == ["ann", "bob"] and gradebook.students(LAB).keys() == {"ann"}
    gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB).keys() == {"ann", "bob", "cem"}


@pytest.mark.thorough
def test_a_new_gradebook_is_filled_again(folder):
    """Whoever moves to another database, or loses one, enters the class by the same command."""
    records = [graded("ann"), graded("bob")]
    gradebook.hand_over(LAB, records)
    (folder / "gradebook.db").unlink()
    with pytest.raises(LabError, match="No assignment with ID"):
        gradebook.hand_over(LAB, records)
    release([LAB])
    gradebook.hand_over(LAB, records)
    assert gradebook.students(LAB).keys() == {"ann", "bob"}


def test_a_persons_grade_stands_when_the_exercises_are_graded_again(folder):
    gradebook.hand_over(LAB, [graded("ann", 0.5)])
    with book() as open_book:
        open_book.find_grade(WRITTEN, LAB, LAB, "ann").manual_score = 2
        open_book.db.commit()
    gradebook.hand_over(LAB, [graded("ann", 1.0)])
    assert gradebook.students(LAB)["ann"].score == 12 and row("ann")[WRITTEN] == "2"


def manual(student: str, cell: str, score: float) -> None:
    """Points by hand, as formgrader enters them."""
    with book() as open_book:
        grade = open_book.find_grade(cell, LAB, LAB, student)
        grade.manual_score, grade.needs_manual_grade = score, False
        open_book.db.commit()


def test_a_persons_points_do_not_pass_silently_to_new_work(folder):
    """They stand, and table and `grade` say what the judge says now, until a person has looked."""
    gradebook.hand_over(LAB, [graded("ann", 0.5)])
    manual("ann", "check_magnitude_mask", 2)
    manual("ann", WRITTEN, 1)
    gradebook.hand_over(LAB, [graded("ann", 1.0)])
    assert row("ann")["notes"] == "" and row("ann")["magnitude_mask"] == "2"
    gradebook.hand_over(LAB, [graded("ann", 1.0, digest="1" * 64)])
    assert row("ann")["notes"] == (
        "magnitude_mask: 2 by hand for the earlier submission; the judge says 5 now. "
        f"{WRITTEN}: 1 by hand for the earlier submission; look at the answer of now."
    )
    gradebook.hand_over(LAB, [graded("ann", 0.75, digest="1" * 64)])
    assert row("ann")["notes"].count("earlier submission") == 2 and row("ann")["magnitude_mask"] == "2"
    manual("ann", "check_magnitude_mask", 2)
    manual("ann", WRITTEN, 2)
    assert row("ann")["notes"] == ""


def test_grade_and_report_say_so_too(folder, monkeypatch, capsys):
    """Whoever looks at neither table nor gradebook sees it in the terminal, or on the page."""
    gradebook.hand_over(LAB, [graded("ann", 0.5)])
    manual("ann", "check_magnitude_mask", 2)
    record = graded("ann", 1.0, digest="1" * 64)
    monkeypatch.setattr(class_run, "grade_class", lambda *_: [record])
    assert main(["grade", LAB]) == main(["report", LAB]) == 0
    said = "magnitude_mask: 2 by hand for the earlier submission; the judge says 5 now."
    assert f"  ann: {said}" in capsys.readouterr().out
    assert said in (folder / f"report_{LAB}.html").read_text()


def test_the_report_lists_every_exercise_changed_by_hand(folder, tmp_path):
    """In one place, whoever changed it in formgrader, with the judge's points and the time."""
    gradebook.hand_over(LAB, [graded("ann", 0.5), graded("bob"), graded("cem")])
    with serving(folder, tmp_path / "runtime", {**os.environ}) as ask:
        notebooks = {each["student"]: each["id"] for each in ask(f"submitted_notebooks/{LAB}/{LAB}")}
        for student, name, change in (
            ("ann", "check_magnitude_mask", {"manual_score": 3}),
            ("bob", "check_magnitude_mask", {"manual_score": 5}),  # the judge's
            ("bob", "check_prune_magnitude", {"extra_credit": 0.25}),
            ("cem", WRITTEN, {"manual_score": 2}),  # a written answer
        ):
            found = ask(f"grades?submission_id={notebooks[student]}")
            ask(f"grade/{next(each['id'] for each in found if each['name'] == name)}", change)
    manual("cem", "check_magnitude_mask", 0)  # at once, in another process
    assert main(["report", LAB]) == 0
    page = (folder / f"report_{LAB}.html").read_text()
    (listed,) = re.findall(r'aria-label="Points by hand">(.*?)</table>', page, re.DOTALL)
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall("<td.*?>(.*?)</td>", listed)]
    most = {name: found.points for name, found in graded("dan").verdicts.items()}
    mask, prune = most["magnitude_mask"], most["prune_magnitude"]
    now = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    expected = [
        "ann", "magnitude_mask", table.points(mask / 2), "3", now,
        "bob", "prune_magnitude", table.points(prune), table.points(prune + 0.25), now,
        "cem", "magnitude_mask", table.points(mask), "0", now,
    ]  # fmt: skip
    assert len(cells) == len(expected)
    assert all(re.fullmatch(pattern, cell) for pattern, cell in zip(expected, cells, strict=True)), cells


def test_verdicts_of_an_older_judge_are_marked(folder):
    """Mended judges judge anew: until then the table names the command, and no torch is needed to know."""
    graded("ann")
    assert row("ann")["notes"] == ""
    version.note(LAB, "v")
    assert row("ann")["notes"] == ""
    version.note(LAB, "w")
    assert "an older judge" in row("ann")["notes"] and "`python -m grader regrade 02`" in row("ann")["notes"]
    version.note(LAB, "v")
    (folder / "seed").write_text("5\n")
    assert "an older judge" in row("ann")["notes"]
    hand_in("ann")
    assert "Other work was handed in since" in row("ann")["notes"]


def hand_in(student: str) -> None:
    files.write_whole(course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb", b"{}")


def test_nbgrader_gets_its_gradebook_back(folder, spoiled):
    """After a class, with or without a fault, nbgrader opens gradebooks as before."""
    spoiled("ann")
    with pytest.raises(LabError):
        gradebook.hand_over(LAB, [graded("ann")])
    for module in (gradebook.autograde, gradebook.saveautogrades, gradebook.latesubmissions):
        assert module.Gradebook is Gradebook


# Late


def penalty(lines: str) -> None:
    """nbgrader's own way: a plugin in the course's own settings."""
    own = course.folder() / course.OWN
    own.write_text(f"""{own.read_text()}
from nbgrader.plugins import LateSubmissionPlugin

class Rule(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        {lines}

c.AssignLatePenalties.plugin_class = Rule
""")


def test_a_late_submission_loses_what_the_course_says(folder):
    """A point an hour: three hours late cost 3 of 10, on time nothing, and the table says so."""
    due("2026-11-20 12:00:00")
    penalty("return total_seconds_late / 3600")
    gradebook.hand_over(LAB, [graded("ann"), graded("bob", at=LATE), graded("cem", at="")])
    assert [row(student)["late_penalty"] for student in ("ann", "bob", "cem")] == ["", "3", ""]
    assert [row(student)["total"] for student in ("ann", "bob", "cem")] == ["10", "7", "10"]
    assert [row(student)["late"] for student in ("ann", "bob", "cem")] == ["no", "yes", ""]
    assert row("bob")["late_seconds"] == "10800"


def test_the_penalty_is_reckoned_from_the_examiners_points(folder):
    """A share of the score: the score is the one just entered, not the 0 before it."""
    due("2026-11-20 12:00:00")
    penalty("return score / 2")
    gradebook.hand_over(LAB, [graded("ann", 0.5, LATE)])
    assert (row("ann")["late_penalty"], row("ann")["total"]) == ("2.5", "2.5")


def test_without_a_rule_late_work_gets_nothing_off(folder):
    """nbgrader's own rule is none: the table says late, and the points stay."""
    due("2026-11-20 12:00:00")
    gradebook.hand_over(LAB, [graded("bob", at=LATE)])
    assert (row("bob")["late"], row("bob")["late_penalty"], row("bob")["total"]) == ("yes", "", "10")


def test_an_extension_takes_the_penalty_back(folder):
    """Granted after the class was graded: the next run takes it off, though nothing is graded anew."""
    due("2026-11-20 12:00:00")
    penalty("return 2")
    records = [graded("ann", at=LATE), graded("bob", at=LATE)]
    gradebook.hand_over(LAB, records)
    assert row("ann")["total"] == row("bob")["total"] == "8"
    with book() as open_book:
        open_book.grant_extension(LAB, "bob", hours=5)
    kept = entered_at("ann")
    gradebook.hand_over(LAB, records)
    assert (row("bob")["late"], row("bob")["late_penalty"], row("bob")["total"]) == ("no", "", "10")
    assert row("ann")["total"] == "8" and entered_at("ann") == kept


def test_a_due_date_set_after_grading_counts(folder):
    penalty("return 2")
    records = [graded("ann"), graded("bob", at=LATE)]
    gradebook.hand_over(LAB, records)
    due("2026-11-20 12:00:00")
    gradebook.hand_over(LAB, records)
    assert (row("ann")["total"], row("bob")["total"]) == ("10", "8")
    kept = entered_at("bob")
    gradebook.hand_over(LAB, records)
    assert entered_at("bob") == kept


def test_points_by_hand_count_in_the_penalty(folder):
    """A fifth for lateness is a fifth of the total, whether essay, exercises or due date came first."""
    penalty("return score / 5")
    gradebook.hand_over(LAB, [graded("bob", at=LATE)])
    due("2026-11-20 12:00:00")
    penalties.renew(LAB)
    assert (row("bob")["late_penalty"], row("bob")["total"]) == ("2", "8")
    manual("bob", WRITTEN, 2.5)
    penalties.renew(LAB)
    assert (row("bob")["late_penalty"], row("bob")["total"]) == ("2.5", "10")
    due("2026-11-20 16:00:00")
    assert main(["grades", LAB, "--csv", str(folder / "grades.csv")]) == 0
    assert (row("bob")["late_penalty"], row("bob")["total"]) == ("", "12.5")


def test_a_rule_that_fails_is_named(folder):
    gradebook.hand_over(LAB, [graded("bob", at=LATE)])
    due("2026-11-20 12:00:00")
    penalty("return score / 0")
    with pytest.raises(LabError, match="The rule for late work, Rule, fails: ZeroDivisionError: "):
        penalties.renew(LAB)


def test_a_penalty_rule_changed_after_grading_counts(folder):
    """The rule is a text in a file: what it says now holds for who is in the gradebook already."""
    due("2026-11-20 12:00:00")
    records = [graded("bob", at=LATE)]
    totals = []
    for points in (0, 2, 3):
        penalty(f"return {points}")
        gradebook.hand_over(LAB, records)
        totals.append(row("bob")["total"])
    assert totals == ["10", "8", "7"]


@pytest.mark.parametrize(("first", "then", "totals"), [
    (ON_TIME, LATE, ["10", "8"]), (LATE, ON_TIME, ["8", "10"]), (LATE, "", ["8", "8"]),
])  # fmt: skip
def test_the_same_file_at_another_time_is_as_late_as_that(folder, monkeypatch, first, then, totals):
    """Handed in again unchanged, or collected with another time: nothing is graded, and the time counts.

    A time that is not said any more stays as it was.
    """
    due("2026-11-20 12:00:00")
    penalty("return 2")
    place = course.folder() / "submitted" / "bob" / LAB
    files.write_whole(place / f"{LAB}.ipynb", b"{}")
    record = graded("bob", at=first)
    record.submission, record.version = hashlib.sha256(b"{}").hexdigest(), version.of(LAB)
    journal.write(record)
    monkeypatch.setattr(class_run, "grade", lambda task: pytest.fail("it was graded again"))
    found = []
    for moment in (first, then):
        files.write_whole(place / "timestamp.txt", moment.encode())
        gradebook.hand_over(LAB, class_run.grade_class(LAB))
        found.append(row("bob")["total"])
    assert found == totals


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_new_work_without_a_time_has_no_old_one(folder, share):
    """nbgrader keeps the time of what was handed in before, and the penalty with it."""
    due("2026-11-20 12:00:00")
    penalty("return 2")
    gradebook.hand_over(LAB, [graded("bob", at=LATE)])
    assert (row("bob")["total"], row("bob")["late"]) == ("8", "yes")
    gradebook.hand_over(LAB, [graded("bob", share, at="")])
    assert (row("bob")["total"], row("bob")["late"]) == (f"{10 * share:.0f}", "")


def test_a_time_that_became_clear_takes_its_flag_along(folder, monkeypatch):
    """Collected again with the exchange's zone: nothing is graded, the flag goes, the other flags stay."""
    place = course.folder() / "submitted" / "bob" / LAB
    files.write_whole(place / f"{LAB}.ipynb", b"{}")
    record = graded("bob", at="")
    record.submission, record.version = hashlib.sha256(b"{}").hexdigest(), version.of(LAB)
    record.flags = ["Another flag."]
    journal.write(record)
    monkeypatch.setattr(class_run, "grade", lambda task: pytest.fail("it was graded again"))
    handed = register.Register({"bob": register.Handed(time="2026-11-20 16:30:00 IST")})
    register.write(course.folder() / "submitted", LAB, handed)
    (record,) = class_run.grade_class(LAB)
    assert record.flags[1:] == ["Another flag."] and "--zone" in record.flags[0]
    register.write(course.folder() / "submitted", LAB, register.Register())
    files.write_whole(place / "timestamp.txt", ON_TIME.encode())
    (record,) = class_run.grade_class(LAB)
    assert record.flags == ["Another flag."] and record.submitted_at.startswith(ON_TIME.removesuffix(" UTC"))


def test_a_course_folder_without_its_settings_gets_them_back(folder):
    """Thrown away by mistake, the file is made anew; points are entered as ever."""
    (folder / course.CONFIG.name).unlink()
    gradebook.hand_over(LAB, [graded("ann")])
    assert row("ann")["total"] == "10" and (folder / course.CONFIG.name).exists()


def test_feedback_shows_formulas_without_a_network(folder):
    """Set in the page itself: no TeX is left, and no script that would set it is asked for."""
    gradebook.hand_over(LAB, [graded("ann")])
    page = (gradebook.feedback(LAB) / "ann" / LAB / f"{LAB}.html").read_text()
    assert page.count("<math") > 5
    assert "\\mathrm" not in page and not re.search(r"<(script|link)[^>]*(src|href)=.?(https?:)?//", page)


# A large class


@pytest.fixture
def statements():
    """The SQL that is run, and how often something was kept."""
    seen: list[str] = []
    listeners = {
        "before_cursor_execute": lambda conn, cursor, statement, *_: seen.append(statement),
        "commit": lambda conn: seen.append("COMMIT"),
    }
    for name, heard in listeners.items():
        event.listen(Engine, name, heard)
    yield seen
    for name, heard in listeners.items():
        event.remove(Engine, name, heard)


def test_a_record_costs_the_same_in_a_large_class(folder, statements, monkeypatch):
    """The gradebook is opened once, each record is kept once, and no record asks more than the first did."""
    opened, true = [], Gradebook.__init__
    monkeypatch.setattr(
        Gradebook, "__init__", lambda *words, **named: opened.append(1) or true(*words, **named)
    )
    counts = []
    for size in (1, 4, 8):
        records = [graded(f"of-{size}-{number}") for number in range(size)]
        statements.clear(), opened.clear()
        gradebook.hand_over(LAB, records)
        counts.append((len(statements), statements.count("COMMIT"), len(opened)))
    (one, kept, _), (four, _, _), (eight, kept_of_eight, opened_for_eight) = counts
    assert kept_of_eight - kept == 7 and opened_for_eight == 1
    assert (four - one) / 3 == (eight - one) / 7


def test_nothing_is_asked_twice_of_a_large_class(folder, statements, monkeypatch):
    """The table of grades takes as many queries for eight students as for two, and looks as often around."""
    counts, looks = [], []
    true = table.submitting
    monkeypatch.setattr(table, "submitting", lambda *words: looks.append(words) or true(*words))
    gradebook.hand_over(LAB, [graded(f"s{number}") for number in range(2)])
    for size in (2, 8):
        for number in range(size):
            (folder / "submitted" / f"waits-{number}" / LAB).mkdir(parents=True, exist_ok=True)
        gradebook.hand_over(LAB, [graded(f"s{number}") for number in range(size)])
        statements.clear(), looks.clear()
        assert len(table.rows(LAB)) == 2 * size
        counts.append((len(statements), len(looks)))
    assert counts[0] == counts[1]


def test_one_student_needs_nobody_elses_files(folder, monkeypatch):
    """Row, penalty and page of one student of a class: no other's record is read, and no other's work."""
    raw = (folder / "release" / LAB / f"{LAB}.ipynb").read_bytes()
    for student in ("ann", "ben", "cleo"):
        place = folder / "submitted" / student / LAB
        place.mkdir(parents=True)
        (place / f"{LAB}.ipynb").write_bytes(raw + b" " * len(student))
    records = [graded(student, at=LATE) for student in ("ann", "ben", "cleo")]
    gradebook.hand_over(LAB, records)
    read, chosen = [], []
    true, choose = journal.read, submitted_files.choose
    monkeypatch.setattr(journal, "read", lambda lab, student: read.append(student) or true(lab, student))
    monkeypatch.setattr(
        submitted_files, "choose", lambda place, lab: chosen.append(place) or choose(place, lab)
    )
    gradebook.hand_over(LAB, records[:1])
    assert [each.student for each in table.rows(LAB, only=["ann"])] == ["ann"]
    gradebook.feedback(LAB, "ann")
    assert feedback.notes(LAB, "ann")[0] == "Written answers that wait to be graded: 1."
    assert identical.groups(LAB, {"cleo"}) == []
    assert set(read) == {"ann"}
    assert {place.parent.name for place in chosen} <= {"ann", "cleo"}
