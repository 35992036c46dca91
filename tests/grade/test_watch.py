"""Work that arrives is graded and given back, within bounds, and a killed watch loses nothing."""

import contextlib
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from msgspec.structs import replace

from grader import course, watch
from grader.__main__ import main
from grader.grade import attempts, class_run, journal
from grader.grade.local_pool import Pool
from grader.grade.submission import begun
from grader.results import exchange, gradebook
from grader.status import Status
from labsupport.errors import LabError
from tests.results.test_gradebook import LAB, graded

pytestmark = pytest.mark.lengthy
NONE, LONG = timedelta(0), timedelta(hours=1)


@pytest.fixture
def inbound(folder, tmp_path, monkeypatch):
    """An exchange's inbound folder; a notebook that is the text 0.5 earns half of the points."""
    monkeypatch.setattr(watch, "STILL", 0.01)
    for name in ("inbound", "outbound"):
        (tmp_path / "exchange" / "pruning-labs" / name).mkdir(parents=True)
    (tmp_path / "exchange").chmod(0o777)
    return tmp_path / "exchange" / "pruning-labs" / "inbound"


@pytest.fixture(autouse=True)
def judged(monkeypatch) -> list[str]:
    """What was judged, as student and text of the work; no sandbox starts."""
    found = []

    def judge(task):
        given, text = task.submission, task.submission.raw.decode()
        found.append(f"{given.student} {text}")
        if text == "x":
            return replace(begun(task), status=Status.UNREADABLE, reason="It is no notebook.")
        before = journal.read(LAB, given.student)
        example = graded(given.student, float(text))
        if before:
            journal.write(before)
        else:
            (journal.folder(LAB) / f"{given.student}.json").unlink()
        return replace(
            begun(task), status=example.status, verdicts=example.verdicts, notebook=example.notebook
        )

    monkeypatch.setattr(class_run, "grade", judge)
    return found


def hand_in(inbound, student: str, text: str, minute: int = 0):
    place = inbound / f"{student}+{LAB}+2026-11-20 10:{minute:02d}:00 UTC"
    place.mkdir()
    (place / f"{LAB}.ipynb").write_text(text)
    (place / "submission_secret.txt").write_text(f"{student}{minute}")


def page(inbound, student: str, minute: int = 0) -> str:
    """What nbgrader's fetch_feedback would show for that submission; "" if there is nothing."""
    name = hashlib.md5(f"{student}{minute}{LAB}".encode()).hexdigest()
    path = inbound.parent / "feedback" / f"{name}.html"
    return path.read_text() if path.exists() else ""


def at(inbound, most: int = 10, cool_down: timedelta = NONE) -> watch.Watch:
    return watch.Watch(LAB, inbound, most, cool_down)


def test_from_the_inbound_folder_to_the_students_page(inbound, judged, capsys):
    """Each gets their own page and a line in the log; what is done is not done again."""
    hand_in(inbound, "ann", "1")
    hand_in(inbound, "bob", "0.5")
    here = at(inbound)
    assert not here.look()
    said = capsys.readouterr().out
    assert "ann: GRADED, 10 of 10 points, attempt 1 of 10\n" in said
    assert "bob: GRADED, 5 of 10 points, attempt 1 of 10\n" in said
    assert "ann" in page(inbound, "ann") and "bob" not in page(inbound, "ann")
    assert gradebook.students(LAB)["bob"].score == 5
    (attempt,) = json.loads(attempts.path(LAB, "bob").read_text())["attempts"]
    assert (attempt["score"], attempt["submission"]) == (5, hashlib.sha256(b"0.5").hexdigest())
    here.looked = -watch.ANYWAY
    assert not here.look() and not at(inbound).look()
    assert capsys.readouterr().out == "" and sorted(judged) == ["ann 1", "bob 0.5"]


@pytest.fixture
def pooled(monkeypatch) -> list[str]:
    """Two workers that are threads; the students whose work they judged."""
    found = []

    def judge(task):
        found.append(task.submission.student)
        return class_run.grade(task)

    @contextlib.contextmanager
    def local(_lab, workers, *_):
        with ThreadPoolExecutor(workers) as threads:
            pool = Pool(
                lambda: workers, lambda task: threads.submit(judge, task), lambda _, future: future.result()
            )
            yield pool if workers > 1 else None

    monkeypatch.setattr(class_run, "local", local)
    return found


