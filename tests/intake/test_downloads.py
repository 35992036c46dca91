"""A name as each platform gives it finds its student; what is left is taken when a person says whose."""

import csv
import zipfile

import pytest

from grader.__main__ import main
from grader.intake import register
from grader.intake.collect import COLLECTED, UNMATCHED, collect
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
ROSTER = """student_id,name,username,email,github_username
js1,Jane Smith,jsmith,jane.smith@uni.edu,octo-jane
jo2,"Doe, John",jdoe_2,john@uni.edu,jd
mu3,Jürgen Müller,jmuller,jm@uni.edu,jm
"""
PATHS = {
    "Blackboard": f"Lab 2_ pruning_jsmith_attempt_2026-03-01-10-22-33_{NOTEBOOK}",
    "Brightspace": f"48301-77412 - Jane Smith - Mar 1, 2026 1022 PM/{NOTEBOOK}",
    "Brightspace, with a colon": f"48301-77412 - Jane Smith - Mar 1, 2026 9:22 PM/{NOTEBOOK}",
    "Brightspace, older": f"Smith, Jane - March 1, 2026 922 AM/{NOTEBOOK}",
    "Brightspace, one number": f"48301 - Jane Smith - Mar 1, 2026 1022 PM/{NOTEBOOK}",
    "Brightspace, files": f"48301-77412 - Jane Smith - Mar 1, 2026 1022 PM - {NOTEBOOK}",
    "Brightspace, files, numbers": f"4830-774 - N0812345 - Jane Smith- Mar 1, 2026 922 AM - {NOTEBOOK}",
    "ILIAS, a team": f"Team 7/Smith_Jane_jsmith_1234/{NOTEBOOK}",
    "ILIAS, unpacked": f"Lab_2_pruning_4711/Smith_Jane_jsmith_1234/{NOTEBOOK}",
    "ILIAS, late": f"Smith_Jane_jsmith_1234/Late Submission - {NOTEBOOK}",
    "ILIAS, a name that is not ASCII": f"______Smith_jsmith_1234/{NOTEBOOK}",
    "ILIAS": f"Lab 2/Smith_Jane_jsmith_1234/{NOTEBOOK}",
    "ILIAS, a time in front of the file": f"Smith_Jane_jsmith_1234/20260301102233_{NOTEBOOK}",
    "OLAT": f"Smith_Jane_jsmith/2_submissions/{NOTEBOOK}",
    "OLAT, all of the task": f"ita_Lab_2_2026-03-01_10-22-33_123/Smith_Jane_jsmith/1_submissions/{NOTEBOOK}",
    "OLAT, a name of several words": f"Smith_Watson_Jane_M_jsmith/1_submissions/{NOTEBOOK}",
    "Teams": f"Submitted files/Jane Smith/Lab 2/Version 2/{NOTEBOOK}",
    "Teams, all of the library": f"Student Work/Submitted files/Jane Smith/Lab 2/{NOTEBOOK}",
    "Google Classroom": f"Jane Smith - {NOTEBOOK}",
    "Google Classroom, a copy": f"Jane Smith - Copy of {NOTEBOOK}",
    "Google Classroom, a German copy": f"Jane Smith - Kopie von {NOTEBOOK}",
    "Google Classroom, a French copy": f"Jane Smith - Copie de {NOTEBOOK}",
    "Google Classroom, a Portuguese copy": f"Jane Smith - C\u00f3pia de {NOTEBOOK}",
    "Google Classroom, so named by a Mac": f"Jane Smith - Co\u0301pia de {NOTEBOOK}",
    "GitHub Classroom": f"lab-2-submissions/lab-2-octo-jane/notebooks/{LAB}/{NOTEBOOK}",
    "a folder with an id": f"js1/{NOTEBOOK}",
    "a folder with an id, the student's own inside": f"js1/my work/{LAB} (1).ipynb",
    "a folder with a name": f"Jane Smith/{NOTEBOOK}",
}


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def zipped(tmp_path, files, name="download.zip"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return path


def taken(submitted):
    return {path.parts[-3]: path.read_bytes() for path in submitted.glob("*/*/*.ipynb")}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_name_of_each_platform_finds_its_student(tmp_path, people, path):
    """Alone in a zip, and beside another student's."""
    for number, other in enumerate(({}, {path.replace("Jane", "John").replace("Smith", "Doe").replace(
            "jsmith", "jdoe_2").replace("octo-jane", "jd").replace("js1", "jo2"): b"john's"})):  # fmt: skip
        arrivals = collect(LAB, zipped(tmp_path, {path: b"jane's"} | other), tmp_path / f"s{number}", people)
        assert {a.outcome for a in arrivals} == {COLLECTED}, arrivals
        assert taken(tmp_path / f"s{number}") == {"js1": b"jane's"} | ({"jo2": b"john's"} if other else {})


@pytest.mark.parametrize(("early", "late"), [
    ("Lab_jsmith_attempt_2026-03-01-10-22-33_", "Lab_jsmith_attempt_2026-03-02-09-00-00_"),
    ("1-2 - Jane Smith - Mar 1, 2026 1022 PM/", "1-2 - Jane Smith - Mar 2, 2026 922 AM/"),
    ("1-2 - Jane Smith - Mar 1, 2026 922 AM/", "1-2 - Jane Smith - Mar 1, 2026 1205 PM/"),
    ("1-2 - Jane Smith - Mar 1, 2026 922 AM - ", "1-2 - Jane Smith - Mar 1, 2026 1205 PM - "),
    ("1-2 - Jane Smith - Mar 1, 2026 9:22 AM/", "1-2 - Jane Smith - Mar 1, 2026 12:05 PM/"),
    ("Smith_Jane_jsmith/2_submissions/", "Smith_Jane_jsmith/4_revisions_1/"),
    ("Smith_Jane_jsmith/4_revisions_9/", "Smith_Jane_jsmith/6_revisions_10/"),
    ("Submitted files/Jane Smith/Lab/Version 9/", "Submitted files/Jane Smith/Lab/Version 10/"),
])  # fmt: skip
def test_the_later_attempt_is_taken(tmp_path, people, early, late):
    """What the platform's names say of the order; not as a time: they name no zone."""
    files = {f"{late}{NOTEBOOK}": b"late", f"{early}{NOTEBOOK}": b"early"}
    collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"late"}
    assert not list((tmp_path / "s").rglob("timestamp.txt"))


