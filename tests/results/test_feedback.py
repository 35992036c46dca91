"""A student's page: the total and its parts, what is open, and nothing that reads as a 0 and is none."""

import json
import re
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from grader import course
from grader.__main__ import main
from grader.grade import experiments, handed, journal, version
from grader.grade.journal import Record
from grader.results import course_page, feedback, gradebook, lms_export, table
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending
from tests.results.test_gradebook import LAB, LATE, WRITTEN, due, graded, hand_in, manual, penalty


def page(student: str) -> BeautifulSoup:
    path = gradebook.feedback(LAB) / student / LAB / f"{LAB}.html"
    return BeautifulSoup(path.read_text(), "lxml")


def parts(found: BeautifulSoup) -> list[list[str]]:
    """The lines of the page's table."""
    return [[cell.get_text() for cell in row.find_all("td")] for row in found.select("#parts tr")]


@pytest.mark.lengthy
def test_the_head_says_the_total_and_what_is_open(folder):
    """With the roster's name; a comment and points by hand are there, a plain 0 nowhere."""
    (folder / "roster.csv").write_text("student_id,name\nann,Ann <b>Lee\n")
    record = graded("ann", 0.5)
    for name, ending in (("prune_magnitude", Ending.UNASKED), ("global_magnitude_masks", Ending.GIVEN)):
        record.verdicts[name] = replace(record.verdicts[name], status=ending, share=0.0)
    record.status, record.reason = Status.TIMEOUT, "A cell took too long."
    journal.write(record)
    gradebook.hand_over(LAB, [record])
    manual("ann", "check_magnitude_mask", 2)
    found = page("ann")
    assert "Ann <b>Lee, ann" in found.get_text() and "2 of 13 points so far" in found.get_text()
    assert "1 written answer waits to be graded." in found.get_text()
    assert "A cell took too long." in found.get_text()
    assert parts(found) == [
        ["2 magnitude_mask", "points by hand", "2 of 5"],
        ["2 prune_magnitude", "not reached", "4 at most"],
        ["2 global_magnitude_masks", "given: 0 points", "0 of 1"],
        ["magnitude reflection", "not graded yet", "3 at most"],
    ]
    assert not re.search(r"\b0(\.0)? ?(of|/) ?[1345]", found.get_text().replace("0 of 1", "", 2))
    for link in found.select("#parts a"):
        assert found.find(id=link["href"].removeprefix("#"))


def test_whoever_is_graded_by_hand_sees_all(folder):
    gradebook.hand_over(LAB, [graded("ann")])
    manual("ann", WRITTEN, 2)
    found = page("ann")
    assert "12 of 13 points" in found.get_text() and "so far" not in found.get_text()
    assert parts(found)[-1][1:] == ["", "2 of 3"]


@pytest.mark.lengthy
def test_the_page_is_its_own(folder):
    """No foreign style sheet, nothing from a network, no script; light and dark, and `a < b` as typed."""
    record = graded("ann")
    notebook = nbformat.reads(record.notebook, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("`a < b`\n\n```python\nif a <\u2060b: pass\n```"))
    record.notebook = nbformat.writes(notebook)
    journal.write(record)
    gradebook.hand_over(LAB, [record])
    found = page("ann")
    assert not found.find_all(["script", "link"]) and "ootstrap" not in str(found)
    assert "prefers-color-scheme: dark" in str(found) and "@media print" in str(found)
    assert "a < b" in found.get_text() and "if a <b: pass" in found.get_text()
    assert not found.select(".err")


