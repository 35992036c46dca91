"""How long a lab takes is said by the lab itself; README repeats it."""

import re

from grader import course

WORDS = {"five minutes": 5, "an hour": 60, "an hour and a quarter": 75, "an hour and a half": 90}


def said(lab: str) -> int:
    """The minutes that a lab's first table gives it."""
    text = course.source(lab).read_text(encoding="utf-8")
    return WORDS[re.search(r"\*\*It takes\*\* \| ([a-z ]+?)(?: of your time)?;", text)[1]]


def test_readme_says_what_the_labs_say():
    """Nobody plans an evening by one number and spends another."""
    rows = re.findall(r"^\| (\d\d) .* \| (\d+) \|$", (course.ROOT / "README.md").read_text(), re.MULTILINE)
    assert {number: int(minutes) for number, minutes in rows} == {lab[:2]: said(lab) for lab in course.labs()}


def test_the_exercises_leave_time_to_read():
    """The minutes of a lab's exercises, without the starred ones, are less than those of the lab."""
    for lab in course.labs():
        each = re.findall(
            r"\*\*Points\*\* \d+ \| \*\*Minutes\*\* (\d+)", course.source(lab).read_text(encoding="utf-8")
        )
        assert 0 < sum(map(int, each)) < said(lab), lab
