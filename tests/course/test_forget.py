"""A student who is forgotten is nowhere in the course folder; nobody else loses anything."""

import hashlib
import json
import os
import re
import shutil
import sqlite3

import pytest

from grader import course
from grader.__main__ import main
from grader.author.release import release
from grader.grade import attempts, journal
from grader.intake import register
from grader.intake.register import Handed
from grader.results import gradebook, table
from labsupport import files
from tests.results.test_gradebook import LAB, graded

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """s17 and s171 after a lab: graded, told, given more time and reported."""
    place = tmp_path_factory.mktemp("term")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(place / "course"))
        made = make(place)
    return made


@pytest.fixture
def term(made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made, tmp_path / "course")
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    capsys.readouterr()
    return tmp_path / "course"


def make(place):
    release([LAB])
    folder = course.folder()
    (folder / "roster.csv").write_text(
        "student_id;name;email\ns17;Lee, Ann;al@uni.example\ns171;Two, Zoe;two@x.example\n"
    )
    digest = hashlib.sha256(b"{}").hexdigest()
    for student in ("s17", "s171"):
        files.write_whole(folder / "submitted" / student / LAB / f"{LAB}.ipynb", b"{}")
        attempts.noted(graded(student, 0.5, digest=digest))
    gradebook.hand_over(LAB, journal.records(LAB))
    gradebook.feedback(LAB)
    more = place / "more.csv"
    more.write_text("student_id,days\ns17,1\ns171,2\n")
    assert main(["extensions", LAB, str(more)]) == 0
    handed = {"s17": Handed(later="x"), "s171": Handed(later="y")}
    register.write(folder / "submitted", LAB, register.Register(handed))
    (journal.folder(LAB) / ".s17.json.4711").write_text("{}")
    assert main(["report", LAB]) == main(["report"]) == 0
    return folder


def content(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
            and not path.name.startswith(".grading")}  # fmt: skip


def test_nothing_without_yes(term, capsys):
    before = content(term)
    assert main(["forget", "s17"]) == 1
    said = capsys.readouterr().out
    assert "would remove submitted/s17\n" in said and "Nothing was removed: add --yes." in said
    assert content(term) == before


def test_everything_with_yes(term, capsys):
    """Files, lines, rows of the gradebook and pages; s171, whose id begins alike, keeps all."""
    assert main(["forget", "s17", "--yes"]) == 0
    assert "still named" not in capsys.readouterr().out
    word = re.compile(rb"s17(?!1)|Lee|al@uni")
    left = content(term)
    assert [name for name, raw in left.items() if word.search(name.encode() + raw)] == []
    assert {row.student: row.total for row in table.rows(LAB)} == {"s171": 5.0}
    with sqlite3.connect(term / "gradebook.db") as book:
        tables = [name for (name,) in book.execute("select name from sqlite_master where type = 'table'")]
        assert book.execute("select id from student").fetchall() == [("s171",)]
        assert book.execute("select count(*) from submitted_assignment").fetchone() == (1,)
        assert book.execute("select count(*) from grade").fetchone()[0] > 0 and tables
    assert main(["report", LAB]) == main(["report"]) == 0
    assert main(["forget", "s17", "--yes"]) == 2 and "nothing of s17" in capsys.readouterr().err


