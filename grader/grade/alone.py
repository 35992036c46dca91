"""One `grade` at a time on a course: a second one says who is at it, and ends."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from grader import course
from labsupport import files
from labsupport.errors import LabError
from labsupport.fetch import cache


class Busy(LabError):
    """Another process grades this course."""


@contextmanager
def alone(lab: str) -> Iterator[None]:
    """A context in which no other process grades in this course folder; a killed one holds nothing.

    Raises Busy with the other's lab, process and time, and LabError when the folder cannot be written.
    """
    if not course.folder().is_dir():  # there is nothing to grade, which `grade_class` says
        yield
        return
    who, lock = course.folder() / ".grading", FileLock(course.folder() / ".grading.lock")
    try:
        lock.acquire(timeout=0)
        me = f"{lab}, process {os.getpid()} on {platform.node()} since {datetime.now():%d %B, %H:%M}"
        files.write_whole(who, me.encode())
    except Timeout:
        other = who.read_text("utf-8", "replace")[:200] if who.is_file() else "another process"
        raise Busy(f"This course is being graded already ({other}): wait until that has ended.") from None
    except OSError as problem:
        place = Path(problem.filename or course.folder())
        keeper = isinstance(problem, PermissionError) and cache.keeper(place)
        why = f"{place} belongs to {keeper}" if keeper else problem.strerror
        raise LabError(f"{course.folder()} cannot be written: {why}.") from problem
    try:
        yield
    finally:
        lock.release()
