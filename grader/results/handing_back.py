"""The secrets by which nbgrader's exchange hands a feedback page to its student, and to nobody else."""

import secrets
from pathlib import Path

from grader import course
from grader.intake import submitted as submissions
from grader.intake.stored import SECRET, TEAM, own
from grader.results.table import Row
from labsupport import files


def keep_secret(lab: str, row: Row) -> None:
    """Put the exchange's secret of refused work beside its page, so that its student can fetch the page."""
    secret = course.folder() / "submitted" / row.student / lab / SECRET
    if secret.is_file() and submissions.of(row.student, lab).digest == row.submission:
        files.write_whole(course.folder() / "feedback" / row.student / lab / SECRET, secret.read_bytes())


def own_secrets(lab: str, pages: Path) -> None:
    """Put a student's own secret beside the page on a teammate's work: who handed in too can fetch it."""
    for page in pages.glob(f"*/{lab}/{lab}.html"):
        folder = course.folder() / "submitted" / page.parent.parent.name / lab
        if (folder / TEAM).exists() and (own(folder) / SECRET).is_file():
            files.write_whole(page.parent / SECRET, (own(folder) / SECRET).read_bytes())


def releasable(lab: str, pages: Path) -> None:
    """Where the class hands in by nbgrader's exchange, complete every folder for `nbgrader release_feedback`.

    It ends at the first page without a time or a secret. A page of work that came another way gets a secret
    that nobody has.
    """
    if not any((course.folder() / "submitted").glob(f"*/{lab}/{SECRET}")):
        return
    for page in pages.glob(f"*/{lab}/{lab}.html"):
        if not (page.parent / SECRET).exists():
            files.write_whole(page.parent / SECRET, secrets.token_hex(64).encode())
        if not (page.parent / "timestamp.txt").exists():
            files.write_whole(page.parent / "timestamp.txt", b"")
