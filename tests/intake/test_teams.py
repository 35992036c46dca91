"""Teams hand in together: one work counts for all, and nobody's own work is lost."""

from pathlib import Path

import pytest

from grader import course
from grader.__main__ import main
from grader.grade import class_run, journal
from grader.grade.submission import begun
from grader.intake import submitted, teams
from grader.intake.stored import SECRET
from grader.results import gradebook
from grader.results.similarity import identical
from grader.status import Status
from labsupport import files
from tests.results.test_gradebook import due, graded, penalty, row

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """A course folder without anything in it."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    return tmp_path / "course"


def hand_in(student: str, work: bytes, hour: int | None = None) -> None:
    """As `collect` stores it. hour: of the time of submission, None where it is not known."""
    place = course.folder() / "submitted" / student / LAB
    files.write_whole(place / NOTEBOOK, work)
    if hour is not None:
        files.write_whole(place / "timestamp.txt", f"2026-11-20 {hour:02}:00:00 UTC".encode())


def together(tmp_path, *lines: str, titles: str = "student_id,team") -> int:
    path = tmp_path / "teams.csv"
    path.write_text("\n".join([titles, *lines]))
    return main(["teams", LAB, str(path)])


def works() -> dict[str, bytes]:
    return {each.student: each.raw for each in submitted.submissions(LAB) if each.raw is not None}


def test_the_latest_work_counts_for_all(empty, tmp_path, capsys):
    """Also for the one who handed in nothing, with its time; who is in no team keeps the own."""
    for student, hour in (("ann", 10), ("bob", 12), ("zoe", 9)):
        hand_in(student, student.encode(), hour)
    (empty / "submitted" / "cem" / "01_perplexity").mkdir(parents=True)
    assert together(tmp_path, "ann,1", "bob,1", "cem,1") == 0
    assert works() == {"ann": b"bob", "bob": b"bob", "cem": b"bob", "zoe": b"zoe"}
    assert {each.submitted_at[11:13] for each in submitted.submissions(LAB)} == {"12", "09"}
    assert "cem: has the work of bob, of the same team" in capsys.readouterr().out
    hand_in("ann", b"newer", 14)  # as the next `collect` puts it in the place of bob's
    (empty / "submitted" / "ann" / LAB / ".team").unlink()
    said, unclear = teams.spread(LAB)
    assert (
        said == [f"{each}: has the work of ann, of the same team" for each in ("bob", "cem")] and not unclear
    )
    assert set(works().values()) == {b"newer", b"zoe"} and teams.spread(LAB) == ([], False)


def test_a_slip_in_the_file_costs_nobody_anything(empty, tmp_path):
    """Whoever was put into the wrong team has the own work back, every file of it."""
    hand_in("ann", b"ann", 10)
    files.write_whole(empty / "submitted" / "ann" / LAB / "submission_secret.txt", b"f0")
    before = {path.name: path.read_bytes() for path in (empty / "submitted" / "ann" / LAB).iterdir()}
    hand_in("bob", b"bob", 12)
    assert together(tmp_path, "ann,1", "bob,1") == 0 and works()["ann"] == b"bob"
    assert together(tmp_path, "ann,") == 0
    assert {path.name: path.read_bytes() for path in (empty / "submitted" / "ann" / LAB).iterdir()} == before
    assert works() == {"ann": b"ann", "bob": b"bob"}
    assert not list((empty / "submitted").glob(".*"))


def test_collecting_again_changes_nothing_and_loses_nothing(empty, tmp_path, capsys):
    """The own older work is compared with the own, not with the teammate's."""
    download = tmp_path / "inbound"
    for student, hour in (("ann", 10), ("bob", 12)):
        files.write_whole(
            download / f"{student}+{LAB}+2026-11-20 {hour}:00:00 UTC" / NOTEBOOK, student.encode()
        )
    command = ["collect", LAB, str(download)]
    assert main(command) == 0 and together(tmp_path, "ann,1", "bob,1") == 0
    for _ in range(2):
        assert main(command) == 0 and works() == {"ann": b"bob", "bob": b"bob"}
    assert "collected" not in capsys.readouterr().out.rpartition("2 of 2")[0].rpartition("2 of 2")[2]
    files.write_whole(download / f"ann+{LAB}+2026-11-20 13:00:00 UTC" / NOTEBOOK, b"last")
    assert main(command) == 0 and works() == {"ann": b"last", "bob": b"last"}


def test_without_times_nobody_guesses(empty, tmp_path, capsys):
    """Canvas and Moodle say none: a person says whose work counts."""
    hand_in("ann", b"ann")
    hand_in("bob", b"bob")
    assert together(tmp_path, "ann,1", "bob,1", "cem,1") == 1
    assert "team 1: ann, bob handed in different work" in capsys.readouterr().out
    assert works() == {"ann": b"ann", "bob": b"bob"}
    assert together(tmp_path, "ann,1,yes", titles="student_id,team,counts") == 0
    assert works() == dict.fromkeys(("ann", "bob", "cem"), b"ann")


@pytest.mark.parametrize(
    "text",
    ["name,team\nann,1\n", "student_id,team\nann,1\nann,2\n", "student_id,team\n,1\n",
     "student_id,team\n../x,1\n", "student_id\nann\n", "student_id,team,counts\nann,1,ja\n"],
)  # fmt: skip
def test_a_file_that_is_not_clear_changes_nothing(empty, tmp_path, text, capsys):
    hand_in("ann", b"ann")
    (tmp_path / "bad.csv").write_text(text)
    assert main(["teams", LAB, str(tmp_path / "bad.csv")]) == 2
    assert "bad.csv" in capsys.readouterr().err and not (empty / "teams").exists()


