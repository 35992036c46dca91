"""Where a course may lie, and what a command says where the disk does not let it write."""

import errno
import os

import pytest

from grader.__main__ import main
from grader.results import essays, gradebook
from labsupport import files
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"


@pytest.mark.parametrize("name", ["term [2026]", "what?", "all*"])
def test_a_course_folder_has_no_signs_that_patterns_and_addresses_know(tmp_path, monkeypatch, capsys, name):
    """With a ? the gradebook lay elsewhere, and below [2026] nbgrader found no notebook."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / name / "course"))
    assert main(["grades", "02", "--csv", str(tmp_path / "grades.csv")]) == 2
    said = capsys.readouterr().err
    assert "A course folder cannot have a" in said and said.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_does_not_let_us_write_gets_one_sentence(tmp_path, monkeypatch, capsys, number):
    def fails(*_):
        raise OSError(number, os.strerror(number), str(tmp_path))

    monkeypatch.setattr("grader.author.release.release", fails)
    assert main(["release", "02"]) == 2
    said = capsys.readouterr().err
    assert (
        said == f"{tmp_path} cannot be read or written: {os.strerror(number)}. What was finished is kept.\n"
    )


def test_pages_that_nbgrader_cannot_write_name_their_folder(tmp_path, monkeypatch, capsys):
    """The system's error has the name of a file alone, in whatever folder nbgrader was, and a number."""

    class Refused:
        def __init__(self, **_):
            pass

        def start(self):
            raise PermissionError(errno.EACCES, "Permission denied", f"{LAB}.html")

    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    files.write_whole(tmp_path / "autograded" / "ann" / LAB / f"{LAB}.ipynb", b"{}")
    monkeypatch.setattr(gradebook, "GenerateFeedback", Refused)
    assert main(["feedback", "02"]) == 2
    place = tmp_path / "feedback"
    said = f"The feedback on {LAB} cannot be made in {place}: Permission denied.\n"
    assert capsys.readouterr().err == said


def test_an_error_of_the_programs_own_stays_one(monkeypatch):
    def fails(*_):
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("grader.author.release.release", fails)
    with pytest.raises(OSError, match="Bad file"):
        main(["release", "02"])


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    """The system's error on a write has no name."""

    class Full:
        def __init__(self, *_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.Path, "open", Full)
    with pytest.raises(OSError, match="No space") as caught:
        files.write_whole(tmp_path / "page.html", b"x")
    assert caught.value.filename == str(tmp_path / "page.html")


def test_of_written_answers_for_several_people_all_are_written_or_none(tmp_path, monkeypatch):
    """Otherwise the same command would call the first one's file one with points in it."""
    answer = type("Answer", (), {"held": None, "question": type("Question", (), {"position": 0})})()
    monkeypatch.setattr(essays, "answers", lambda _: [answer])
    monkeypatch.setattr(essays, "row", lambda _: ["a"])
    monkeypatch.setattr(essays, "template", lambda _: type("T", (), {"render": lambda *_, **__: "page"})())
    whole, written = files.write_whole, []

    def full(path, *more):
        written.append(path)
        if len(written) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(path, *more)

    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(LabError, match="No space"):
        essays.write(LAB, [tmp_path / "ada.csv", tmp_path / "ben.csv"])
    assert len(written) == 4 and not list(tmp_path.iterdir())


def test_a_page_of_nobody_is_not_made_in_silence(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    with pytest.raises(LabError, match="Nothing of nobody is graded in 02_magnitude_pruning"):
        gradebook.feedback(LAB, "nobody")


@pytest.mark.parametrize("student", ["=1+1", "../../x", "a b"])
def test_an_extension_is_a_students(tmp_path, monkeypatch, capsys, student):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "more.csv").write_text(f"student_id,days\n{student},2\n")
    assert main(["extensions", "02", str(tmp_path / "more.csv")]) == 2
    assert f"has '{student}' as a student_id" in capsys.readouterr().err
    assert not (tmp_path / "course" / "extensions").exists()