def test_several_that_wait_are_graded_in_parallel(inbound, judged, pooled):
    """Whoever handed in first is first; one alone is graded by the watch itself, with all cores."""
    for minute, student in enumerate(("zoe", "eve", "ann")):
        hand_in(inbound, student, "1", minute)
    with watch.Watch(LAB, inbound, 10, NONE, workers=2) as here:
        assert not here.look()
        assert sorted(pooled[:2]) == ["eve", "zoe"] and pooled[2:] == ["ann"]
        assert all(page(inbound, *one) for one in (("zoe", 0), ("eve", 1), ("ann", 2)))
        hand_in(inbound, "bob", "0.5", 3)
        assert not here.look() and page(inbound, "bob", 3)
    assert len(pooled) == 3 and judged[3:] == ["bob 0.5"]


def test_a_page_is_given_while_others_are_graded(inbound, judged, pooled, monkeypatch):
    """The slow one ends only when the page of the other is there."""
    judge = class_run.grade

    def slow(task):
        if task.submission.student == "ann":
            end = time.monotonic() + 60
            while not page(inbound, "bob") and time.monotonic() < end:
                time.sleep(0.05)
            assert page(inbound, "bob")
        return judge(task)

    monkeypatch.setattr(class_run, "grade", slow)
    for student in ("ann", "bob"):
        hand_in(inbound, student, "1")
    with watch.Watch(LAB, inbound, 10, NONE, workers=2) as here:
        assert not here.look()
    assert page(inbound, "ann") and len(pooled) == 2


def test_what_workers_cannot_do_is_tried_one_by_one(inbound, judged, pooled, monkeypatch, capsys):
    """A fault of one submission costs no other its page, and is said."""
    judge = class_run.grade

    def broken(task):
        if task.submission.student == "ann":
            raise LabError("this machine cannot")
        return judge(task)

    monkeypatch.setattr(class_run, "grade", broken)
    for student in ("ann", "bob"):
        hand_in(inbound, student, "1")
    with watch.Watch(LAB, inbound, 10, NONE, workers=2) as here:
        assert here.look()
    assert page(inbound, "bob") and not page(inbound, "ann")
    assert "ann: this machine cannot\n" in capsys.readouterr().out


def test_later_work_waits_for_the_cool_down(inbound, judged, capsys):
    """It is in place meanwhile; afterwards the latest is graded, and its page belongs to it."""
    for minute, text in enumerate(("0.25", "0.5", "1")):
        hand_in(inbound, "ann", text, minute)
        at(inbound, cool_down=LONG).look()
    assert judged == ["ann 0.25"]
    assert (course.folder() / "submitted" / "ann" / LAB / f"{LAB}.ipynb").read_text() == "1"
    assert "ann: waits until" in capsys.readouterr().out
    at(inbound).look()
    assert judged == ["ann 0.25", "ann 1"]
    assert page(inbound, "ann", 0) and page(inbound, "ann", 2) and not page(inbound, "ann", 1)
    assert [each.score for each in attempts.read(LAB, "ann").attempts] == [2.5, 10]


def test_a_clock_that_was_set_back_keeps_nobody_waiting(inbound, judged):
    """The attempt of a machine that was a month ahead: without this its student waits for a month."""
    hand_in(inbound, "ann", "0.5")
    assert not at(inbound).look()
    held = attempts.read(LAB, "ann")
    held.attempts[0] = replace(held.attempts[0], time="2099-01-01T00:00:00+00:00")
    attempts.write(LAB, "ann", held)
    hand_in(inbound, "ann", "1", 1)
    assert not at(inbound, cool_down=LONG).look()
    hand_in(inbound, "ann", "0.75", 2)
    assert not at(inbound, cool_down=LONG).look()
    assert judged == ["ann 0.5", "ann 1"]