@pytest.mark.parametrize("command", ["teams", "extensions"])
def test_a_file_that_is_not_there_is_said(empty, command, capsys):
    """Also where the name is one of a file in the course folder."""
    hand_in("ann", b"ann")
    assert main([command, LAB, str(empty / "typo.csv")]) == 2
    assert "typo.csv" in capsys.readouterr().err and not (empty / command).exists()


def test_who_is_not_known_is_said(empty, tmp_path, capsys):
    hand_in("ann", b"ann")
    (tmp_path / "more.csv").write_text("student_id,days\nanm,1\n")
    assert main(["extensions", LAB, str(tmp_path / "more.csv")]) == 1
    for _ in range(2):  # neither a file nor the work that it brought makes a slip known
        assert together(tmp_path, "ann,1", "anm,1") == 1
        assert "anm is not known in this course" in capsys.readouterr().out


# Grades


@pytest.mark.lengthy
def test_it_is_graded_once_and_everybody_has_a_row(folder, tmp_path, monkeypatch):
    """With the own due date; another grading changes nothing, and nobody is suspected of copying."""
    hand_in("ann", b"{}", 10)
    hand_in("bob", b"{}", 15)
    hand_in("zoe", b"{}", 10)
    assert together(tmp_path, "ann,1", "bob,1", "cem,1") == 1  # cem is not known yet
    judged = []

    def judge(task):
        judged.append(task.submission.student)
        shown = graded("model", 0.5)
        record = begun(task)
        record.verdicts, record.notebook, record.status = shown.verdicts, shown.notebook, Status.GRADED
        return record

    monkeypatch.setattr(class_run, "grade", judge)
    monkeypatch.setattr(identical, "is_answered", lambda *_: True)
    due("2026-11-20 12:00:00")
    penalty("return total_seconds_late / 3600")
    for _ in range(2):
        gradebook.hand_over(LAB, class_run.grade_class(LAB))
        assert judged == ["bob", "zoe"]
    (tmp_path / "more.csv").write_text("student_id,days\ncem,1\n")
    assert main(["extensions", LAB, str(tmp_path / "more.csv")]) == 0
    assert {each: row(each)["total"] for each in ("ann", "bob", "cem", "zoe")} == {
        "ann": "2", "bob": "2", "cem": "5", "zoe": "5"}  # fmt: skip
    assert identical.groups(LAB, {"ann", "zoe"}) == [["bob", "zoe"]]
    pages = gradebook.feedback(LAB)
    assert "cem" in (pages / "cem" / LAB / f"{LAB}.html").read_text()
    stored = journal.folder(LAB) / "ann.json"
    kept = stored.read_bytes()
    class_run.grade_class(LAB, ["ann"])
    assert judged == ["bob", "zoe"] and stored.read_bytes() == kept


@pytest.mark.lengthy
def test_who_handed_in_too_can_fetch_the_teams_page(folder, tmp_path):
    """nbgrader's exchange gives a page to whoever has its secret: each member's own, and nobody else's."""
    for student, hour in (("ann", 10), ("bob", 12)):
        hand_in(student, b"{}", hour)
        files.write_whole(course.folder() / "submitted" / student / LAB / SECRET, f"of {student}".encode())
    assert together(tmp_path, "ann,1", "bob,1", "cem,1") == 1
    gradebook.hand_over(LAB, [graded(student) for student in ("ann", "bob", "cem")])
    pages = gradebook.feedback(LAB)
    secrets = {each: (pages / each / LAB / SECRET).read_text() for each in ("ann", "bob", "cem")}
    assert (secrets["ann"], secrets["bob"]) == ("of ann", "of bob")
    assert len({*secrets.values()}) == 3


@pytest.mark.lengthy
def test_who_leaves_a_team_keeps_neither_its_points_nor_its_page(folder, tmp_path):
    hand_in("ann", b"{}", 10)
    (course.folder() / "roster.csv").write_text("student_id,name\nann,Ann\ncem,Cem\n")
    assert together(tmp_path, "ann,1", "cem,1") == 0
    digest = submitted.of("cem", LAB).digest
    records = [graded(student, 0.5, digest=digest) for student in ("ann", "cem")]
    for record in records:
        journal.write(record)
    gradebook.hand_over(LAB, records)
    assert row("cem")["notes"] == ""
    assert together(tmp_path, "cem,") == 0
    assert row("cem")["notes"] == "This work was taken back since: `python -m grader grade 02` renews this."
    class_run.grade_class(LAB, ["cem"])
    assert (row("cem")["status"], row("cem")["total"]) == ("NOT_SUBMITTED", "")
    page = (gradebook.feedback(LAB) / "cem" / LAB / f"{LAB}.html").read_text()
    assert "NOT_SUBMITTED" in page and "handed in earlier" not in page and "def " not in page


def test_who_is_forgotten_is_in_no_team(empty, tmp_path, capsys):
    hand_in("ann", b"the work", 10)
    hand_in("bob", b"bob", 9)
    assert together(tmp_path, "ann,1", "bob,1") == 0
    assert main(["forget", "ann", "--yes"]) == 0
    assert "still named" not in capsys.readouterr().out
    assert teams.read(LAB) == {"bob": "1"} and not any(
        b"ann" in path.read_bytes() for path in empty.rglob("*.csv")
    )
