"""Who handed in something is never told that nothing came: from collect to the grades, with the reason."""

import csv
import io
import zipfile

import pytest

from grader.__main__ import main
from grader.grade import journal
from grader.intake import register, submitted
from grader.results import table
from grader.status import Status

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"


def inner_zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(NOTEBOOK, "{}")
    return file.getvalue()


WRONG = {  # what is handed in, and a phrase of the reason
    "other": ("03_wanda_calibration.ipynb", b"{}", "03_wanda_calibration.ipynb"),
    "pdf": ("report.pdf", b"%PDF", "report.pdf"),
    "script": (f"{LAB}.py", b"x = 1", f"{LAB}.py"),
    "page": (f"{LAB}.html", b"<html>", f"{LAB}.html"),
    "text": (f"{LAB}.ipynb.txt", b"{}", f"{LAB}.ipynb.txt"),
    "zipped": ("work.zip", inner_zip(), "archive inside the download"),
    "packed": (f"{LAB}.tar.gz", b"\x1f\x8b", "archive inside the download"),
    "damaged": (NOTEBOOK, b"DAMAGED" * 40, "is damaged in the zip"),
    "empty": (NOTEBOOK, b"", "The file is empty."),
    "html": (NOTEBOOK, b"<html>", "HTML"),
    "cut": (NOTEBOOK, b'{"cells": [', "cut off"),
}


def download(path, files, platform):
    """A platform's zip of one file a student; what is called damaged is."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (student, (name, data)) in enumerate(files.items(), 12345):
            front = {
                "canvas": f"{student}_{number}_777_",
                "moodle": f"{student}_{number}_assignsubmission_file_/",
            }
            archive.writestr(front[platform] + name, data)
    path.write_bytes(path.read_bytes().replace(b"DAMAGED", b"damaged"))
    return path


def on_the_page(folder, student):
    return (folder / "feedback" / student / LAB / f"{LAB}.html").read_text()


@pytest.mark.lengthy
@pytest.mark.parametrize("platform", ["canvas", "moodle"])
def test_the_reason_reaches_everybody(folder, tmp_path, platform, capsys):
    """In the table before grading and after, both exports, the report, and the student's page."""
    roster = tmp_path / "roster.csv"
    roster.write_text("student_id,name\nabsent,absent\n" + "".join(f"{name},{name}\n" for name in WRONG))
    files = {student: (name, data) for student, (name, data, _) in WRONG.items()}
    path = download(tmp_path / "d.zip", files, platform)
    assert main(["collect", LAB, str(path), "--roster", str(roster)]) == 1
    before = {row.student: row for row in table.rows(LAB)}
    assert main(["grade", LAB]) == 1
    after = {row.student: row for row in table.rows(LAB)}
    assert main(["feedback", LAB]) == main(["report", LAB]) == 0
    report = (folder / f"report_{LAB}.html").read_text()
    exports = ""
    for layout in ("canvas", "moodle"):
        assert main(["grades", LAB, "--csv", str(tmp_path / layout), "--layout", layout]) == 0
        exports += (tmp_path / layout).read_text()
    for student, (_, _, phrase) in WRONG.items():
        assert before[student].status in (Status.UNREADABLE, Status.NOT_GRADED_YET), student
        assert (after[student].status, after[student].total) == (Status.UNREADABLE, None), student
        assert phrase in after[student].reason
        assert phrase in report and phrase in on_the_page(folder, student)
        assert any(phrase in cell for row in csv.reader(io.StringIO(exports)) for cell in row)
    assert after["absent"].status == Status.NOT_SUBMITTED
    assert not (folder / "feedback" / "absent").exists()
    assert main(["collect", LAB, str(path), "--roster", str(roster)]) == 1
    graded_at = journal.read(LAB, "pdf").graded_at
    assert main(["grade", LAB]) == 1
    assert journal.read(LAB, "pdf").graded_at == graded_at
    capsys.readouterr()


def collected(folder, tmp_path, *files):
    """Collect from an exchange: (student, file, data)."""
    path = tmp_path / "exchange.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return main(["collect", LAB, str(path)])


@pytest.mark.lengthy
def test_a_right_one_after_a_wrong_one_is_the_last_word(folder, tmp_path, capsys):
    collected(folder, tmp_path, (f"ann/{LAB}/essay.pdf", b""))
    assert "ann" in register.read(folder / "submitted", LAB).students
    collected(folder, tmp_path, (f"ann/{LAB}/{NOTEBOOK}", b"{}"))
    assert "ann" not in register.read(folder / "submitted", LAB).students


