"""The digest of the judging code: after a change of a judge, every submission is graded again.

The digest is part of every record's version and of every key of the memo, and must be equal on all workers
of a class.
"""

import hashlib
from functools import cache
from pathlib import Path

import torch
import transformers

import grader
import labsupport
from grader import course
from labsupport import settings


@cache
def code() -> str:
    """SHA-256 of the installed labsupport and grader and of the versions of torch and transformers."""
    digest = hashlib.sha256(f"{torch.__version__} {transformers.__version__}".encode())
    for package in (Path(labsupport.__file__).parent, Path(grader.__file__).parent):
        for path in sorted(path for path in package.rglob("*") if path.is_file()):
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def of(lab: str) -> str:
    """The digest of all inputs of a verdict besides the submission: code, lab, course seed, sizes, device."""
    about = f"{code()} {course.seed()} {settings.current()} {settings.device().type} "
    return hashlib.sha256(about.encode() + course.source(lab).read_bytes()).hexdigest()[:16]
