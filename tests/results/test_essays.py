"""Written answers go out without names, a sample twice, and points come back to the work they are for."""

import csv
from pathlib import Path

import nbformat
import pytest

from grader.__main__ import main
from grader.grade import journal, version
from grader.intake import teams
from grader.results import essays, gradebook, table
from tests.pages import RESOURCES, feedback_exporter, formgrader_exporter, submission
from tests.results.test_gradebook import LAB, LATE, WRITTEN, book, due, graded, manual, penalty, row
from tests.sample import few

pytestmark = pytest.mark.lengthy
STUDENTS = ("ann.lee", "bob.ray", "cem.oz", "dan.fu", "eve.x", "fay.y")


def answered(student: str, text: str, **options) -> journal.Record:
    """A graded record with this written answer."""
    record = graded(student, **options)
    notebook = nbformat.reads(record.notebook, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN:
            cell.source = text
    record.notebook = nbformat.writes(notebook)
    journal.write(record)
    return record


@pytest.fixture
def files(folder, tmp_path, capsys) -> list[Path]:
    """The files of two people who grade a class of six."""
    gradebook.hand_over(LAB, [answered(each, f"=1+1 is {number}") for number, each in enumerate(STUDENTS)])
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    assert main(["essays", LAB, "--to", *map(str, paths)]) == 0
    assert "6 answers, 2 of them to two people" in capsys.readouterr().out
    return paths


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, points, separator: str = ";", encoding: str = "utf-8") -> None:
    """Fill in points as a person does, and save as a spreadsheet does. points: of a line."""
    rows = [{**line, "points": points(line), "comment": "Well said."} for line in lines(path)]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, essays.TITLES, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def back(files: list[Path]) -> int:
    return main(["essays", LAB, "--from", *map(str, files)])


def test_nobody_is_named(files):
    """A code, the text, the rubric; every answer is there, and the sample with both."""
    found = [line for path in files for line in lines(path)]
    codes = [line["answer"] for line in found]
    assert len(codes) == 8 and len(set(codes)) == 6
    assert {*codes[: len(lines(files[0]))]} & {*codes[len(lines(files[0])) :]}
    assert all("One point for a claim" in line["rubric"] and line["at_most"] == "3" for line in found)
    assert {line["text"] for line in found} == {f"'=1+1 is {number}" for number in range(6)}
    for path in (*files, *(path.with_suffix(".html") for path in files)):
        assert not [each for each in STUDENTS if each in path.read_text("utf-8-sig")]
    page = files[0].with_suffix(".html").read_text()
    assert "One point for a claim" in page and all(line["answer"] in page for line in lines(files[0]))


def test_points_and_comments_come_back(files, capsys):
    """Through a spreadsheet of a country of commas; the late penalty is that of the new total."""
    due("2026-11-20 12:00:00")
    penalty("return score / 10")
    gradebook.hand_over(LAB, [answered("ann.lee", "x", at=LATE)])
    fill(files[0], lambda line: "2,5")
    fill(files[1], lambda line: "2.5", "\t", "utf-16")
    assert back(files) == 0
    said = capsys.readouterr().out
    assert (
        "2 answers were graded by two people, 2 of them alike." in said
        and "6 answers entered, 0 wait." in said
    )
    assert {row(student)[WRITTEN] for student in STUDENTS} == {"2.5"}
    assert (row("ann.lee")["late_penalty"], row("ann.lee")["total"]) == ("1.25", "11.25")
    with book() as open_book:
        assert open_book.find_comment(WRITTEN, LAB, LAB, "cem.oz").comment == "Well said."
    assert back(files) == 0
    assert main(["essays", LAB, "--to", str(files[0].with_name("three.csv"))]) == 0
    assert "No written answer" in capsys.readouterr().out


def test_where_two_differ_a_person_decides(files, capsys):
    """Both are listed and neither counts; the others do, and so do both once they agree."""
    one, two = ({line["answer"] for line in lines(path)} for path in files)
    twice = one & two
    for path, points in zip(files, "23", strict=True):
        fill(path, lambda line, points=points: points if line["answer"] in twice else "1", ",")
    assert back(files) == 1
    said = capsys.readouterr().out
    assert all(f"{code} {WRITTEN}: 2 in one.csv, 3 in two.csv; nothing entered." in said for code in twice)
    assert "0 of them alike" in said and sorted(row(each)[WRITTEN] for each in STUDENTS) == ["", "", *"1111"]
    fill(files[1], lambda line: "2" if line["answer"] in twice else "1", ",")
    assert back(files) == 0
    assert sorted(row(each)[WRITTEN] for each in STUDENTS) == [*"111122"]