@pytest.mark.parametrize(
    "jane", ["smithjane_4711_55_", "Jane Smith_12_assignsubmission_file_/", "Jane Smith/"]
)
def test_several_folders_around_a_download_are_looked_into(tmp_path, people, jane):
    """Its own, and those of whoever unpacked it; a roster's students below tell that they are nobody's."""
    people.write_text("student_id,name,canvas_id\njs1,Jane Smith,4711\njo2,John Doe,777\n")
    john = jane.replace("Jane Smith", "John Doe").replace("smithjane_4711", "doejohn_777")
    files = {f"lab 2/submissions (3)/submissions/{who}{NOTEBOOK}": who.encode() for who in (jane, john)}
    arrivals = collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert {each.outcome for each in arrivals} == {COLLECTED}, arrivals
    assert taken(tmp_path / "s") == {"js1": jane.encode(), "jo2": john.encode()}


def test_folders_of_one_student_are_not_looked_into_for_others(tmp_path, people):
    """What lies in it the student named, so no name in there tells whose it is."""
    people.write_text("student_id,name,canvas_id\njs1,Jane Smith,4711\njo2,John Doe,777\n")
    name = f"a/b/doejohn_777_55_{NOTEBOOK}"
    (arrival,) = collect(LAB, zipped(tmp_path, {f"submissions/{name}": b"x"}), tmp_path / "s", people)
    assert arrival.outcome == UNMATCHED and taken(tmp_path / "s") == {}


def test_a_folder_around_ilias_own_is_looked_into(tmp_path, people):
    """Of two students at least: one alone may have made such folders in a folder of their own."""
    place = "All of it/Lab_2_pruning_4711"
    files = {f"{place}/Smith_Jane_jsmith_1/{NOTEBOOK}": b"j", f"{place}/Doe_John_jdoe_2_2/{NOTEBOOK}": b"d"}
    collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"j", "jo2": b"d"}


