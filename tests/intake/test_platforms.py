"""Class lists as Canvas and Moodle export them, and as spreadsheets save them, serve as rosters."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from grader.course import ROOT
from grader.intake import moodle, roster
from grader.intake.collect import COLLECTED, LEFT_OUT, UNMATCHED, collect
from grader.results import lms_export
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Midterm (1),Final Score,student_id
,,,,,Manual Posting,,
    Points Possible,,,,,10.00,(read only),
"Smith, Jane",12530,s1,js,A,85,85,js1
"Doe, John",777,s2,jd,A,12530,5,jd2
"Student, Test",999,,a1b2c3,A,,,
"""


def written(tmp_path, data, name="roster.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def zipped(tmp_path, *names):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


# Canvas


def test_canvas_export_is_a_roster_as_it_is(tmp_path):
    """Its lines that are no student, and its test student, need nobody's scissors."""
    people = roster.read(written(tmp_path, CANVAS))
    assert sorted(people.lines) == ["jd2", "js1"]
    assert people.find("smithjane", "12530") == ("js1", "")
    assert people.find("doejohn", "777") == ("jd2", "")


@pytest.mark.parametrize(
    "line",
    ["    Points Possible,,,,,10,(read only),", "    Mögliche Punkte,,,,,10,,", ",,,,,Manual Posting,,",
     "    Manual Posting,,,,,Manual Posting,,", '"Student, Test",999,,x,A,,,', "Points Possible,,,,,10,,x"],
)  # fmt: skip
def test_a_line_that_is_no_student_is_left_out(tmp_path, line):
    """In every language of Canvas such a line has no ID."""
    lines = CANVAS.splitlines()
    people = roster.read(written(tmp_path, "\n".join([lines[0], line, *lines[3:5]])))
    assert sorted(people.lines) == ["jd2", "js1"]


def test_a_student_without_an_id_is_still_said(tmp_path):
    with pytest.raises(LabError, match="no student_id in line 7"):
        roster.read(written(tmp_path, CANVAS + '"Roe, Richard",55,s3,rr,A,,,\n'))


def test_the_test_student_is_no_fault_each_week(tmp_path):
    files = [
        f"studenttest_999_987_{NOTEBOOK}",
        f"teststudent_LATE_999_987_{NOTEBOOK}",
        f"x_12530_1_{NOTEBOOK}",
    ]
    arrivals = collect(LAB, zipped(tmp_path, *files), tmp_path / "s", written(tmp_path, CANVAS))
    assert [arrival.outcome for arrival in arrivals] == [LEFT_OUT, LEFT_OUT, COLLECTED]


def test_a_small_canvas_has_small_numbers(tmp_path):
    """The first users of a school's own Canvas have one digit."""
    people = written(tmp_path, "student_id,name,canvas_id\na,Kim Lee,5\nb,Kim Lee,6\n")
    files = [f"leekim_6_7_{NOTEBOOK}", f"leekim_LATE_5_8_{NOTEBOOK}"]
    arrivals = collect(LAB, zipped(tmp_path, *files), tmp_path / "s", people)
    assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [
        ("a", COLLECTED),
        ("b", COLLECTED),
    ]


def test_a_student_of_that_name_is_a_student(tmp_path):
    people = written(tmp_path, "student_id,name\nts1,Student Test\n")
    arrivals = collect(LAB, zipped(tmp_path, f"studenttest_11_987_{NOTEBOOK}"), tmp_path / "s", people)
    assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [("ts1", COLLECTED)]


@pytest.mark.parametrize(
    ("line", "said"),
    [('c,"Roe, Richard', "line 4, where a quotation mark may be missing: unexpected end of data"),
     ('c,"Roe, x\nd,"Day",1', "line 4, where a quotation mark"), ('c,"Al" Roe,1', "line 4,")],
)  # fmt: skip
def test_an_open_quotation_mark_swallows_no_students(tmp_path, line, said):
    """All lines below it were one name, and their students were on no list."""
    text = f'student_id,name\na,"Ann\nLee"\n{line}\ne,Eve\n'
    with pytest.raises(LabError, match=re.escape(said)):
        roster.read(written(tmp_path, text))


# Moodle


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "word",
    ["Participant ", "Teilnehmer/in", "Teilnehmer_in ", "参加者 ", "Participante", "Участник ", "مشارك "],
)
@pytest.mark.parametrize("title", ["Identifier", "ID", "Kennung", "識別子", "Identificador"])
@pytest.mark.parametrize("front", [True, False])
def test_moodles_identifier_is_known_by_its_form(tmp_path, monkeypatch, word, title, front):
    """A worksheet in any language identifies students by their numbers, and goes back into the export."""
    rows = [(title, "Name", "x"), (f"{word}880000", "A", "a"), (f"{word}880001", "B", "b")]
    ids = ["student_id", "x1", "y2"]
    lines = [[i, *row] if front else [*row, i] for i, row in zip(ids, rows, strict=True)]
    path = written(tmp_path, "\n".join(",".join(line) for line in lines))
    people = roster.read(path)
    assert moodle.whose(word, "880000", people) == ("x1", "")
    assert moodle.whose(f"Red-team-{word}", "880000", people) == ("x1", "")
    assert moodle.whose("B", "880001", people) == ("y2", "")
    assert moodle.whose("Somebody Else", "880000", people)[0] is None
    assert moodle.whose(word, "880002", people)[0] is None
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    assert [line[0] for line in lms_export.moodle(LAB)] == ["Identifier", f"{word}880000", f"{word}880001"]


