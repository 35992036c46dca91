"""PostgreSQL as the gradebook: a whole course on a real server, and what is said when it cannot be reached.

The server is a private one, of Debian's package `postgresql`: in a folder of its own, on a Unix socket.
"""

import csv
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from grader import course
from grader.__main__ import main
from grader.grade import journal
from grader.intake import submitted
from grader.results import gradebook, table
from tests.results.formgrader import serving
from tests.results.test_gradebook import LAB, LATE, WRITTEN, book, due, fresh, graded, row

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
SECRET, GUESS = "right-one", "wrong-one"
REQUIRED = "PRUNING_LABS_POSTGRESQL" in os.environ  # .ci/run installs it
pytestmark = [
    pytest.mark.lengthy,
    pytest.mark.skipif(not BINARIES and not REQUIRED, reason="no PostgreSQL here: Debian's `postgresql`"),
]


class Server:
    """A PostgreSQL server in a folder that belongs to who runs it: PostgreSQL refuses to be root."""

    def __init__(self, folder: Path):
        assert BINARIES, "PostgreSQL is not installed: the gradebook on it is untested"
        self.folder, self.who = folder, {}
        (folder / "password").write_text(SECRET)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        words = ["--username=teacher", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256"]
        self.run("initdb", *words, "--encoding=UTF8", "--no-locale", "--no-sync")
        self.start()

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [BINARIES[-1] / program, f"--pgdata={self.folder / 'data'}", *words],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **self.who,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", "--options", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def url(self, database: str, password: str = SECRET) -> str:
        return f"postgresql://teacher:{password}@/{database}?host={self.folder}"

    def sql(self, database: str, statement: str) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:  # a short path: sockets need one
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def released(server, tmp_path_factory) -> Path:
    """A course whose gradebook is the database `released`, with the lab released into it and nobody there."""
    folder = tmp_path_factory.mktemp("released") / "course"
    server.sql("postgres", "CREATE DATABASE released")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(folder))
        fresh(folder, server.url("released"))
    return folder


@pytest.fixture
def folder(server, released, tmp_path, monkeypatch) -> Path:
    """A copy of that course, whose gradebook is a copy of that database."""
    server.sql("postgres", "DROP DATABASE IF EXISTS gradebook WITH (FORCE)")
    server.sql("postgres", "CREATE DATABASE gradebook TEMPLATE released")
    folder = tmp_path / "course"
    shutil.copytree(released, folder)
    own = folder / course.OWN
    own.write_text(own.read_text().replace("/released?", "/gradebook?"))
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(folder))
    return folder


@pytest.fixture
def graded_already(monkeypatch):
    """The command `grade` finds the class graded: what it does is to hand the records over."""
    monkeypatch.setattr("grader.grade.class_run.grade_class", lambda *_: journal.records(LAB))
    return lambda: main(["grade", LAB])


def a_class() -> list:
    return [graded("ann"), graded("bob", 0.5, LATE), graded("käthe", 0.0)]


def grade_by_hand(student: str, points: float) -> None:
    with book() as open_book:
        open_book.find_grade(WRITTEN, LAB, LAB, student).manual_score = points
        open_book.db.commit()