@pytest.mark.parametrize("beside", [{}, {f"js1/{NOTEBOOK}": b"j"}])
def test_a_folder_of_an_unknown_id_is_called_so(tmp_path, people, beside):
    source = zipped(tmp_path, {f"x9/{NOTEBOOK}": b"x"} | beside)
    (left,) = (a for a in collect(LAB, source, tmp_path / "s", people) if a.outcome != COLLECTED)
    assert (left.origin, left.outcome, left.notes) == ("x9", UNMATCHED, ("'x9' is not in the roster.",))


def test_platforms_own_files_are_nobodys(tmp_path, people):
    """Brightspace's index, Blackboard's text beside each attempt, Teams' files that were not handed in."""
    files = {
        "index.html": b"", f"1-2 - Jane Smith - Mar 1, 2026 1022 PM/{NOTEBOOK}": b"x",
        "Lab_jdoe_2_attempt_2026-03-01-10-22-33.txt": b"Name: John",
        f"Working files/Jane Smith/L/{NOTEBOOK}": b"y",
        f"Lab_jmuller_attempt_2026-03-01-10-22-33_{NOTEBOOK}": b"z",
        "Lab_jmuller_attempt_2026-03-01-10-22-33.txt": b"Name: J",
    }  # fmt: skip
    arrivals = collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"x", "mu3": b"z"}
    assert [a.outcome for a in arrivals].count(COLLECTED) == 2


def test_what_olat_has_beside_the_work_is_not_graded(tmp_path, people):
    """The task that was handed out and a teacher's corrections have the lab's name too."""
    top = "ita_Lab_2_2026-03-01_10-22-33_123"
    places = {"1_task": b"task", "2_submissions": b"own", "3_corrections": b"corrected", "4_assessment": b"x"}
    files = {f"{top}/Smith_Jane_jsmith/{place}/{NOTEBOOK}": data for place, data in places.items()}
    files |= {f"{top}/My_course_2026-03-01.xlsx": b"", f"{top}/solutions/{NOTEBOOK}": b"solution"}
    arrivals = collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert [(a.student, a.outcome) for a in arrivals] == [("js1", COLLECTED)]
    assert taken(tmp_path / "s") == {"js1": b"own"}


def test_a_login_and_a_name_of_two_students_are_nobodys(tmp_path):
    """The end of a login may be somebody's id: Doe_John_jdoe_2 is not student 2."""
    people = tmp_path / "r.csv"
    people.write_text("student_id,name\n2,Ann Ox\njo,John Doe\n")
    collected = zipped(tmp_path, {f"Doe_John_jdoe_2_77/{NOTEBOOK}": b"x", f"Ox_Ann_aox_78/{NOTEBOOK}": b"y"})
    arrivals = collect(LAB, collected, tmp_path / "s", people)
    assert [(a.student, a.outcome) for a in arrivals] == [(None, UNMATCHED), ("2", COLLECTED)]
    assert "several students of the roster: 2, jo" in arrivals[0].notes[0]


def test_teams_has_all_assignments_in_one_place(tmp_path, people):
    """Work for another lab is none for this one, and says nothing of who has not handed in."""
    files = {"Submitted files/Jane Smith/Lab 1/Version 1/01_perplexity.ipynb": b"1",
             f"Submitted files/Jane Smith/Lab 2/Version 1/{NOTEBOOK}": b"2",
             "Submitted files/John Doe/Lab 1/Version 1/01_perplexity.ipynb": b"1"}  # fmt: skip
    arrivals = collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert [(a.student, a.outcome) for a in arrivals] == [("js1", COLLECTED)]


def test_teams_in_another_language_is_read_from_its_folder(tmp_path, people):
    folder = tmp_path / "Eingereichte Dateien"
    for number in (9, 10):
        place = folder / "Jane Smith" / "Labor 2" / f"Version {number}"
        place.mkdir(parents=True)
        (place / NOTEBOOK).write_bytes(b"%d" % number)
    collect(LAB, folder, tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"10"}


def test_a_folder_of_one_student_needs_no_roster(tmp_path):
    """Nor does one inside another folder, beside somebody's notes."""
    for number, front in enumerate(("", "download/")):
        files = {f"{front}js1/{NOTEBOOK}": b"x"} | ({f"{front}notes.txt": b""} if front else {})
        collect(LAB, zipped(tmp_path, files), tmp_path / f"s{number}")
        assert taken(tmp_path / f"s{number}") == {"js1": b"x"}