def test_moodles_number_is_no_other_column(tmp_path):
    """The number of a participant of today is somebody else's matriculation number."""
    text = "Identifier,Full name,ID number,student_id\nParticipant 11,Ann,22,a\nParticipant 22,Ben,33,b\n"
    people = roster.read(written(tmp_path, text))
    assert moodle.whose("Participant", "22", people) == ("b", "")
    assert moodle.whose("Participant", "33", people)[0] is None
    assert people.find("Nobody", "33") == ("b", "")  # of Canvas


GROUPED = """Identifier,Full name,Email address,student_id
Participant 11,Ann Ox,a@x,ann
Participant 12,Ben Ro,b@x,ben
Participant 13,Jean-Luc Ox,j@x,jlo
"""


@pytest.mark.parametrize(
    ("folder", "student"),
    [
        ("Red team_11_assignsubmission_file_", None),
        ("Red-Ben Ro_11_assignsubmission_file_", None),
        ("Red-Kim Lee_11_assignsubmission_file_", None),
        ("11_12_assignsubmission_file_", None),
        ("Default group_assignsubmission_file", None),
        ("Default group_assignsubmission_file_", None),
        ("Red-team-Ann Ox_11_assignsubmission_file_", "ann"),
        ("Red-Jean-Luc Ox_13_assignsubmission_file_", "jlo"),
        ("Jean-Luc Ox_99_assignsubmission_file_", "jlo"),
        ("Participant_12_assignsubmission_file_", "ben"),
        ("Red-Participant_12_assignsubmission_file_", "ben"),
    ],
)
def test_a_groups_folder_is_no_members_by_its_number(tmp_path, folder, student):
    """A group's number may be somebody's participant number."""
    people = written(tmp_path, GROUPED)
    (arrival,) = collect(LAB, zipped(tmp_path, f"{folder}/{NOTEBOOK}"), tmp_path / "s", people)
    assert (arrival.student, arrival.outcome) == (student, COLLECTED if student else UNMATCHED)
    if not student:
        assert "it may be a group's folder" in arrival.notes[0] and "`teams`." in arrival.notes[0]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "front", ["anon_aB3xZ_12530", "LATE_anon_aB3xZ_12530", "anon_12530_777", "anon_aB3xZ"]
)
def test_canvas_anonymous_work_is_nobodys(tmp_path, front, known):
    """The number of an attachment may be another student's id."""
    people = written(tmp_path, CANVAS) if known else None
    (arrival,) = collect(LAB, zipped(tmp_path, f"{front}_{NOTEBOOK}"), tmp_path / "s", people)
    assert arrival.outcome == UNMATCHED and "anonymous grading hides the names" in arrival.notes[0]


