"""What a report says on likeness: groups of identical notebooks, and pairs of students."""

from dataclasses import dataclass

from grader.intake.submitted import submissions
from grader.results.similarity import pairs, programs
from grader.results.similarity.identical import identical, release
from labsupport.progress import bar

MOST = 200  # pairs that are shown


@dataclass(frozen=True)
class Likeness:
    """The findings on a class. identical: the students of each group with byte-identical notebooks.

    pairs: the most alike first, MOST at most. more: the number of pairs that are not among them. left_out:
    sentences on the programs that could not be compared.
    """

    identical: list[list[str]]
    pairs: list[pairs.Pair]
    more: int
    left_out: list[str]


def likeness(lab: str) -> Likeness:
    """Compare the submissions of a lab; of a team's, the one that counts for all its members."""
    released = release(lab)
    handed_in = [each for each in submissions(lab) if each.raw is not None and not each.mate]
    if released is None or not handed_in:
        return Likeness([], [], 0, [])
    students = [
        programs.of_student(each.student, each.raw or b"", released)
        for each in bar(handed_in, f"comparing {lab}", delay=1)
    ]
    authors = [*students, *programs.of_course(lab)]
    found, more = pairs.pairs(authors, programs.given_prints(released), MOST)
    left_out = [
        f"{student.name}: {exercise} is not compared: {reason}."
        for student in students
        for exercise, reason in student.left_out.items()
    ]
    return Likeness(identical(handed_in, released), found, more, left_out)