def test_an_id_with_underscores_is_one(tmp_path):
    """Not a name that ILIAS would give: last_first_login."""
    people = tmp_path / "r.csv"
    people.write_text("student_id,name,login\nsmith_jane_x,A,a\nb,Jane Smith,x\n")
    collect(LAB, zipped(tmp_path, {f"smith_jane_x/{NOTEBOOK}": b"w"}), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"smith_jane_x": b"w"}


@pytest.mark.parametrize("inside", [
    f"Submitted files/John Doe/Lab/{NOTEBOOK}", f"x-submissions/x-jd/{NOTEBOOK}",
    f"Doe_John_jdoe_2/{NOTEBOOK}",
    f"1-2 - John Doe - Mar 1, 2026 1022 PM/{NOTEBOOK}", f"jo2/{NOTEBOOK}", f"Doe_John_jdoe_2_99/{NOTEBOOK}",
    f"Doe_John_jdoe_2/1_submissions/{NOTEBOOK}", f"1-2 - John Doe - Mar 1, 2026 1022 PM - {NOTEBOOK}",
])  # fmt: skip
def test_a_students_own_folders_are_the_students(tmp_path, people, inside):
    """Only the front of a path is the platform's."""
    collect(LAB, zipped(tmp_path, {f"js1/{inside}": b"forged"}), tmp_path / "s", people)
    assert taken(tmp_path / "s") in ({"js1": b"forged"}, {})


METADATA = b"""submission_11:
  :submitters:
  - :name: Jane Smith
    :sid: jsmith
    :email: jane.smith@uni.edu
  - :name: John Doe
    :sid:
    :email: john@uni.edu
  :created_at: 2026-03-01 10:22:33.402867000 Z
submission_12:
  :submitters:
  - :name: J. Mueller
    :email: jm@uni.edu
  :created_at: 2026-03-02 11:00:00 +01:00
"""


@pytest.mark.parametrize("front", ["", "assignment_7_export/"])
def test_gradescope_says_whose_and_when(tmp_path, people, front):
    """A team's submission is each member's."""
    files = {f"{front}submission_metadata.yml": METADATA, f"{front}submission_11/{NOTEBOOK}": b"team",
             f"{front}submission_12/work/{NOTEBOOK}": b"own"}  # fmt: skip
    arrivals = collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert {a.outcome for a in arrivals} == {COLLECTED}, arrivals
    assert taken(tmp_path / "s") == {"js1": b"team", "jo2": b"team", "mu3": b"own"}
    stamp = tmp_path / "s" / "mu3" / LAB / "timestamp.txt"
    assert stamp.read_text() == "2026-03-02 10:00:00.000000 UTC"


@pytest.mark.parametrize("metadata", [b"[", b"- 3", b"submission_11: 3", b"submission_11: {':submitters': 3}",
                                      b"\xff", b"&a [*a]",
                                      b"!!python/object/apply:os.system ['x']"])  # fmt: skip
def test_odd_metadata_is_none(tmp_path, people, metadata):
    files = {"submission_metadata.yml": metadata, f"submission_11/{NOTEBOOK}": b"x", f"js1/{NOTEBOOK}": b"y"}
    collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"y"}


def test_an_uploaded_file_named_as_metadata_claims_no_others_work(tmp_path, people):
    """In a folder of Google Drive a student's file keeps its name: eve's made john's vanish."""
    claim = f"Jane Smith - {NOTEBOOK}:\n  :submitters:\n  - :name: John Doe\n    :sid: jo2\n"
    files = {"submission_metadata.yml": claim.encode(), f"Jane Smith - {NOTEBOOK}": b"jane's"}
    collect(LAB, zipped(tmp_path, files), tmp_path / "s", people)
    assert taken(tmp_path / "s") == {"js1": b"jane's"}