def test_what_is_left_is_said(term, capsys):
    """A file that is the instructor's own stays, and is named."""
    (term / "notes.txt").write_text("Ann Lee asked for more time")
    assert main(["forget", "s17", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "still named in notes.txt" in said and "the learning platform" in said
    assert (term / "notes.txt").exists()


@pytest.mark.parametrize(
    "origin",
    ["Jose\u0301 Mu\u0308ller_1_assignsubmission_file_", "m\u00fcllerjos\u00e9_4000_9_x.ipynb",
     "josem\u00fcller_77_1_x.ipynb and Jos\u00e9 M\u00fcller"],
)  # fmt: skip
def test_a_name_is_found_as_platforms_spell_it(term, origin):
    """macOS takes letters and accents apart, Canvas joins the words."""
    register.write(term / "submitted", LAB, register.Register({}, {origin: "x", "Ann Lee_2": "y"}))
    (term / "roster.csv").write_text("student_id,name\ns17,Jos\u00e9 M\u00fcller\ns171,Two\n")
    assert main(["forget", "s17", "--yes"]) == 0
    assert list(register.read(term / "submitted", LAB).unmatched) == ["Ann Lee_2"]


def test_work_that_nobody_was_found_for_is_forgotten_too(term):
    """In any way in which the file of the register writes a name."""
    unmatched = {"Lee, Ann_1_assignsubmission_file_": "x", "Zo\u00eb_2_assignsubmission_file_": "y"}
    register.write(term / "submitted", LAB, register.Register({}, unmatched))
    (term / "roster.csv").write_text("student_id,name,login\ns17,Zo\u00eb,zoe.b\ns171,Two,zt\n")
    (term / "note.json").write_text(json.dumps("Zo\u00eb, and zoe.b"))
    assert main(["forget", "s17", "--yes"]) == 0
    assert list(register.read(term / "submitted", LAB).unmatched) == ["Lee, Ann_1_assignsubmission_file_"]


def test_what_a_person_said_whose_it_is_is_forgotten_too(term):
    """By the id, and by a name in the file's name: somebody may have given Zoe's work to a teammate."""
    assigned = {"x_1_2_a": "s17", "Zoe B_2_assignsubmission_file_": "s171", "x_1_3_b": "s171"}
    register.write(term / "submitted", LAB, register.Register(assigned=assigned))
    (term / "roster.csv").write_text("student_id,name,login\ns17,Zoe B,zoe.b\ns171,Two,zt\n")
    assert main(["forget", "s17", "--yes"]) == 0
    assert register.read(term / "submitted", LAB).assigned == {"x_1_3_b": "s171"}


def test_a_name_is_found_as_files_write_it(term, capsys):
    (term / "roster.csv").write_text("student_id,name,login\ns17,Zo\u00eb O'Hara,zb.oh\n")
    notes = {
        "a.json": json.dumps("Zo\u00eb O'Hara"),
        "b.html": "Zo\u00eb O&#x27;Hara",
        "c.txt": "zb.oh",
        "d.txt": "zoe",
    }
    for name, text in notes.items():
        (term / name).write_text(text)
    assert main(["forget", "s17", "--yes"]) == 0
    said = capsys.readouterr().out
    assert [name for name in notes if f"still named in {name}" in said] == ["a.json", "b.html", "c.txt"]


def test_what_a_killed_collect_moved_aside_is_not_lost(term):
    """It is s171's only copy; of s17 nothing comes back."""
    for student in ("s17", "s171"):
        aside = term / "submitted" / ".collect-killed" / "old" / student / LAB
        aside.parent.mkdir(parents=True)
        (term / "submitted" / student / LAB).rename(aside)
    assert main(["forget", "s17", "--yes"]) == 0
    assert [path.parts[-3] for path in (term / "submitted").rglob("*.ipynb")] == ["s171"]


def test_an_interrupted_one_is_completed(term, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("grader.forget.unbook", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        from grader.forget import forget

        forget("s17", True)
    assert main(["forget", "s17", "--yes"]) == 0
    assert {row.student for row in table.rows(LAB)} == {"s171"}


def test_a_word_that_is_no_students_removes_nothing(term, capsys):
    """A slip in an id, which is a word of a page or of somebody's unmatched work by chance."""
    register.write(
        term / "submitted", LAB, register.Register({}, {"Zoe points_1_assignsubmission_file_": "x"})
    )
    before = content(term)
    assert main(["forget", "points", "--yes"]) == 2
    said = capsys.readouterr().err
    assert "There is nothing of points in" in said and f"report_{LAB}.html" in said
    assert content(term) == before


def test_a_file_name_of_an_old_system_stops_nothing(term, capsys):
    (term / os.fsdecode(b"Pr\x81fung s17.txt")).write_text("x")
    assert main(["forget", "s17", "--yes"]) == 0
    assert "fung s17.txt" in capsys.readouterr().out


@pytest.mark.parametrize("student", ["..", "*", "a/b", "nobody"])
def test_what_is_no_student_removes_nothing(tmp_path, monkeypatch, student):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    assert main(["forget", student, "--yes"]) == 2


@pytest.mark.parametrize(
    "words", (["forget", "--yes"], ["feedback", "02", "--student"], ["grade", "02", "--student"])
)
def test_an_empty_id_is_nobody_and_not_everybody(words, capsys):
    """A script's variable that is not set."""
    for empty in ("", " "):
        with pytest.raises(SystemExit, match="2"):
            main([*words, empty])
        assert "a student's id is needed here" in capsys.readouterr().err
