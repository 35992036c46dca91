"""The page of the course: everybody with all labs, who falls behind, which exercise cost most."""

import pytest
from bs4 import BeautifulSoup

from grader import course
from grader.__main__ import main
from grader.grade import journal
from grader.grade.journal import Judged, Record
from grader.results import table
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending

FIRST, SECOND = "01_perplexity", "02_magnitude_pruning"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two labs handed out, no gradebook."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    for lab in (FIRST, SECOND):
        (tmp_path / "release" / lab).mkdir(parents=True)
    return tmp_path


def record(student: str, lab: str, *shares: float) -> None:
    """A record with a share for every exercise of a lab."""
    one = Record(student, lab, "a" * 64, "v", Status.GRADED)
    checks = [cell for cell in table.questions(lab) if cell.kind == "check"]
    for cell, share in zip(checks, shares, strict=True):
        ending = Ending.RIGHT if share == 1 else Ending.WRONG
        one.verdicts[cell.name] = Judged(
            exercise=cell.name, number="2", status=ending, lines=[], share=share, points=cell.points,
            submission="a" * 64,
        )  # fmt: skip
    journal.write(one)


def written(folder) -> BeautifulSoup:
    assert main(["report"]) == 0
    return BeautifulSoup((folder / "report.html").read_text(), "lxml")


def test_a_line_a_student_with_all_labs(folder, capsys):
    """Names from the roster; the report of a lab is linked; no score is a dash and not a 0."""
    (folder / "roster.csv").write_text("student_id,name\nann,Ann <b>Lee\nbob,Bob\ncem,\n")
    (folder / f"report_{SECOND}.html").touch()
    for student, share in (("ann", 1), ("bob", 0)):
        record(student, SECOND, 1, share, 1)
    record("ann", FIRST, 1, 1, 1)
    page = written(folder)
    rows = {row.td.get_text(): [cell.get_text() for cell in row.find_all("td")[1:]]
            for row in page.select("#students ~ div tbody tr")}  # fmt: skip
    most = sum(cell.points for cell in table.questions(FIRST) if cell.kind == "check")
    assert rows["bob Bob"][:3] == ["–", "6", "6"]
    assert rows["ann Ann <b>Lee"][:3] == [str(most), "10", str(most + 10)]
    assert rows["cem"][:3] == ["–", "–", "0"] and rows["cem"][3] == "0 %"
    assert page.select_one("#labs ~ div a")["href"] == f"report_{SECOND}.html"
    assert "prune_magnitude: 1 of 2 all right" in page.select_one("#labs ~ div").get_text().replace(
        "2.2 ", ""
    )
    behind = page.select_one("#behind ~ ul").get_text()
    assert "bob Bob: " in behind and "cem: no score in 02; 0 %" in behind and "ann" not in behind
    assert not page.find_all("script") and course.folder() == folder


def test_a_course_without_labs_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    assert "No lab was released" in written(tmp_path).get_text()


def test_what_waits_for_a_person_costs_nobody_anything(folder):
    """Six of the ten points that were judged are no half of thirteen."""
    for student, share in (("ann", 1), ("bob", 0)):
        record(student, SECOND, 1, share, 1)
    page = written(folder)
    shares = {row.td.get_text(): row.find_all("td")[-1].get_text()
              for row in page.select("#students ~ div tbody tr")}  # fmt: skip
    assert shares == {"ann": "100 %", "bob": "60 %"}
    assert page.select_one("#behind ~ p").get_text().startswith("Nobody:")
    assert "80 %" in page.select_one("#labs ~ div").get_text()