def test_what_is_left_is_taken_when_a_person_says_whose(tmp_path, monkeypatch, capsys):
    """A CSV to fill in; filled-in lines stay, and the exit status says when all is well."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "roster.csv").write_text("student_id,name\njs1,Jane Smith\nzz9,Zoe\n")
    names = tmp_path / "names.csv"
    file = zipped(tmp_path, {f"unknownx_1_2_{NOTEBOOK}": b"x", f"smithjane_3_4_{NOTEBOOK}": b"y"})
    command = ["collect", LAB, str(file), "--roster", str(tmp_path / "roster.csv"), "--unmatched", str(names)]
    assert main(command) == 1
    (line,) = csv.DictReader(names.open())
    assert line == {"origin": f"unknownx_1_2_{NOTEBOOK}", "name": "unknownx", "number": "1", "student_id": ""}
    names.write_text(names.read_text().replace(",1,", ",1,zz9"))
    assert main(command) == 0
    assert taken(tmp_path / "course" / "submitted") == {"js1": b"y", "zz9": b"x"}
    assert names.read_text().count("zz9") == 1
    names.write_text(names.read_text().replace("zz9", "../zz"))
    assert main(command) == 1 and UNMATCHED in capsys.readouterr().out
    names.write_text("a,b\n1,2\n")
    assert main(command) == 2


def test_what_a_person_said_is_kept(tmp_path, monkeypatch):
    """Later calls need no CSV; a later one counts over it, and a line without an id takes it back."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "roster.csv").write_text("student_id,name\njs1,Jane Smith\nzz9,Zoe\nyy8,Yan\n")
    names, origin = tmp_path / "names.csv", f"unknownx_1_2_{NOTEBOOK}"
    command = ["collect", LAB, str(zipped(tmp_path, {origin: b"x"}))]
    assert main([*command, "--roster", str(tmp_path / "roster.csv")]) == 1
    for said, status in (("zz9", 0), ("nobody", 1), ("zz9", 0), ("", 1), ("zz9", 0), ("yy8", 0)):
        names.write_text(f"origin,student_id\n{origin},{said}\n")
        assert main([*command, "--unmatched", str(names)]) == status
        for again in ([], ["--unmatched", str(tmp_path / f"other{said}.csv")]):
            assert main([*command, *again]) == status
        held = register.read(tmp_path / "course" / "submitted", LAB)
        assert (list(held.unmatched), held.assigned) == (
            ([], {origin: said}) if status == 0 else ([origin], {})
        )
    assert taken(tmp_path / "course" / "submitted") == {"yy8": b"x"}


