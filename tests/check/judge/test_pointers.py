"""A judge that sends a student to a section: is it there, in that lab, under that number?"""

from grader import course
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.causes import POINTERS


def titles() -> dict[str, set[str]]:
    """The titles below the heading of each exercise of the labs, by the exercise's number."""
    found: dict[str, set[str]] = {}
    for lab in course.labs():
        number = ""
        for line in course.source(lab).read_text(encoding="utf-8").splitlines():
            if line.startswith("# ## "):
                number = line.split()[2]
            elif line.startswith("# ### "):
                found.setdefault(number, set()).add(line.removeprefix("# ### "))
    return found


def test_the_sections_that_judges_point_to_are_there():
    """Whoever renames a section hears of the judge that points to it."""
    for name in EXERCISES:
        assert EXERCISES[name]  # importing a judge enters its pointers
    there = titles()
    lost = [pointer for pointer in sorted(POINTERS) if pointer[1] not in there.get(pointer[0], set())]
    assert lost == []
    assert len(POINTERS) > 25
