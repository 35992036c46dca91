"""How long a lab takes is said by the lab itself; README repeats it."""

import re

import pytest

from grader import course
from grader.author import source

WORDS = {"five minutes": 5, "an hour": 60, "an hour and a quarter": 75, "an hour and a half": 90}


def said(lab: str) -> int:
    """The minutes that a lab's first table gives it."""
    text = course.source(lab).read_text(encoding="utf-8")
    return WORDS[re.search(r"\*\*It takes\*\* \| ([a-z ]+?)(?: of your time)?;", text)[1]]


def test_readme_says_what_the_labs_say():
    """Nobody plans an evening by one number and spends another."""
    rows = re.findall(r"^\| (\d\d) .* \| (\d+) \|$", (course.ROOT / "README.md").read_text(), re.MULTILINE)
    assert {number: int(minutes) for number, minutes in rows} == {lab[:2]: said(lab) for lab in course.labs()}


def test_the_sites_first_page_says_what_the_labs_say():
    """Its sentence on how long the course is: five minutes, then an hour to an hour and a half each."""
    text = " ".join((course.ROOT / "site" / "front.py").read_text(encoding="utf-8").split())
    assert "The first takes five minutes, each of the others an hour to an hour and a half." in text
    first, *others = map(said, course.labs())
    assert first == 5 and min(others) == 60 and max(others) == 90


def test_the_exercises_leave_time_to_read():
    """The minutes of a lab's exercises, without the starred ones, are less than those of the lab."""
    for lab in course.labs():
        each = re.findall(
            r"\*\*Points\*\* \d+ \| \*\*Minutes\*\* (\d+)", course.source(lab).read_text(encoding="utf-8")
        )
        assert 0 < sum(map(int, each)) < said(lab), lab


def needed(lab: str) -> float:
    """The minutes of the exercises, of reading 200 words a minute, and 5 for each written question.

    Folds and all that comes after the questions are left out: starred exercises, and what to read on.
    """
    minutes, starred = 0.0, False
    for cell in source.read(lab):
        text = re.sub(r"<details>.*?</details>", "", cell.text, flags=re.DOTALL)
        if heading := re.search(r"^## .*", text, re.MULTILINE):
            if heading[0] == "## Read on":
                break
            starred = "★" in heading[0]
        if cell.kind == "prose" and not starred:
            minutes += len(re.findall(r"\w+", text)) / 200
            minutes += sum(map(int, re.findall(r"\*\*Minutes\*\* (\d+)", text)))
        minutes += 5 * (cell.kind == "written")
    return minutes


@pytest.mark.parametrize("lab", course.labs()[1:])
def test_a_lab_leaves_time_for_all_of_it(lab):
    """Exercises, prose and questions take what the lab says, or a tenth more; 90 minutes are not 150."""
    assert needed(lab) <= 1.1 * said(lab)