def test_a_wrong_one_after_a_right_one_is_flagged(folder, tmp_path, capsys):
    """The one in place is graded, and the record says that another came."""
    collected(folder, tmp_path, (f"bob/{LAB}/{NOTEBOOK}", b"{}"))
    collected(folder, tmp_path, (f"bob/{LAB}/essay.pdf", b""))
    (found,) = (one for one in submitted.submissions(LAB) if one.student == "bob")
    assert found.raw == b"{}"
    assert "Another submission was not taken" in found.flags[0] and "essay.pdf" in found.flags[0]


def test_hidden_files_alone_are_known_too(folder, tmp_path, capsys):
    """Somebody uploaded the folder of checkpoints: nothing of it is taken, and something came."""
    inside = f"{LAB}/.ipynb_checkpoints/{LAB}-checkpoint.ipynb"
    collected(folder, tmp_path, (f"d/cem/{inside}", b"{}"), (f"d/dan/{LAB}/{NOTEBOOK}", b"{}"),
              (f"d/dan/{inside}", b"{}"), (f"__MACOSX/d/dan/{LAB}/._{NOTEBOOK}", b""))  # fmt: skip
    found = {row.student: (row.status, row.reason) for row in table.rows(LAB)}
    assert found.keys() == {"cem", "dan"}
    assert found["cem"][0] == Status.UNREADABLE and "only hidden files" in found["cem"][1]


def test_a_refusal_after_grading_is_known_at_once(folder, tmp_path, capsys):
    """Handed in nothing, graded as such, and then the wrong file: the table says so before it is graded."""
    (folder / "submitted" / "eva" / "01_perplexity").mkdir(parents=True)
    assert main(["grade", LAB]) == 1
    assert [row.status for row in table.rows(LAB)] == [Status.NOT_SUBMITTED]
    collected(folder, tmp_path, (f"eva/{LAB}/essay.pdf", b""))
    (row,) = table.rows(LAB)
    assert row.status == Status.UNREADABLE and "essay.pdf" in row.reason


def test_what_nobody_could_be_found_for_is_counted(folder, tmp_path, capsys):
    """A student who seems to have handed in nothing may be one of them; once matched, nobody is."""
    roster, path = tmp_path / "r.csv", tmp_path / "d.zip"
    roster.write_text("student_id,name\nzoe1,Zoe Zed\n")
    download(path, {"zedzo": (NOTEBOOK, b"{}")}, "canvas")
    assert main(["collect", LAB, str(path), "--roster", str(roster)]) == 1
    (row,) = (row for row in table.rows(LAB) if row.student == "zoe1")
    assert row.status == Status.NOT_SUBMITTED
    assert "1 submission of this lab could be matched to no student" in row.reason
    roster.write_text("student_id,name,canvas_id\nzoe1,Zoe Zed,12345\n")
    assert main(["collect", LAB, str(path), "--roster", str(roster)]) == 0
    assert register.read(folder / "submitted", LAB).unmatched == {}


OTHER_LAB = "ann+01_perplexity+2026-11-20 10:00:00 UTC/01_perplexity.ipynb"


@pytest.mark.parametrize("files", [[(f"ann/{LAB}/essay.pdf", b"")], [(OTHER_LAB, b"{}")]])
def test_nothing_of_this_lab_needs_attention(folder, tmp_path, files, capsys):
    """Exit 1: somebody sent something else, or the download is another lab's; nobody is called absent."""
    assert collected(folder, tmp_path, *files) == 1
    assert all(row.status == Status.UNREADABLE for row in table.rows(LAB))


def test_nothing_beside_the_notebook_needs_none(folder, tmp_path, capsys):
    """Of two submissions of one student, one has the notebook: all is well."""
    front = f"ann+{LAB}+2026-11-20 1"
    assert collected(folder, tmp_path, (f"{front}1:00:00 UTC+x/essay.pdf", b""),
                     (f"{front}0:00:00 UTC+y/{NOTEBOOK}", b"{}")) == 0  # fmt: skip


def test_the_exchanges_secret_stays_with_the_work(folder, tmp_path, capsys):
    """By it nbgrader hands the feedback back to who handed in."""
    collected(folder, tmp_path, (f"ann+{LAB}+2026-11-20 10:00:00 UTC+x/{NOTEBOOK}", b"{}"),
              (f"ann+{LAB}+2026-11-20 10:00:00 UTC+x/submission_secret.txt", b"f0" * 64))  # fmt: skip
    assert (folder / "submitted" / "ann" / LAB / "submission_secret.txt").read_text() == "f0" * 64
