"""Grades a class: every unsettled submission is graded, journalled, and entered into nbgrader."""

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Set
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

from msgspec.structs import replace

from grader import course
from grader.grade import cards, journal, local_pool, released, version
from grader.grade.changes import told
from grader.grade.journal import Record
from grader.grade.submission import Task, continued, grade, set_aside
from grader.intake.submitted import Submission, submissions
from grader.sandbox import zygote_client
from grader.sandbox.run import DEFAULTS, Limits
from grader.status import Status
from labsupport import settings
from labsupport.errors import LabError
from labsupport.progress import bar

LOOK = 5  # seconds between two queries of a pool's width, which changes as workers come and go


def grade_class(
    lab: str,
    students: Collection[str] = (),
    workers: int | None = None,
    limits: Limits = DEFAULTS,
    isolation: str = "bwrap",
    cold: bool = False,
    scheduler: str | None = None,
    all_cells: bool = False,
    dry: bool = False,
    why: str = "",
    pool: local_pool.Pool | None = None,
    done: Callable[[Record], object] = lambda _: None,
) -> list[Record]:
    """Grade every unsettled submission of a lab; the records of all, old and new, by student.

    Each record is written before the next is awaited, so a killed run resumes where it stopped. students:
    only these, in this order, also when they were set aside; none for the class. workers: number of local
    processes, by default one, or one for each GPU; scheduler: the address of a Dask scheduler, whose workers
    grade instead; pool: local processes that are there already. all_cells: whether the lab's own experiments
    run, too. dry: whether to leave the journal as it is. why: a sentence for the feedback of those whose
    points on the same work change. done: called with each new record when it is written, while others are
    graded.
    """
    text = released.text(lab)
    found = submissions(lab, students)
    if not found:
        whose = f"of {', '.join(students)} " if students else ""
        raise LabError(f"There is no submission {whose}for {lab} in {course.folder() / 'submitted'}.")
    before = {each.student: retimed(journal.read(lab, each.student), each, dry) for each in found}
    after: dict[str, Any] = dict(before)  # no None stays: each record comes below, or is settled
    suspects = {each.student for each in found if suspect(before[each.student], each)}
    graded_with = version.of(lab)
    with contextlib.ExitStack() as later:
        if scheduler is not None:
            from grader.grade import dask_pool

            there = later.enter_context(dask_pool.connected(scheduler))
            pool, graded_with = there.pool(), there.version(graded_with)
        if not dry:
            version.note(lab, graded_with)
        shared = of_mates(found, graded_with)
        seed = course.seed()
        turn = {name: place for place, name in enumerate(students)}
        todo = [
            Task(each, text, seed, graded_with, limits, isolation, cold, all_cells)
            for each in sorted(found, key=lambda each: turn.get(each.student, 0))
            if each.student not in shared
            and (
                not journal.settled(before[each.student], each.digest, graded_with)
                or (students and each.student in suspects)
            )
        ]
        progress = later.enter_context(bar(total=len(todo), what=f"grading {lab}"))
        if pool is None:
            wanted = min(workers or max(1, len(cards.named())), len(todo))
            pool = later.enter_context(local(lab, wanted, isolation == "bwrap" and not cold))
        records = later.enter_context(contextlib.closing(finished(todo, pool, suspects)))
        for record in records:
            old = before[record.student]
            record = after[record.student] = told(continued(record, old), old, why)
            if not dry:
                journal.write(record)
            progress.update()
            progress.set_postfix_str(f"{record.student} {record.status}")
            done(record)
    for each in found:
        if each.student in shared:
            old, of_mate = before[each.student], after.get(each.mate) or journal.read(lab, each.mate)
            assert of_mate is not None
            record = after[each.student] = told(passed_on(of_mate, each, old), old, why)
            if not dry and record is not old:
                journal.write(record)
            done(record)
    return [after[each.student] for each in found]


@contextlib.contextmanager
def local(lab: str, workers: int, warm: bool = True) -> Iterator[local_pool.Pool | None]:
    """A context with so many local processes, or fewer if memory is short; None where this one is enough.

    One process is not enough where the first card is full and another one has room. warm: whether they share
    a parent process of the lab's sandboxes.
    """
    count = local_pool.affordable(workers)
    if count < 2 and cards.dealt(1) in ([], [str(settings.device())]):
        yield None
        return
    if warm:
        zygote_client.zygote.ready(course.number(lab))
    with local_pool.local(count) as pool:
        yield pool


