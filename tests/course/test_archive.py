"""A course in one file: opened elsewhere, it is the same course, with the same scores."""

import hashlib
import json
import os
import shutil
import stat
import warnings
import zipfile

import pytest
from msgspec.structs import replace

from grader import archive, course
from grader.__main__ import main
from grader.author.release import release
from grader.grade import class_run, journal, version
from grader.grade.submission import begun
from grader.results import gradebook, table
from labsupport import files
from tests.results.test_gradebook import LAB, graded

pytestmark = pytest.mark.lengthy
WORK = {"ann": b"{}", "bob": b"{ }"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Two students graded, and a rule for late work; the archive, and the lines of the table."""
    place = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(place / "course"))
        release([LAB])
        folder = course.folder()
        with (folder / "own_config.py").open("a") as config:
            config.write("# ours\n")
        for student, raw in WORK.items():
            files.write_whole(folder / "submitted" / student / LAB / f"{LAB}.ipynb", raw)
        (folder / "submitted" / "ann" / LAB / ".late").touch()
        for student, share in (("ann", 1), ("bob", 0.5)):
            record = graded(student, share, digest=hashlib.sha256(WORK[student]).hexdigest())
            journal.write(replace(record, version=version.of(LAB)))
        gradebook.hand_over(LAB, journal.records(LAB))
        version.note(LAB, version.of(LAB))
        (folder / ".grading.lock").touch()
        (folder / ".release-x").mkdir()
        (folder / ".release-x" / "a").touch()
        (folder / "link").symlink_to("/etc/hostname")
        assert main(["archive", str(place / "course.zip")]) == 0
        lines = table.lines(LAB)
    shutil.rmtree(place / "course")
    return place / "course.zip", lines


@pytest.fixture
def opened(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "elsewhere" / "course"))
    assert main(["unarchive", str(packed[0]), str(tmp_path / "elsewhere")]) == 0
    return tmp_path / "elsewhere"


def test_the_same_course(packed, opened, capsys, monkeypatch):
    """The table is the same, lateness included, and `grade` finds nothing left to do."""
    assert table.lines(LAB) == packed[1]
    monkeypatch.setattr(class_run, "grade", lambda task: pytest.fail("graded again"))
    assert main(["grade", LAB]) == 0
    assert table.lines(LAB) == packed[1]
    config = (opened / "course" / "nbgrader_config.py").read_text()
    assert repr(str(course.ROOT)) in config and "# ours" in (opened / "course" / "own_config.py").read_text()


def test_graded_anew_it_has_the_same_questions(packed, opened, monkeypatch):
    """The seed and the work are those of the archive, so the same judges say the same."""
    shutil.rmtree(opened / "course" / "journal")
    asked = {}

    def judge(task):
        asked[task.submission.student] = (task.course_seed, task.submission.raw, task.version)
        return begun(task)

    monkeypatch.setattr(class_run, "grade", judge)
    main(["grade", LAB])
    assert asked == {student: (course.seed(), raw, version.of(LAB)) for student, raw in WORK.items()}
    with zipfile.ZipFile(packed[0]) as zipped:
        assert int(zipped.read("course/seed")) == course.seed()


def content(folder) -> dict:
    found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder): path.read_bytes() for path in found}


def test_who_may_read_it_and_what_stays(packed, opened):
    """Hidden cases are the owner's; locks and links stay; the project is in it, as it judges."""
    for path in (packed[0], opened / "course" / "seed"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    there = {path.name for path in (opened / "course").iterdir()}
    assert not {".grading.lock", ".grading", ".release-x", "link"} & there
    for package in ("grader", "labsupport"):
        assert content(opened / "project" / package) == content(course.ROOT / package)
    assert (opened / "project" / "solutions" / f"{LAB}.py").exists()
    assert (opened / "project" / "pyproject.toml").exists()


def test_what_differs_is_said(packed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(version, "sources", lambda: "other")
    monkeypatch.setattr(archive.metadata, "version", lambda name: "0.1")
    monkeypatch.setenv("PRUNING_LABS_MODEL", "other")
    assert main(["unarchive", str(packed[0]), str(tmp_path / "there")]) == 0
    said = capsys.readouterr().out
    assert f"run `make setup` in {tmp_path / 'there' / 'project'}" in said and "here is 0.1" in said
    assert (
        "PRUNING_LABS_MODEL" in said and f"export PRUNING_LABS_COURSE={tmp_path / 'there' / 'course'}" in said
    )


def test_what_is_no_archive_opens_nothing(packed, tmp_path, capsys):
    """A download, half a file, and a folder that is there already: one sentence, and nothing is left."""
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("x.ipynb", "{}")
    (tmp_path / "half.zip").write_bytes(packed[0].read_bytes()[:1000])
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as odd:
        odd.writestr(archive.ABOUT, json.dumps({"judges": 1}))
    raw = bytearray(packed[0].read_bytes())
    with zipfile.ZipFile(packed[0]) as whole:
        about = whole.getinfo(archive.ABOUT)
    raw[about.header_offset + 30 + len(about.filename)] ^= 0xFF  # its first byte of deflated data
    (tmp_path / "rotten.zip").write_bytes(raw)
    before = sorted(tmp_path.iterdir())
    for name in ("other.zip", "half.zip", "odd.zip", "rotten.zip", "none.zip"):
        assert main(["unarchive", str(tmp_path / name), str(tmp_path / "new")]) == 2
    assert main(["unarchive", str(packed[0]), str(tmp_path)]) == 2
    assert sorted(tmp_path.iterdir()) == before
    assert capsys.readouterr().err.count("\n") == 6


LINK = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("course/seed", 0), ("../../evil", 0)], "no '../../evil'"),
        ([("course/seed", 0), ("course/a/../../../evil", 0)], "no 'course/a/../../../evil'"),
        ([("course/seed", 0), ("/etc/evil", 0)], "no '/etc/evil'"),
        ([("course/seed", 0), ("course/submitted", LINK)], "'course/submitted' in it is a link"),
        ([("course/seed", 0), ("course/seed", 0)], "twice"),
        ([("project/start.py", 0)], "it has no course"),
    ],
)
def test_what_no_archive_has_opens_nothing(packed, tmp_path, capsys, members, why):
    """Somebody made it by hand, or means harm: nothing of it is unpacked, renamed or left."""
    with zipfile.ZipFile(packed[0]) as whole, zipfile.ZipFile(tmp_path / "odd.zip", "w") as odd:
        odd.writestr(archive.ABOUT, whole.read(archive.ABOUT))
        for name, mode in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = mode
            with warnings.catch_warnings(action="ignore"):  # of a name that is there twice
                odd.writestr(member, "1")
    assert main(["unarchive", str(tmp_path / "odd.zip"), str(tmp_path / "new")]) == 2
    assert why in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["odd.zip"]