@pytest.mark.parametrize("title", ["username", "login", "name", "email"])
def test_logins_are_not_taken_for_participants(tmp_path, title):
    people = roster.read(written(tmp_path, f"{title},student_id\nuser12,a\nuser13,b\n"))
    assert moodle.whose("user", "12", people)[0] is None


def test_an_assignments_title_identifies_nobody(tmp_path):
    """'Midterm' has an id in it; the points there are nobody's number."""
    people = roster.read(written(tmp_path, CANVAS))
    assert people.find("Nobody", "85")[0] is None
    assert people.find("Nobody", "12530") == ("js1", "")


# Spreadsheets

TABLE = 'student_id,name,email\r\nx1,"Weiß, Anna",a@b.de\r\ny2,"O\'Neill,\r\nKim",k@b.de\r\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_a_csv_is_read_as_any_spreadsheet_saves_it(tmp_path, separator, encoding, newline):
    cells = [
        ["student_id", "name", "email"],
        ["x1", '"Weiß, Anna"', "a@b.de"],
        ["y2", '"O’Neill\nKim"', "k@b.de"],
    ]
    text = newline.join(separator.join(row) for row in cells) + newline
    people = roster.read(written(tmp_path, text.replace("\n", newline).encode(encoding)))
    assert people.find("weißanna") == ("x1", "")
    assert people.find("ONeillKim") == ("y2", "")
    assert people.lines["x1"]["name"] == "Weiß, Anna"


def test_a_title_with_separators_and_a_line_for_excel(tmp_path):
    text = 'sep=;\n"name, first\nand last";student_id;"name"\n-;x1;Weiß\n'
    assert roster.read(written(tmp_path, text)).find("Weiß") == ("x1", "")


def test_invisible_marks_are_no_part_of_an_id(tmp_path):
    """Copied from a page in Hebrew or Arabic, an id brings marks of the direction along."""
    assert list(roster.read(written(tmp_path, "student_id,name\n\u200fx1\u200e,יעל\n")).lines) == ["x1"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Иванов", "cp1251"),
        ("김민수", "cp949"),
        ("高橋", "shift-jis"),
        ("Jiří Dvořák", "cp1250"),
        ("Łukasz", "cp1250"),
    ],
)
def test_another_code_page_is_not_guessed(tmp_path, text, encoding):
    with pytest.raises(LabError, match="not UTF-8: save it as 'CSV UTF-8'"):
        roster.read(written(tmp_path, f"student_id,name\nx1,{text}\n".encode(encoding)))


# Ids that a spreadsheet takes for something else


def test_ids_that_differ_in_signs_alone_are_different_people(tmp_path):
    """An exchange's user names are ids, letter by letter; on a platform such names fit nobody."""
    people = written(tmp_path, "student_id,name\na-b,Ann\nab,Ben\nAB,Cem\n")
    files = [f"{each}+{LAB}+2026-11-20 10:00:00 UTC/{NOTEBOOK}" for each in ("a-b", "ab", "AB")]
    arrivals = collect(LAB, zipped(tmp_path, *files), tmp_path / "s", people)
    assert [arrival.student for arrival in arrivals] == ["AB", "a-b", "ab"]
    assert (
        collect(LAB, zipped(tmp_path, f"ab_11_2_{NOTEBOOK}"), tmp_path / "s", people)[0].outcome == UNMATCHED
    )