def of_mates(found: list[Submission], graded_with: str) -> set[str]:
    """The students whose work is a teammate's, which is graded with these, or was graded."""
    digests = {each.student: each.digest for each in found if not each.mate}
    return {
        each.student
        for each in found
        if each.mate
        and (
            digests.get(each.mate) == each.digest
            or journal.settled(journal.read(each.lab, each.mate), each.digest, graded_with)
        )
    }


def passed_on(record: Record, submission: Submission, before: Record | None) -> Record:
    """A teammate's record as the student's own; the one before, where that was it already."""
    if before and (before.submission, before.graded_at) == (record.submission, record.graded_at):
        return before
    flags = [flag for flag in record.flags if flag not in record.collected]
    said = list(submission.collected)
    own = replace(
        record, student=submission.student, submitted_at=submission.submitted_at, collected=said,
        flags=[*said, *flags], earlier=[], why="",
    )  # fmt: skip
    return continued(own, before)


def retimed(record: Record | None, submission: Submission, dry: bool = False) -> Record | None:
    """The record with the submission's time and what `collect` says, which change when it runs again.

    The same files submitted again have a later time. A time that is not known any more stays as it was. dry:
    whether to leave the journal as it is.
    """
    if record is None or record.submission != submission.digest:
        return record
    time, said = submission.submitted_at or record.submitted_at, list(submission.collected)
    if (time, said) == (record.submitted_at, record.collected):
        return record
    flags = [flag for flag in record.flags if flag not in record.collected]
    record = replace(record, submitted_at=time, collected=said, flags=[*said, *flags])
    if not dry:
        journal.write(record)
    return record


def suspect(record: Record | None, submission: Submission) -> bool:
    """Whether a process ended while it graded this submission."""
    if record is not None and (record.status, record.submission) == (Status.SET_ASIDE, submission.digest):
        return True
    return journal.marked(submission.lab, submission.student, submission.digest)


def finished(
    tasks: list[Task], pool: local_pool.Pool | None, suspects: Set[str] = frozenset()
) -> Generator[Record, None, None]:
    """The records as they finish: one at a time in this process, or in parallel in a pool.

    suspects: students whose submission was being graded when a process ended. They come last, in processes of
    their own, and are set aside when a second process ends. A submission in which a GPU failed is graded
    once more, alone.
    """
    if pool is None:
        for task in tasks:
            if task.submission.student not in suspects:
                record = grade_here(task)
                yield grade_here(task) if record.strained else record
        tasks = [task for task in tasks if task.submission.student in suspects]
        if tasks:
            with local_pool.local(1) as one:
                yield from finished(tasks, one, suspects)
        return
    died = set(suspects)
    waiting, pending = deque(sorted(tasks, key=lambda task: task.submission.student in died)), {}
    strained, alone = set(), deque()
    try:
        while waiting or pending or alone:
            for _ in range(min(pool.width() - len(pending), len(waiting))):
                task = waiting.popleft()
                pending[pool.submit(task)] = task
            if alone and not pending:
                task = alone.popleft()
                pending[pool.submit(task)] = task
            for future in wait(pending, LOOK, FIRST_COMPLETED).done:
                task = pending.pop(future)
                record, given = pool.record(task, future), task.submission
                if record is None and given.student not in died:
                    died.add(given.student)
                    waiting.append(task)
                    continue
                journal.unmark(given.lab, given.student)
                if record and record.strained and given.student not in strained:
                    strained.add(given.student)
                    alone.append(task)
                    continue
                yield record or set_aside(task, 2)
    finally:
        for future in pending:
            future.cancel()


def grade_here(task: Task) -> Record:
    """Grade in this process; a mark in the journal tells the next run that it ended meanwhile."""
    given = task.submission
    journal.mark(given.lab, given.student, given.digest)
    try:
        return grade(task)
    finally:
        journal.unmark(given.lab, given.student)
