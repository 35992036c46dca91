"""Grades a lab as work arrives: collected, graded, and given back, without a person in between.

All state is in files that are written atomically: submitted/, the journal, and course/attempts. A process
that is killed loses nothing, and the next one grades nothing twice.
"""

import contextlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grader import course
from grader.grade import attempts, class_run, journal
from grader.grade.alone import Busy, alone
from grader.grade.class_run import grade_class
from grader.grade.journal import Record
from grader.intake import collect as collector
from grader.intake import teams
from grader.intake.submitted import Submission, submissions
from grader.results import exchange, gradebook
from grader.results.table import points
from grader.status import Status
from labsupport.errors import LabError

LOOK = 2  # seconds between two looks at the source
ANYWAY = 30  # seconds after which submissions are looked at all the same: a cool-down may have ended
STILL = 1  # seconds without a change, after which what arrives is complete
PATIENCE = 30  # seconds to wait for that
FAILED = (Status.GRADER_ERROR, Status.PARTLY_GRADED, Status.SET_ASIDE)  # for a person to look at


class Watch:
    """One lab and the place where its work arrives.

    most: attempts of a student. cool_down: the time between two of them. workers: processes that grade when
    several submissions wait; they are started then, and kept until the context ends. One submission alone is
    graded by this process, with all cores.
    """

    def __init__(self, lab: str, source: Path, most: int, cool_down: timedelta, workers: int = 1):
        if not source.exists():
            raise LabError(f"{source} does not exist.")
        self.lab, self.source, self.most, self.cool_down = lab, source, most, cool_down
        self.workers, self.pool, self.later = workers, None, contextlib.ExitStack()
        self.seen: list[tuple] | None = None  # the source when it was collected last
        self.looked = -float(ANYWAY)  # when submissions were looked at last
        self.said: set[str] = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.later.close()

    def forever(self) -> None:
        """Look again and again, until the process is ended. Only what fails at the start is raised."""
        self.say(f"watching {self.source} for {self.lab}")
        self.look()
        while True:
            time.sleep(LOOK)
            try:
                self.look()
            except LabError as problem:
                self.say_once(str(problem))

    def look(self) -> bool:
        """Handle what is there; whether something needs a person."""
        arrived = listing(self.source) != self.seen
        if not arrived and time.monotonic() - self.looked < ANYWAY:
            return False
        try:
            with alone(self.lab):
                attention = self.give_all()  # before other work takes the place of what was graded
                attention |= arrived and self.collect()
                attention |= self.grade(sorted(self.due(), key=lambda each: each.submitted_at))
                self.looked = time.monotonic()
                return attention
        except Busy as problem:
            self.say_once(str(problem))
            return False

    # What a look does

    def collect(self) -> bool:
        """Put what has arrived into submitted/; whether something of it needs a person."""
        now = still(self.source)
        roster = course.folder() / "roster.csv"
        by_roster = roster.is_file() and not exchange.is_inbound(self.source)
        arrivals = collector.collect(
            self.lab, self.source, course.folder() / "submitted", roster if by_roster else None
        )
        self.seen = now
        for arrival in arrivals:
            whose = f"{arrival.student}: " if arrival.student else ""
            said = " ".join((f"{whose}{arrival.outcome}: {arrival.origin}", *arrival.notes))
            if arrival.outcome == collector.COLLECTED:
                self.say(said)
            elif arrival.outcome not in (collector.UNCHANGED, collector.OLDER, collector.LEFT_OUT):
                self.say_once(said)
        said, unclear = teams.spread(self.lab)
        for sentence in said:
            self.say(sentence)
        return bool(arrivals) and (collector.needs_attention(arrivals) or unclear)

    def due(self) -> list[Submission]:
        """The submissions to grade now; it is said of the others why they wait."""
        return [given for given in submissions(self.lab) if self.is_due(given)]

    def is_due(self, given: Submission) -> bool:
        """Whether to grade a submission now."""
        record = journal.read(self.lab, given.student)
        held = attempts.read(self.lab, given.student)
        if given.status == Status.NOT_SUBMITTED:
            return False
        if record is None or record.submission != given.digest:
            if len(held.attempts) >= self.most:
                self.say_once(
                    f"{given.student}: not graded, because {self.most} attempts are used: "
                    f"`python -m grader grade {self.lab[:2]} --student {given.student}` grades what is there"
                )
                return False
            start = attempts.next_time(held, self.cool_down)
        elif not journal.settled(record, given.digest, record.version):  # the grader failed, not the student
            start = attempts.after(record.graded_at, self.cool_down)
        else:  # the same work handed in again has another time
            return given.submitted_at not in ("", record.submitted_at)
        if start > datetime.now(UTC):
            self.say_once(f"{given.student}: waits until {start.astimezone():%d %B, %H:%M:%S}")
            return False
        return True

    def grade(self, due: list[Submission]) -> bool:
        """Grade submissions and give each result back when it is there; whether that needs a person.

        What several processes could not do is tried one by one: a fault may be that of one submission.
        """
        attention, given = False, set()

        def give(record: Record) -> None:
            nonlocal attention
            given.add(record.student)
            attention |= self.give_or_say(record)

        students = [each.student for each in due]
        if len(due) > 1 and self.workers > 1:
            with contextlib.suppress(LabError):
                self.pool = self.pool or self.later.enter_context(class_run.local(self.lab, self.workers))
                if self.pool:
                    grade_class(self.lab, students, pool=self.pool, done=give)
        for student in students:
            if student not in given:
                try:
                    give(*grade_class(self.lab, [student]))
                except LabError as problem:
                    self.say_once(f"{student}: {problem}")
                    attention = True
        return attention

    # Giving back

    def give_all(self) -> bool:
        """Give back what was graded and not given back; whether something needs a person."""
        return any([self.give_or_say(record) for record in journal.records(self.lab)])

    def give_or_say(self, record: Record) -> bool:
        """Give a record back, or say why not; whether that needs a person."""
        try:
            return self.give(record)
        except LabError as problem:
            self.say_once(f"{record.student}: {problem}")
            return True

    def give(self, record: Record) -> bool:
        """Note the attempt, and hand gradebook and student the result; whether it needs a person."""
        failed = record.status in FAILED
        try:
            held = attempts.noted(record)
            if held.given == attempts.version(record) or record.status == Status.NOT_SUBMITTED:
                return failed
            if record.notebook or record.status == Status.UNREADABLE:
                gradebook.hand_over(self.lab, [record])
                gradebook.feedback(self.lab, record.student)
                if exchange.is_inbound(self.source):
                    exchange.release_feedback(self.lab, record.student, self.source)
            held.given = attempts.version(record)
            attempts.write(self.lab, record.student, held)
        except OSError as problem:
            raise LabError(
                f"{course.folder()} cannot be written: {problem.strerror or problem}."
            ) from problem
        score = f", {points(record.score())} of {points(record.points())} points" if record.verdicts else ""
        number = len(held.attempts)  # beyond the most, where a person graded it
        of = f", attempt {number}" + f" of {self.most}" * (number <= self.most) if score else ""
        why = f": {record.reason}" if record.reason else ""
        self.say(f"{record.student}: {record.status}{score}{of}{why}")
        return failed

    # What is said

    def say(self, event: str) -> None:
        """Print one event."""
        print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {event}", flush=True)

    def say_once(self, event: str) -> None:
        """Print an event unless it was printed before."""
        if event not in self.said:
            self.said.add(event)
            self.say(event)


def listing(source: Path) -> list[tuple]:
    """The paths, sizes and times of all files below a folder, or of one file; what vanishes is left out."""
    found = []
    for root, _, names in os.walk(source):
        for path in (root, *(os.path.join(root, name) for name in names)):
            found += stamp(path)
    return sorted(found) or stamp(str(source))


def stamp(path: str) -> list[tuple]:
    """The path, size and time of one file; empty if it is not there."""
    try:
        about = os.lstat(path)
    except OSError:
        return []
    return [(path, about.st_size, about.st_mtime_ns)]


def still(source: Path) -> list[tuple]:
    """The listing of a source that has not changed for a moment: nobody is in the middle of handing in."""
    end, before = time.monotonic() + PATIENCE, listing(source)
    while True:
        time.sleep(STILL)
        now = listing(source)
        if now == before or time.monotonic() > end:
            return now
        before = now
