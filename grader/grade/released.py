"""The release by which a class is graded: it must have the points that the lab has today."""

import nbformat

from grader import course
from grader.author import source
from grader.grade.submission import check_points
from labsupport.errors import LabError


def text(lab: str) -> str:
    """The student version of a lab in the course folder. Raises LabError for none, and for other points.

    With the points of before, a right answer would get 5 of the 8 points that the table counts, and nothing
    would say that this is to be renewed. Exercises that are new or gone are for `release` to refuse.
    """
    path = course.folder() / "release" / lab / f"{lab}.ipynb"
    if not path.exists():
        raise LabError(
            f"There is no release of {lab} in {course.folder()}: run `python -m grader release {lab}` first."
        )
    written = path.read_text("utf-8")
    had = check_points(nbformat.reads(written, as_version=4))
    now = {cell.name: cell.points for cell in source.read(lab) if cell.kind == "check"}
    for name in had.keys() & now.keys():
        if had[name] != now[name]:
            raise LabError(
                f"{name} had {had[name]:g} points when {lab} was released, and has {now[name]:g} now: run "
                f"`python -m grader release {lab[:2]}` first."
            )
    return written
