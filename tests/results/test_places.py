"""The table of the challenge: who is where, under which name, and what the class may see."""

import nbformat
import pytest
from msgspec.structs import replace

from grader.forget import forget
from grader.grade.journal import Judged, Record
from grader.results import places, report
from grader.results.person import Person
from grader.results.places import pseudonym, standings
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending, Place

LAB = "12_challenge"


def record(student: str, file: str, size: int, perplexity: float, *cells: str) -> Record:
    """A graded submission whose file has a place."""
    verdict = Judged(
        exercise="smallest_file", number="12.1", status=Ending.RIGHT, lines=[], share=1.0, points=10,
        submission="a" * 64, place=Place(file, size, perplexity, 20.0),
    )  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    verdicts = {"smallest_file": verdict}
    return Record(
        student, LAB, "a" * 64, "v", Status.GRADED, verdicts=verdicts, notebook=nbformat.writes(notebook)
    )


def people(*records: Record) -> list[Person]:
    return [Person(f"student-{each.student}", None, each, "", []) for each in records]


def test_the_smallest_file_is_first_and_the_same_file_is_one_place():
    """Two who hand in one file share a place; a file without a place is not in the table."""
    ada, ben = record("ada", "f1", 900, 24.0), record("ben", "f2", 800, 25.0)
    cleo = record("cleo", "f1", 900, 24.0)
    dan = record("dan", "f3", 700, 99.0)
    dan.verdicts["smallest_file"] = replace(dan.verdicts["smallest_file"], place=None, share=0.0)
    found = standings([*people(ada, ben, cleo, dan), Person("student-5", None, None, "", [])])
    assert [[person.record.student for person in one.people] for one in found] == [["ben"], ["ada", "cleo"]]
    assert [one.number for one in found] == [1, 2]
    assert [round(one.rise, 2) for one in found] == [1.25, 1.2]


@pytest.mark.parametrize(("cells", "name"), [
    (['pseudonym = "Sparse Sue"'], "Sparse Sue"),
    (['pseudonym = ""', 'pseudonym = "Sparse Sue"  # mine'], "Sparse Sue"),
    (['pseudonym = "first"\npseudonym = "last"'], "last"),
    (["import os\npseudonym = os.environ['HOME']"], ""),
    (["pseudonym = f'{1 + 1}'", "pseudonym = 7", "pseudonym = None"], ""),
    (["pseudonym = 'a\\u202eb\\x1b[31m\\n c'"], "a b [31m c"),
    (["pseudonym = '" + "x" * 500 + "'"], "x" * 30),
    (["pseudonym = (((", "pseudonym = 'after an error'"], "after an error"),
    (["print(1)"], ""),
    ([], ""),
])  # fmt: skip
def test_a_name_is_read_and_never_run(cells, name):
    assert pseudonym(record("ada", "f", 1, 1.0, *cells)) == name


def test_a_record_without_a_notebook_has_no_name():
    assert pseudonym(None) == "" == pseudonym(Record("ada", LAB, "", "v", Status.NOT_SUBMITTED))


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """The instructor's page and the class's, of a class of three."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    from grader.grade import journal

    journal.write(record("ada-id", "f1", 61_234_567, 25.5, 'pseudonym = "<b>Sue</b>"'))
    journal.write(record("ben-id", "f2", 58_000_000, 24.0))
    journal.write(record("cleo-id", "f1", 61_234_567, 25.5, 'pseudonym = "Third"'))
    path = report.write(LAB, tmp_path / "report.html")
    return path.read_text(), report.class_page(path).read_text()


def test_the_class_sees_chosen_names_alone(pages):
    """Neither an id nor a digest by which somebody could be found; and a name does nothing on the page."""
    _, shown = pages
    assert "&lt;b&gt;Sue&lt;/b&gt;" in shown and "Third" in shown and "no name" in shown
    assert "61,234,567" in shown and "1.275" in shown
    assert not any(secret in shown for secret in ("ada-id", "ben-id", "cleo-id", "f1", "<b>Sue"))


def test_the_instructor_sees_whose_a_name_is(pages):
    shown, _ = pages
    table = shown[shown.index('id="table"') : shown.index('id="look"')]
    assert table.index("ben-id") < table.index("ada-id") < table.index("cleo-id")
    assert "&lt;b&gt;Sue&lt;/b&gt;" in table and "58,000,000" in table
    assert 'href="report_table.html"' in table


def test_who_is_forgotten_leaves_the_table(pages, tmp_path):
    """A chosen name cannot be searched for, so the class's page goes whole, until it is made again."""
    shown = tmp_path / "course" / f"report_{LAB}_table.html"
    shown.write_text("Sue")
    assert any(shown.name in said for said in forget("ada-id", really=True))
    assert not shown.exists()


def test_a_lab_without_a_challenge_has_no_table(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    path = report.write("02_magnitude_pruning", tmp_path / "report.html")
    assert 'id="table"' not in path.read_text()
    assert not report.class_page(path).exists()
    assert places.standings([]) == []