def test_points_never_pass_to_other_work(files, capsys):
    """Handed in anew while people read: what they say of the old answer is nobody's."""
    gradebook.hand_over(LAB, [answered("bob.ray", "another", digest="1" * 64)])
    for path in files:
        fill(path, lambda line: "3")
    assert back(files) == 1
    assert "no work in the gradebook has this code now" in capsys.readouterr().out
    assert row("bob.ray")[WRITTEN] == "" and row("cem.oz")[WRITTEN] == "3"


def test_points_that_are_there_stand(files, capsys):
    manual("dan.fu", WRITTEN, 1)
    for path in files:
        fill(path, lambda line: "3")
    assert back(files) == 1 and "1 in the gradebook; nothing entered" in capsys.readouterr().out
    assert row("dan.fu")[WRITTEN] == "1" and row("eve.x")[WRITTEN] == "3"


@pytest.mark.parametrize("points", few(("4", "-1", "nan", "two", "2. May"), of=("4", "nan")))
def test_points_beyond_the_question_enter_nothing(files, points, capsys):
    fill(files[0], lambda line: points if line == lines(files[0])[-1] else "1")
    assert back(files[:1]) == 2 and f"has {points} points for" in capsys.readouterr().err
    assert {row(student)[WRITTEN] for student in STUDENTS} == {""}


def test_a_file_that_is_named_twice_is_no_second_person(files, capsys):
    """Its points would be called those of two people who agree."""
    fill(files[0], lambda line: "1")
    assert back([files[0], files[0]]) == 2 and "named twice" in capsys.readouterr().err
    assert {row(student)[WRITTEN] for student in STUDENTS} == {""}


def test_a_file_with_points_is_never_written_over(files, capsys):
    fill(files[0], lambda line: "1")
    kept = files[0].read_bytes()
    assert main(["essays", LAB, "--to", str(files[0])]) == 2
    assert "may have points in it" in capsys.readouterr().err and files[0].read_bytes() == kept


def test_a_teams_answer_is_graded_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(teams, "of", lambda student, lab: "ann.lee" if student == "bob.ray" else "")
    gradebook.hand_over(LAB, [answered(each, "ours") for each in ("ann.lee", "bob.ray")])
    path = tmp_path / "one.csv"
    assert main(["essays", LAB, "--to", str(path)]) == 0 and len(lines(path)) == 1
    fill(path, lambda line: "2")
    assert back([path]) == 0
    assert [row(each)[WRITTEN] for each in ("ann.lee", "bob.ray")] == ["2", "2"]


def test_the_rubric_is_beside_the_answer_in_formgrader_alone(folder, tmp_path, monkeypatch):
    """On a student's page it would give the answer away."""
    shown = {}
    for name, exporter in (
        ("formgrader", formgrader_exporter(tmp_path, monkeypatch)),
        ("feedback", feedback_exporter()),
    ):
        resources = {**RESOURCES, "assignment_id": LAB}
        shown[name] = exporter.from_notebook_node(submission(), resources=resources)[0].count(
            "One point for a claim"
        )
    assert shown == {"formgrader": 1, "feedback": 0}


def test_formgrader_says_what_is_to_be_decided(folder):
    """Points by hand for the submission before: where the person sits who must decide."""
    gradebook.hand_over(LAB, [graded("ann")])
    assert table.to_renew("ann", LAB) == table.to_renew("nobody", LAB) == []
    manual("ann", "check_magnitude_mask", 1)
    gradebook.hand_over(LAB, [graded("ann", digest="2" * 64)])
    (said,) = table.to_renew("ann", LAB)
    assert said.startswith("magnitude_mask: 1 by hand for the earlier submission; the judge says")


def test_formgrader_says_what_is_to_be_renewed(folder, tmp_path, monkeypatch):
    """Whoever marks there sees that the scores are of an older judge; a student's page is for the student."""
    gradebook.hand_over(LAB, [graded("ann")])
    pages = formgrader_exporter(tmp_path, monkeypatch), feedback_exporter()

    def said() -> list[int]:
        resources = {**RESOURCES, "assignment_id": LAB}
        return [
            each.from_notebook_node(submission(), resources=resources)[0].count("Graded by an older judge")
            for each in pages
        ]

    version.note(LAB, "v")
    assert said() == [0, 0]
    version.note(LAB, "newer")
    assert said() == [1, 0]
