"""The digest of the judging code: after a change of a judge, every submission is graded again.

The digest is part of every record's version and of every key of the memo, and must be equal on all workers
of a class.
"""

import hashlib
from functools import cache
from pathlib import Path

import grader
import labsupport
from grader import course
from grader.grade import journal
from labsupport import files
from labsupport.errors import LabError


@cache
def sources() -> str:
    """SHA-256 of the installed labsupport and grader."""
    digest = hashlib.sha256()
    for package in (Path(labsupport.__file__).parent, Path(grader.__file__).parent):
        for path in sorted(path for path in package.rglob("*") if path.is_file()):
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def code() -> str:
    """SHA-256 of the installed labsupport and grader and of the versions of torch and transformers."""
    import torch
    import transformers

    return hashlib.sha256(f"{torch.__version__} {transformers.__version__} {sources()}".encode()).hexdigest()


def of(lab: str) -> str:
    """The digest of what a verdict depends on besides the submission: code, lab, release, seed, device."""
    from labsupport import settings

    about = f"{code()} {course.seed()} {settings.current()} {settings.kind()} "
    return hashlib.sha256(about.encode() + asked(lab)).hexdigest()[:16]


def asked(lab: str) -> bytes:
    """A lab's source, and the release of it by which submissions are completed and get their points."""
    release = course.folder() / "release" / lab / f"{lab}.ipynb"
    return course.source(lab).read_bytes() + (release.read_bytes() if release.is_file() else b"")


# What the class was graded with last: tables know it without torch


def note(lab: str, graded_with: str) -> None:
    """Note in the journal what the class is graded with. Raises LabError."""
    try:
        files.write_whole(journal.folder(lab) / "graded_with", f"{graded_with} {here(lab)}".encode())
    except OSError as problem:
        raise LabError(f"{journal.folder(lab)} cannot be written: {problem.strerror}.") from problem


def latest(lab: str) -> str | None:
    """What the class was graded with last; "" if judges or lab have changed since, None if not known."""
    path = journal.folder(lab) / "graded_with"
    if not path.is_file():
        return None
    graded_with, _, there = path.read_text("utf-8", "replace").partition(" ")
    return graded_with if there == here(lab) else ""


def here(lab: str) -> str:
    """The digest of judges, lab, release and course seed, for which torch is not imported."""
    about = f"{sources()} {course.seed()} ".encode()
    return hashlib.sha256(about + asked(lab)).hexdigest()[:16]
