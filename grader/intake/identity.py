"""Whose a submission is: by what a person said, by the exchange's folder, or by the roster; never guessed."""

from grader.intake import folders, moodle, roster
from grader.intake.parse import shown
from grader.intake.senders import UNKNOWN, Submission
from grader.intake.stored import ALLOWED, STUDENT

NOBODY = "The name tells neither student nor platform"
HIDDEN = (
    "Canvas's anonymous grading hides the names: download again without it, or say whose it is with "
    "--unmatched"
)


def identified(submission: Submission, people: roster.Roster | None, assigned: str) -> tuple[str | None, str]:
    """The student id, or None and the reason. assigned: what a person said, "" for nothing."""
    exact = assigned or ("" if submission.platform else submission.name)  # an id, and no platform's name
    if exact and (people is None or exact in people.lines):
        student, why = exact, ""
    elif assigned and people:
        student, why = people.find(assigned)
    elif people and submission.platform == "blackboard":  # Title_of the lab_user_name
        words = submission.number.split("_")
        found = [people.find("", "_".join(words[place:])) for place in range(len(words))]
        student, why = next((each for each in found if each[0]), found[-1])
    elif submission.platform == "anonymous":
        return None, HIDDEN
    elif submission.platform == UNKNOWN:
        return None, f"'{submission.name}' is not in the roster" if submission.name else NOBODY
    elif people and submission.platform in folders.IN_ONE:
        whole = people.find(submission.origin)[0]  # an id with underscores
        student, why = (whole, "") if whole else folders.whose(submission.number, people)
    elif people and submission.platform == "moodle":
        student, why = moodle.whose(submission.name, submission.number, people)
    elif people:
        student, why = people.find(submission.name, submission.number)
    else:
        return None, "A platform's download needs a roster, a CSV that maps names to student ids"
    if student and not STUDENT.fullmatch(student):
        return None, f"'{shown(student)}' cannot be a student id: {ALLOWED}"
    return student, shown(why, 300)
