"""README's numbers are those of the repository, its links lead somewhere, and it stays short."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from grader import course
from labsupport import __main__, standing
from labsupport.check.judge import EXERCISES
from tests.check.judge.test_answers import answers
from tests.hostile.submissions import ENTRIES

README = (course.ROOT / "README.md").read_text(encoding="utf-8")
STEPS = ("prune", "perplexity", "zeroshot", "recover", "measure", "report")
GUIDES = sorted((course.ROOT / "docs").glob("*.md"))


def test_its_numbers():
    """What none else has is said in numbers, and each of them is counted here."""
    names = [param.values[1] for param in answers()]
    right = [name for name in names if name.startswith("right_")]
    wrong = [name for name in names if not name.startswith(("right_", "not_written"))]
    points = sum(cell.points for cell in standing.graded_cells())
    head = README.partition("\n## ")[0]
    said = [
        int(number)
        for number in re.findall(r"(\d+) (?:labs|exercises|points|wrong|right|submissions(?! an hour))", head)
    ]
    assert said == [
        len(course.labs()), len(EXERCISES), points, len(wrong), len(right), len(ENTRIES)
    ]  # fmt: skip


def test_the_report_is_a_section_of_its_own():
    """A holder of the weights finds the chain of commands where he looks first, and each of them is one."""
    section = README.partition("## The report, step by step\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"labsupport (\w+)|`(\w+)`", section))
    assert {one or other for one, other in named} == set(STEPS)
    commands = re.findall(r"^    python -m labsupport (.+)$", section, re.MULTILINE)
    assert commands and all(given(line) for line in commands)


def given(line: str) -> object:
    """The arguments of a command line, which must be right."""
    with pytest.MonkeyPatch.context() as patch:
        found: list = []
        patch.setattr(__main__, "import_module", lambda _: SimpleNamespace(run=found.append))
        assert __main__.main(line.split()) == 0
    return found


def test_three_ways_in():
    """A student, an instructor and a reader each find one command and a link, and no more to choose from."""
    section = README.partition("## Three ways in\n")[2].partition("\n## ")[0]
    ways = re.split(r"^\*\*An? ", section, flags=re.MULTILINE)[1:]
    assert [way.split("**")[0] for way in ways] == ["student", "instructor", "reader"]
    for way in ways:
        assert len(re.findall("^    ", way, re.MULTILINE)) == 1 and "](docs/" in way, way


def test_its_throughput_is_the_measured_one():
    """Submissions an hour, ours and plain nbgrader's, are those of the last benchmark."""
    results = (course.ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    measured = re.search(r"a class of \d+, ours: throughput\s*\| (\S+) an hour\s*\| (\S+) an hour", results)
    said = re.search(r"grade (\S+) submissions an hour, where plain nbgrader grades ([\d,]+)", README)
    assert said.groups() == measured.groups()[::-1]


def test_its_levels_are_those_of_the_labs():
    """Whoever chooses a lab by README finds the same word in the lab's first table."""
    rows = re.findall(r"^\| (\d\d) [^|]+ \| (\w+) \|", README, re.MULTILINE)
    texts = {lab[:2]: course.source(lab).read_text(encoding="utf-8") for lab in course.labs()}
    said = {number: re.search(r"\*\*Level\*\* \| (\w+): ", text)[1] for number, text in texts.items()}
    assert dict(rows) == said and set(said.values()) == {"basic", "middle", "advanced"}


@pytest.mark.parametrize("what", ["docs/machines.md", "CITATION.cff", "LICENSE", "LICENSE-TEXTS"])
def test_a_stranger_finds(what):
    """What a machine needs, how to cite, and the two licences."""
    assert f"]({what})" in README


def test_its_picture_shows_todays_words(monkeypatch):
    """What the check says of that answer, and the exercise's points: else run `python site/shot.py` anew."""
    monkeypatch.syspath_prepend(str(course.ROOT / "site"))
    import mistakes

    with Image.open(course.ROOT / "docs" / "check-and-report.png") as picture:
        shown = dict(picture.text)
    wrong = mistakes.answers(course.ROOT / "tests" / "wrong_answers" / "magnitude_mask.py")
    said = mistakes.judged("magnitude_mask", next(each for each in wrong if each.__name__ == "by_row"))
    (points,) = (cell.points for cell in standing.graded_cells() if cell.name == "magnitude_mask")
    assert shown["check"] == said.message() and f"{points:g} points" in shown["report"]


def test_it_is_short():
    assert len(README.splitlines()) <= 120


def anchors(text: str) -> set[str]:
    """What a link can name in a page: its headings, in small letters, with hyphens."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [course.ROOT / "README.md", *GUIDES], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every file that a page links to is there; README links to the list of guides, and that to each."""
    text = page.read_text(encoding="utf-8")
    for link, place in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", text):
        target = page.parent / link if link else page
        assert target.exists(), link
        assert not place or place in anchors(target.read_text(encoding="utf-8")), f"{link}#{place}"
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