@pytest.mark.parametrize("student", ["1.23457E+11", "1,2E+05", "5e+10", "7.0", "7,0"])
def test_a_number_in_place_of_an_id_is_refused(tmp_path, student):
    with pytest.raises(LabError, match="in line 2: a spreadsheet made a number of it"):
        roster.read(written(tmp_path, f'student_id,name\n"{student}",Ann\n'))


def test_a_platforms_number_is_whole(tmp_path):
    """In a column where one is missing, spreadsheets write 12345.0, which is not the number 123450."""
    people = roster.read(written(tmp_path, "student_id,name,canvas_id\nann,Ann,12345.0\nben,Ben,\n"))
    assert people.find("", "12345") == ("ann", "") and people.find("", "123450")[0] is None
    assert people.lines["ann"]["canvas_id"] == "12345"


@pytest.mark.parametrize("student", ["7", "07"])
def test_zeros_that_a_spreadsheet_ate_are_missed(tmp_path, student):
    """Otherwise 007 is absent from now on, and 7 is somebody new."""
    (tmp_path / "course" / "submitted").mkdir(parents=True)
    written(tmp_path / "course", "student_id,name\n007,Ann\n100,Ben\n")
    people = written(tmp_path, f"student_id,name\n{student},Ann\n100,Ben\n")
    with pytest.raises(LabError, match=f"'{student}', and the course has '007': a spreadsheet"):
        collect(LAB, zipped(tmp_path, f"ann_11_2_{NOTEBOOK}"), tmp_path / "course" / "submitted", people)
    assert not list((tmp_path / "course" / "submitted").iterdir())


def test_an_id_kept_from_a_spreadsheet_is_read(tmp_path):
    """="007" is how some systems keep the zeros; blank lines above the titles are of no table."""
    people = roster.read(written(tmp_path, '\n\r\nstudent_id,name\n"=""007""",Ann\n="008",Ben\n'))
    assert list(people.lines) == ["007", "008"]


# The terminal


@pytest.mark.lengthy
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict"])
def test_a_terminal_without_the_letters_ends_nothing(tmp_path, encoding):
    """The roster is kept, the class collected, and each name is printed in some way."""
    names = [f"김 민수_1_assignsubmission_file_/{NOTEBOOK}", f"Łukasz Ω_2_assignsubmission_file_/{NOTEBOOK}"]
    people = written(tmp_path, "student_id,name\nx1,김 민수\n")
    command = [sys.executable, "-m", "grader", "collect", "02", zipped(tmp_path, *names), "--roster", people]
    settings = {"PYTHONIOENCODING": encoding, "PRUNING_LABS_COURSE": str(tmp_path / "c"), "LANG": "C"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"x1: \\uae40 \\ubbfc\\uc218_1" in done.stdout
    assert UNMATCHED.encode() in done.stdout
    assert (tmp_path / "c" / "roster.csv").read_bytes() == people.read_bytes()
    assert (tmp_path / "c" / "submitted" / "x1" / LAB / NOTEBOOK).exists()


def test_a_shorter_roster_keeps_everybody(tmp_path):
    """Two assistants, each with a section's list: the second collect loses nobody of the first."""
    kept = tmp_path / "course" / "roster.csv"
    roster.keep(written(tmp_path, "student_id,name,email\na1,Ann Ox,ann@x\nb2,Bo Ro,bo@x\n"), kept)
    roster.keep(
        written(tmp_path, "Identifier,student_id,name\nParticipant 7,b2,Bo Rot\nParticipant 8,c3,Cy\n"), kept
    )
    people = roster.read(kept)
    assert list(people.lines) == ["a1", "b2", "c3"]
    assert people.lines["b2"]["name"] == "Bo Rot" and people.lines["b2"]["email"] == "bo@x"
    assert moodle.whose("Participant", "8", people) == ("c3", "")
    assert people.find("Ann Ox")[0] == people.find("ann")[0] == "a1"
    whole = written(tmp_path, "student_id,name\nc3,Cy\na1,A\nb2,B\n")
    roster.keep(whole, kept)
    assert kept.read_bytes() == whole.read_bytes()