def test_only_an_archive_is_replaced(folder, tmp_path, capsys):
    """The class's download under the name of the new file is kept; last week's archive is renewed."""
    for name, content in (("downloads.zip", b"work"), ("archive.zip", None), ("archive.zip", None)):
        if content:
            (tmp_path / name).write_bytes(content)
        assert main(["archive", str(tmp_path / name)]) == (2 if content else 0)
    assert (tmp_path / "downloads.zip").read_bytes() == b"work"
    os.mkfifo(tmp_path / "pipe")
    assert main(["archive", str(tmp_path / "pipe")]) == 2
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert capsys.readouterr().err.count("is no archive of a course: name another file.") == 2


def test_a_gradebook_elsewhere_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    assert main(["archive", str(tmp_path / "x.zip")]) == 2
    course.seed()
    with (course.folder() / "own_config.py").open("a") as config:
        config.write('c.CourseDirectory.db_url = "postgresql://me:secret@host/book"\n')
    assert main(["archive", str(tmp_path / "x.zip")]) == 0
    said = capsys.readouterr().out
    assert "is not in it" in said and ":secret@" not in said


def test_a_file_name_of_an_old_system_is_packed(tmp_path, monkeypatch):
    """`unzip` makes names that are no UTF-8 of what Windows packed."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    course.seed()
    (course.folder() / os.fsdecode(b"Pr\x81fung.txt")).write_text("x")
    assert main(["archive", str(tmp_path / "x.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        assert packed.read("course/Pr\\x81fung.txt") == b"x"


def test_a_place_that_cannot_be_written_is_said_in_one_sentence(folder, tmp_path, capsys):
    """Without the names that the file has while it is written."""
    for place, why in (
        (tmp_path / "no" / "a.zip", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        assert main(["archive", str(place)]) == 2
        assert capsys.readouterr().err.endswith(f"{place} cannot be written: {why}.\n")