@pytest.mark.thorough
def test_a_course_as_on_sqlite(folder, tmp_path, monkeypatch):
    """Release, due date, late work, a person's grades, table, report and feedback: all as on SQLite."""
    found = []
    for place in ("course", "on-sqlite"):
        if place == "on-sqlite":
            monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / place))
            fresh(tmp_path / place)
        due("2026-11-20 12:00:00")
        gradebook.hand_over(LAB, a_class())
        grade_by_hand("ann", 2.5)
        gradebook.hand_over(LAB, [graded("ann", 0.75)])
        assert main(["grades", LAB, "--csv", str(tmp_path / "grades.csv")]) == 0
        assert main(["report", LAB]) == main(["feedback", LAB]) == 0
        with (tmp_path / "grades.csv").open(encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        pages = [
            (course.folder() / "feedback" / each["student"] / LAB / f"{LAB}.html").read_text()
            for each in table
        ]
        assert "käthe" in (course.folder() / f"report_{LAB}.html").read_text()
        found.append((table, gradebook.students(LAB), pages))
    (table, students, pages), on_sqlite = found[0], found[1]
    assert table == on_sqlite[0] and students == on_sqlite[1] and pages == on_sqlite[2]
    assert [each["total"] for each in table] == ["10", "5", "0"]
    assert [each["late"] for each in table] == ["no", "yes", "no"]
    assert not (tmp_path / "course" / "gradebook.db").exists()


def test_several_labs_in_one_gradebook(folder):
    """A class with one lab graded sees another one released: nothing on the first is lost or doubled."""
    gradebook.hand_over(LAB, a_class())
    assert main(["release", "01", "02", "03"]) == 0
    assert {student: each.score for student, each in gradebook.students(LAB).items()} == {
        "ann": 10, "bob": 5, "käthe": 0,
    }  # fmt: skip
    assert row("ann")["total"] == "10"


def test_nbgraders_own_command(folder):
    """`nbgrader autograde`, typed in the course folder, enters the examiner's scores there too."""
    hand_in = folder / "submitted" / "ann" / LAB
    hand_in.mkdir(parents=True)
    shutil.copy(folder / "release" / LAB / f"{LAB}.ipynb", hand_in)
    graded("ann", 0.5, digest=submitted.of("ann", LAB).digest)
    command = [sys.executable, "-m", "nbgrader", "autograde", LAB]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert gradebook.students(LAB)["ann"].score == 5


@pytest.fixture
def formgrader(folder, tmp_path):
    """Jupyter's server, started in the course folder with nbgrader's formgrader; call it with a path."""
    with serving(folder, tmp_path / "runtime", {**os.environ}) as ask:
        yield ask


def test_formgrader(folder, formgrader):
    """What formgrader shows of the class is there, and a grade given in it stands in the table."""
    gradebook.hand_over(LAB, a_class())
    assert [each["name"] for each in formgrader("assignments")] == [LAB]
    scores = {each["student"]: each["score"] for each in formgrader(f"submissions/{LAB}")}
    assert scores == {"ann": 10, "bob": 5, "käthe": 0}
    assert {each["id"] for each in formgrader("students")} == {"ann", "bob", "käthe"}
    submitted = formgrader(f"submitted_notebooks/{LAB}/{LAB}")
    assert len(submitted) == 3
    anns = next(each["id"] for each in submitted if each["student"] == "ann")
    waiting = [each for each in formgrader(f"grades?submission_id={anns}") if each["needs_manual_grade"]]
    assert [each["name"] for each in waiting] == [WRITTEN]
    formgrader(f"grade/{waiting[0]['id']}", {"manual_score": 2, "extra_credit": 0.5})
    assert row("ann")[WRITTEN] == "2.5" and row("ann")["total"] == "12.5"


# Out of reach


def said(capsys) -> str:
    """The one sentence on stderr; nothing in it is secret."""
    text = capsys.readouterr().err.strip()
    assert "\n" not in text and "Traceback" not in text
    assert SECRET not in text and GUESS not in text
    return text


def test_a_wrong_password(folder, server, graded_already, capsys):
    """It is said, without any password; the journal keeps all, and with the right one all are entered."""
    own = folder / course.OWN
    right = own.read_text()
    own.write_text(right.replace(SECRET, GUESS))
    a_class()
    assert graded_already() == 2
    assert "password authentication failed" in said(capsys)
    assert main(["grades", LAB, "--csv", str(folder / "grades.csv")]) == 2
    assert "password authentication failed" in said(capsys)
    assert main(["release", LAB]) == 2
    assert "password authentication failed" in said(capsys)
    own.write_text(right)
    assert graded_already() == 0
    assert len(gradebook.students(LAB)) == len(journal.records(LAB)) == 3


def test_a_server_that_is_not_there(folder, server, graded_already, capsys):
    a_class()
    assert graded_already() == 0
    graded("zoe")
    server.stop()
    try:
        for command in (["grade"], ["report"], ["feedback"], ["release"]):
            assert (graded_already() if command == ["grade"] else main([*command, LAB])) == 2
            sentence = said(capsys)
            assert "connection" in sentence, command
            assert command != ["grade"] or sentence.endswith(gradebook.AGAIN)
    finally:
        server.start()
    assert graded_already() == 0
    assert len(gradebook.students(LAB)) == 4


def test_a_server_that_goes_away_in_the_middle(folder, server, graded_already, monkeypatch, capsys):
    """Who is in stays in, the others wait for the next run, and none is in by half."""
    a_class()
    true = gradebook.AdoptVerdicts._add_score

    def gone(self, cell, resources):
        true(self, cell, resources)
        if self.student_id == "bob":
            server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                   "datname = 'gradebook' AND pid != pg_backend_pid()")  # fmt: skip

    monkeypatch.setattr(gradebook.AdoptVerdicts, "_add_score", gone)
    assert graded_already() == 2
    assert "cannot be reached" in said(capsys)
    assert gradebook.students(LAB).keys() == {"ann"}
    monkeypatch.setattr(gradebook.AdoptVerdicts, "_add_score", true)
    assert graded_already() == 0
    assert gradebook.students(LAB).keys() == {"ann", "bob", "käthe"}


def test_a_locked_table(folder, server, graded_already, monkeypatch, capsys):
    """A lock that somebody forgot does not hold the class for ever."""
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=300ms")
    a_class()
    with psycopg.connect(server.url("gradebook")) as other:
        other.execute("LOCK TABLE grade IN ACCESS EXCLUSIVE MODE")
        assert graded_already() == 2
        assert "lock timeout" in said(capsys)
    assert gradebook.students(LAB) == {}
    assert graded_already() == 0
    assert len(gradebook.students(LAB)) == 3


def test_no_lock_is_waited_for_without_end(folder):
    """The course's settings bound it, unless an instructor has set the bound."""
    with book() as open_book:
        (bound,) = open_book.db.connection().exec_driver_sql("SHOW lock_timeout").one()
    assert bound == "10s"


def test_a_name_that_the_database_refuses(folder, graded_already, capsys):
    """One student id too long for nbgrader's tables costs the others nothing."""
    long = "x" * 129
    graded("ann"), graded(long), graded("zoe")
    assert graded_already() == 2
    assert f"on {long} " in said(capsys)
    assert gradebook.students(LAB).keys() == {"ann", "zoe"}
    assert {each.student for each in table.rows(LAB)} == {"ann", long, "zoe"}