def test_work_that_was_given_to_the_wrong_student_is_taken_back(tmp_path, monkeypatch, capsys):
    """Neither points nor a page of somebody else's work stay with the student; the student's own does."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "roster.csv").write_text("student_id,name\njs1,Jane Smith\nzz9,Zoe\n")
    names, origin = tmp_path / "names.csv", f"unknownx_1_2_{NOTEBOOK}"
    files = {origin: b"zoe's", f"smithjane_3_1_{NOTEBOOK}": b"jane's"}
    command = ["collect", LAB, str(zipped(tmp_path, files)), "--unmatched", str(names)]
    names.write_text(f"origin,student_id\n{origin},js1\n")
    assert main([*command, "--roster", str(tmp_path / "roster.csv")]) == 0
    assert taken(tmp_path / "course" / "submitted") == {"js1": b"zoe's"}
    names.write_text(f"origin,student_id\n{origin},zz9\n")
    capsys.readouterr()
    assert main(command) == 0
    assert "taken back from js1: run `grade`" in capsys.readouterr().out
    assert taken(tmp_path / "course" / "submitted") == {"js1": b"jane's", "zz9": b"zoe's"}


def test_a_download_with_nothing_in_it_is_called_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    source = zipped(tmp_path, {})
    assert main(["collect", LAB, str(source)]) == 1
    assert f"Nothing of {LAB} is in {source}: is it the right download?" in capsys.readouterr().out


def test_a_list_that_gives_one_work_to_two_is_refused(tmp_path, people, capsys):
    names = tmp_path / "names.csv"
    names.write_text(f"origin,student_id\n{NOTEBOOK},js1\n{NOTEBOOK},jo2\n")
    with pytest.raises(LabError, match="to two students: remove one"):
        collect(LAB, zipped(tmp_path, {NOTEBOOK: b"x"}), tmp_path / "s", people, None, names)
    assert not (tmp_path / "s").exists()


def test_a_file_of_the_same_name_may_be_anothers(tmp_path, people):
    """In a folder of Google Drive files keep their names: the next download has them in another order."""
    names = tmp_path / "names.csv"
    names.write_text(f"origin,student_id\n{NOTEBOOK},js1\n")
    source = zipped(tmp_path, {NOTEBOOK: b"jane's"})
    for given in (names, None):
        assert collect(LAB, source, tmp_path / "s", people, None, given)[0].student == "js1"
    (left,) = collect(LAB, zipped(tmp_path, {NOTEBOOK: b"john's"}), tmp_path / "s", people)
    assert left.outcome == UNMATCHED and taken(tmp_path / "s") == {"js1": b"jane's"}


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        (NOTEBOOK, NOTEBOOK),  # of Google Classroom, where a file keeps the name that its student gave it
        (f"{LAB} (1).ipynb", f"{LAB} (1).ipynb"),
        (f"Jnae Smyth/my work/{NOTEBOOK}", "Jnae Smyth/my work"),
        (f"grouptask_Lab_2_2026-03-01_10-22-33/Red_12/1_submissions/{NOTEBOOK}",
         "grouptask_Lab_2_2026-03-01_10-22-33/Red_12/1_submissions"),
    ],
)  # fmt: skip
def test_work_without_a_name_is_in_the_list_too(tmp_path, people, name, origin):
    """Whatever is left can be given to somebody, in one line for each folder."""
    names = tmp_path / "names.csv"
    source = zipped(
        tmp_path, {name: b"jane's", f"smithjane_1_2_{NOTEBOOK}".replace("smithjane", "doejohn"): b"j"}
    )
    found = collect(LAB, source, tmp_path / "s", people, None, names)
    assert {(a.outcome, a.student) for a in found} == {(UNMATCHED, None), (COLLECTED, "jo2")}
    assert [line["origin"] for line in csv.DictReader(names.open())] == [origin]
    names.write_text(names.read_text().rstrip() + "js1\n")
    found = collect(LAB, source, tmp_path / "s", people, None, names)
    assert {(a.outcome, a.student) for a in found} >= {(COLLECTED, "js1")}
    assert taken(tmp_path / "s")["js1"] == b"jane's"


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_list_comes_back_as_a_spreadsheet_saves_it(tmp_path, people, separator, encoding):
    """Where a comma is a decimal point, spreadsheets put semicolons; others write titles and bytes anew."""
    names = tmp_path / "names.csv"
    source = zipped(tmp_path, {f"Nobody Known - {NOTEBOOK}": b"jane's"})
    assert {a.outcome for a in collect(LAB, source, tmp_path / "s", people, None, names)} == {UNMATCHED}
    rows = [[*row[:-1], row[-1] or "js1"] for row in csv.reader(names.open(newline=""))]
    rows[0][-1] = "Student ID"
    names.write_text("\n".join(separator.join(row) for row in rows), encoding=encoding)
    arrivals = collect(LAB, source, tmp_path / "s", people, None, names)
    assert [(a.outcome, a.student) for a in arrivals] == [(COLLECTED, "js1")]


@pytest.mark.parametrize(
    "front", ["=1+1", "@x", "Zoë e\u0301 👩‍🚀", "\u202eabc", "a\nb", "a " + "x" * 150, "'x", "\udcff"]
)
def test_the_list_holds_names_of_any_form(tmp_path, people, front):
    """A spreadsheet calculates none of them, and each is found again when the list comes back."""
    names, folder = tmp_path / "names.csv", tmp_path / "in"
    for number, end in enumerate(("y", "z")):
        place = folder / f"{front}{end}_880000_assignsubmission_file_"
        place.mkdir(parents=True)
        (place / NOTEBOOK).write_bytes(b"%d" % number)
    assert {a.outcome for a in collect(LAB, folder, tmp_path / "s", people, None, names)} == {UNMATCHED}
    found = list(csv.DictReader(names.open(newline="")))
    assert len(found) == 2 and not any(line["origin"][0] in "=+-@" for line in found)
    rows = [
        [*row[:-1], row[-1] or ("js1" if "y_880000" in row[0] else "jo2")]
        for row in csv.reader(names.open(newline=""))
    ]
    names.write_text("\n".join(";".join(f'"{cell}"' for cell in row) for row in rows), "utf-16")
    collect(LAB, folder, tmp_path / "s", people, None, names)
    assert taken(tmp_path / "s") == {"js1": b"0", "jo2": b"1"}