def test_attempts_end(inbound, judged, capsys):
    """Work after the last one is kept, and a person's own `grade` judges it; the wrong file costs none."""
    for minute, text in enumerate(("x", "0.25", "0.5", "1")):
        hand_in(inbound, "ann", text, minute)
        at(inbound, most=2).look()
    assert judged == ["ann x", "ann 0.25", "ann 0.5"]
    assert f"`python -m grader grade {LAB[:2]} --student ann`" in capsys.readouterr().out
    assert main(["grade", LAB, "--student", "ann"]) == 0
    at(inbound, most=2).look()
    assert judged[-1] == "ann 1" and page(inbound, "ann", 3)


def test_the_same_work_again_is_no_attempt(inbound, judged):
    """Its page is there for the later submission too."""
    for minute in (0, 1):
        hand_in(inbound, "ann", "1", minute)
        at(inbound, most=1, cool_down=LONG).look()
    assert judged == ["ann 1"] and page(inbound, "ann", 1)


@pytest.mark.parametrize(
    ("place", "name"),
    [(attempts, "write"), (gradebook, "hand_over"), (gradebook, "feedback"), (exchange, "release_feedback")],
)
def test_a_killed_watch_loses_nothing(inbound, judged, monkeypatch, place, name):
    """Before any step; even when other work has arrived since, each page is the right submission's."""
    hand_in(inbound, "ann", "0.5")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(place, name, killed)
        at(inbound).look()
    hand_in(inbound, "ann", "1", 1)
    assert not at(inbound, cool_down=LONG).look()
    assert judged == ["ann 0.5"] and page(inbound, "ann", 0) and not page(inbound, "ann", 1)
    assert len(attempts.read(LAB, "ann").attempts) == 1


def test_what_cannot_be_read_is_told_to_its_student(inbound, judged):
    hand_in(inbound, "ann", "1")
    at(inbound).look()
    hand_in(inbound, "ann", "x", 1)
    at(inbound).look()
    assert "It is no notebook." in page(inbound, "ann", 1) and "no notebook" not in page(inbound, "ann", 0)


def test_a_fault_of_the_grader_is_tried_again(inbound, judged, monkeypatch, capsys):
    """After the cool-down, and it costs no attempt; until then the exit status asks for a person."""
    hand_in(inbound, "ann", "1")
    fault = {"status": Status.GRADER_ERROR, "reason": "no memory"}
    with monkeypatch.context() as patch:
        patch.setattr(class_run, "grade", lambda task: replace(begun(task), **fault))
        assert main(["watch", LAB, str(inbound), "--once"]) == 1
    assert main(["watch", LAB, str(inbound), "--once"]) == 1 and judged == []
    assert at(inbound).look() and judged == ["ann 1"]
    assert main(["watch", LAB, str(inbound), "--once"]) == 0
    assert "ann: GRADER_ERROR: no memory" in capsys.readouterr().out


def test_once(inbound, judged, capsys):
    """Exit 0: nothing to do or all done; 1: work of nobody; 2: no such folder. One line an event."""
    assert main(["watch", LAB, str(inbound), "--once"]) == 0
    hand_in(inbound, "ann", "1")
    assert main(["watch", LAB, str(inbound), "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ann: ", line) for line in lines)
    (inbound / "stray.txt").write_text("")
    assert main(["watch", LAB, str(inbound), "--once"]) == 1
    assert main(["watch", LAB, str(inbound / "none"), "--once"]) == 2


def test_ctrl_c_ends_with_one_line(inbound, monkeypatch, capsys):
    def pressed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.Watch, "look", lambda _: False)
    monkeypatch.setattr(watch.time, "sleep", pressed)
    assert main(["watch", LAB, str(inbound)]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_being_copied_is_waited_for(tmp_path, monkeypatch):
    """Half a notebook is not collected."""
    (tmp_path / "a").write_text("half")

    def more(_):
        if (tmp_path / "a").stat().st_size < 12:
            with (tmp_path / "a").open("a") as file:
                file.write("more")

    monkeypatch.setattr(watch.time, "sleep", more)
    assert (str(tmp_path / "a"), 12) in [each[:2] for each in watch.still(tmp_path)]
