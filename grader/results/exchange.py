"""Gives feedback back through nbgrader's exchange, as `nbgrader release_feedback` does."""

from pathlib import Path

from nbgrader.exchange.default import ExchangeReleaseFeedback

from grader import course, nbgrader_quiet


def is_inbound(source: Path) -> bool:
    """Whether a folder is where students of an exchange hand in: EXCHANGE/COURSE/inbound."""
    return source.name == "inbound" and (source.parent / "outbound").is_dir()


def release_feedback(lab: str, student: str, inbound: Path) -> None:
    """Hand a student's feedback pages of a lab to the exchange of an inbound folder. Raises LabError."""
    config, inbound = course.config(), inbound.absolute()
    config.Exchange.root = str(inbound.parent.parent)
    config.CourseDirectory.update(course_id=inbound.parent.name, assignment_id=lab, student_id=student)
    nbgrader_quiet.run(ExchangeReleaseFeedback, config, f"The feedback of {student} cannot be released")
