"""Grades a class again after a mended judge or lab, and says who changed."""

from grader.grade import journal
from grader.grade.changes import Change, compared
from grader.grade.class_run import grade_class
from grader.grade.journal import Record


def regrade(
    lab: str, workers: int | None, why: str, dry: bool
) -> tuple[list[Record], list[Change], dict[str, Record]]:
    """The records of the class, the changes, and the records of before by student.

    workers: as in grade_class. why: a sentence for the feedback of those who changed, "" for none; it is
    written with each record, so a run that was killed has told whom it graded. dry: whether to write nothing.
    """
    known = {record.student: record for record in journal.records(lab, notebooks=False)}
    records = grade_class(lab, workers=workers, dry=dry, why=why)
    changes = (compared(known.get(record.student), record) for record in records)
    return records, [change for change in changes if change], known
