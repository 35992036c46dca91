"""Whose a folder of Moodle's is: `NAME_NUMBER_assignsubmission_file_`.

NAME is a student's, or the word for a participant where names are hidden, both behind `GROUP-` where students
are in groups. Where groups hand in, it is the group's, and NUMBER too, which may be somebody's as well.
"""

from grader.intake.roster import Roster, key

WORD = "participant"  # Moodle's own in English, for a roster that has numbers alone
GROUP = "it may be a group's folder: give it to a member with --unmatched, and to the others with `teams`"


def whose(name: str, number: str, people: Roster) -> tuple[str | None, str]:
    """The student, or None and the reason. A number counts only with the student's name or the word."""
    said = f"'{name}'" + f" with number {number}" * bool(number)
    numbers = (people.by_participant or people.by_number).get(key(number), set())
    words = name.split("-")
    whole, *ends = (key("-".join(words[place:])) for place in range(len(words)))
    if {whole, *ends} & {WORD, *people.words}:
        found, why = numbers, f"{said} is not in the roster"
    else:
        named = set() if whole.isdecimal() else people.named(name)
        behind = {student for end in ends for student in people.by_name.get(end, set())} & numbers
        found = (named & numbers) or (set() if numbers and named else named or behind)
        numbers, why = numbers | named if named else behind, f"{said} is not in the roster; {GROUP}"
    if len(found) == 1:
        return next(iter(found)), ""
    if numbers:
        why = f"{said} fits several students of the roster: {', '.join(sorted(numbers))}"
    return None, why