def test_a_pasted_picture_is_on_the_page(folder):
    """From the journal through nbgrader's folders to the student."""
    record = graded("ann")
    notebook = nbformat.reads(record.notebook, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN:
            cell.source, cell.attachments = "See ![a](attachment:a.png)", {"a.png": {"image/png": "aGk="}}
    record.notebook = nbformat.writes(notebook)
    journal.write(record)
    gradebook.hand_over(LAB, [record])
    (shown,) = page("ann").find(id=WRITTEN).find_all("img")
    assert shown["src"] == "data:image/png;base64,aGk="


@pytest.mark.lengthy
def test_a_page_on_earlier_work_says_so(folder):
    """Handed in since, or not gradable: what stands below is not what was handed in last."""
    gradebook.hand_over(LAB, [graded("ann"), graded("bob")])
    hand_in("ann")
    failed = Record("bob", LAB, "1" * 64, "v", Status.GRADER_ERROR, "The grader failed.")
    journal.write(failed)
    assert "You have handed in other work since. It is not graded yet" in page("ann").get_text()
    told = BeautifulSoup((folder / "feedback" / "bob" / LAB / f"{LAB}.html").read_text(), "lxml").get_text()
    assert "no score yet" in told and "Below is work that you handed in earlier." in told


def test_who_is_exempt_is_not_told_to_wait():
    record = Record("bob", LAB, "1" * 64, "v", Status.EXEMPT, "Exempt.")
    row = table.Row("bob", {}, 0.0, None, 13, Status.EXEMPT, "Exempt.", None, None, "", "")
    assert feedback.head(record, row, [], "").total == "not counted"


@pytest.mark.lengthy
def test_a_typed_command_shows_the_penalty_of_now(folder):
    """A tenth off, an essay marked since: plain nbgrader's pages say it as those of `feedback` do."""
    due("2026-11-20 12:00:00")
    penalty("return score / 10")
    gradebook.hand_over(LAB, [graded("ann", at=LATE)])
    manual("ann", WRITTEN, 3)
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", LAB, "--force"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert "11.7 of 13 points" in page("ann").get_text()


def test_an_older_judge_is_said_to_the_student(folder):
    """In a sentence without a command: the points may change."""
    gradebook.hand_over(LAB, [graded("ann")])
    for latest, said in (("v", False), ("newer", True)):
        version.note(LAB, latest)
        gradebook.feedback(LAB)
        assert ("The checks have changed since" in page("ann").get_text()) == said
        assert "python -m" not in page("ann").get_text().split("2.1")[0]


def test_who_sent_no_notebook_gets_a_page_like_the_others(folder):
    """With lab, name and id on top, readable on a phone and in the dark."""
    record = Record("bob", LAB, "1" * 64, "v", Status.UNREADABLE, "It is <no> notebook.")
    journal.write(record)
    (folder / "roster.csv").write_text("student_id,name\nbob,Bob <b>Ray</b>\n")
    gradebook.feedback(LAB)
    html = (folder / "feedback" / "bob" / LAB / f"{LAB}.html").read_text()
    said = BeautifulSoup(html, "lxml").get_text()
    assert course.title(LAB) in said and "Bob <b>Ray</b>, bob" in said and "It is <no> notebook." in said
    assert "no score yet" in said and 'name="viewport"' in html and "prefers-color-scheme: dark" in html


@pytest.mark.lengthy
def test_feedback_says_what_waits(folder, capsys):
    gradebook.hand_over(LAB, [graded("ann"), graded("bob")])
    manual("bob", WRITTEN, 2)
    hand_in("bob")
    assert main(["feedback", LAB]) == 0
    said = capsys.readouterr().out
    assert "Written answers that wait to be graded: 1, from 1 of 2 students." in said
    assert "With something to decide or to renew: 1;" in said
    assert (
        "1;" in lms_export.notes(LAB) and "to decide or to renew" in lms_export.lines(LAB, "canvas")[-1][-1]
    )
    assert course_page.page(folder).count("*</td>") == 1


@pytest.mark.lengthy
def test_long_work_shows_its_progress(folder, capsys, monkeypatch):
    """Where somebody watches: entering a class, and making its pages."""
    monkeypatch.setattr("labsupport.progress.nobody_watches", lambda: False)
    gradebook.hand_over(LAB, [graded("ann"), graded("bob")])
    gradebook.feedback(LAB)
    said = capsys.readouterr().out
    assert f"entering {LAB}: " in said and f"feedback on {LAB}: " in said and "2/2" in said


# The student's own figures


def notebook(outputs) -> bytes:
    """A submission of one cell, as JSON."""
    return json.dumps({"cells": [{"cell_type": "code", "source": "plot()", "outputs": outputs}]}).encode()


def test_a_cell_that_is_not_run_again_shows_what_was_handed_in():
    """And says so; a cell that the grader put back has nothing of the student's."""
    picture = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": "aGk=", "text/html": "<b>"},
    }
    raw = notebook([picture, {"output_type": "stream", "name": "stdout", "text": ["per", "plexity"]}])
    for number, shown in ((1, [["aGk="], ["perplexity"]]), (0, [])):
        executed = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("plot()")])
        experiments.note(executed, [0], raw, (number,))
        first, *own = executed.cells[0].outputs
        assert ("as you handed it in" in first.text) == bool(shown)
        said = [
            [each for each in (out.get("data", {}).get("image/png"), out.get("text")) if each] for out in own
        ]
        assert said == shown


ODD = [
    None,
    3,
    "x",
    [3],
    [[]],
    [{}],
    [{"data": 3}],
    [{"data": {"image/png": {}}}],
    [{"text": 3}],
    [{"text": [3]}],
]


@pytest.mark.parametrize("outputs", ODD)
def test_odd_outputs_are_left_out(outputs):
    raw = notebook(outputs)
    assert handed.outputs(raw, 1) == []
    for broken in (raw[:20], b"[]", b"\xff", b"{}", b'{"cells": 3}', b"[" * 100_000):
        assert handed.outputs(broken, 1) == []
    assert handed.outputs(raw, 7) == []
