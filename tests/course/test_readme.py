"""README's numbers are those of the repository, its links lead somewhere, and it stays short."""

import re

import pytest

from grader import course
from labsupport import standing
from labsupport.check.judge import EXERCISES
from tests.check.judge.test_answers import answers
from tests.hostile.submissions import ENTRIES

README = (course.ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = sorted((course.ROOT / "docs").glob("*.md"))


def test_its_numbers():
    """What none else has is said in numbers, and each of them is counted here."""
    names = [param.values[1] for param in answers()]
    right = [name for name in names if name.startswith("right_")]
    wrong = [name for name in names if not name.startswith(("right_", "not_written"))]
    points = sum(cell.points for cell in standing.graded_cells())
    head = README.partition("\n## ")[0]
    said = [
        int(number) for number in re.findall(r"(\d+) (?:labs|exercises|points|wrong|right|submissions)", head)
    ]
    assert said == [
        len(course.labs()), len(EXERCISES), points, len(wrong), len(right), len(ENTRIES)
    ]  # fmt: skip


def test_it_is_short():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("page", [course.ROOT / "README.md", *GUIDES], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every file that a page links to is there; README links to the list of guides, and that to each."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    if page.name == "README.md":
        assert "(docs/index.md)" in text
    if page.name == "index.md":
        others = {guide.name for guide in GUIDES} - {"index.md"}
        assert set(re.findall(r"\(([\w-]+\.md)\)", text)) == others


@pytest.mark.parametrize("page", [course.ROOT / "README.md", *GUIDES], ids=lambda page: page.name)
def test_prose_has_at_most_100_columns(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith(("    ", "|"))]
    assert all(len(line) <= 100 for line in prose)
