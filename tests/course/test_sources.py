"""The sources page, the reading list and the guides hold what the labs and docs/ hold; nothing is built."""

import re
import sys

import pytest

from grader import course
from grader.author import source

PROSE = {
    lab: "\n\n".join(cell.text for cell in source.read(lab) if cell.kind == "prose") for lab in course.labs()
}

NAME = r"[A-Z][\w]+(?!\.)"
OTHERS = r"(?: et al\.| and (?:[A-Z]\. )?[A-Z]\w+)"


@pytest.fixture
def modules(monkeypatch):
    """The modules of site/ can be imported."""
    monkeypatch.syspath_prepend(str(course.ROOT / "site"))
    yield
    for name in ("works", "guides"):
        sys.modules.pop(name, None)


def test_every_work_that_a_lab_cites_is_listed(modules):
    """With its address and the lab's number; an author who is named in a text is named in the list."""
    import works

    listed = works.sources(course.labs())
    lines = listed.splitlines()
    for lab, prose in PROSE.items():
        for address in re.findall(r"\]\((https?://[^)\s]+)\)", prose):
            (line,) = [line for line in lines if f"({address})" in line]
            assert lab[:2] in re.split(r"\W+", line.rpartition("Lab ")[2]), (lab, address)
        for author in re.findall(r"(\w+) et al\. 20\d\d", prose):
            assert author in listed, (lab, author)


def test_every_item_to_read_has_an_address(modules):
    """A title alone is looked for in vain."""
    import works

    for lab in course.labs():
        assert all(works.ADDRESS.search(item) for item in works.items(lab)), lab


@pytest.mark.parametrize("lab", course.labs())
def test_every_work_named_with_its_year_is_listed(modules, lab):
    """In a text, a docstring or the first table, under the same year; so is a source that has no year."""
    import works

    fixed = (course.ROOT / "site" / "sources.md").read_text(encoding="utf-8")
    lines = [*works.sources(course.labs()).splitlines(), *fixed.splitlines()]
    text = " ".join(re.sub(r"^# ?", "", line) for line in course.source(lab).read_text().splitlines())
    named = set(re.findall(rf"({NAME}){OTHERS},? ((?:19|20)\d\d)", " ".join(text.split())))
    listed = re.search(r"\*\*Sources\*\* \| (.+?) \|", text)[1].split("; ") if lab[:2] > "00" else []
    named |= {(re.search(rf"({NAME})(?=,| et| and|.s| doc)", source)[1], "") for source in listed}
    for author, year in named:
        assert any(author in line and year in line for line in lines), (author, year)


def test_a_work_has_its_name_once(modules):
    """A work that several labs cite is one line, under the longest title that they give it."""
    import works

    found = works.cited(course.labs())
    assert len({work.address for work in found}) == len(found) > 20
    assert all(re.search(r"[A-Z]\w+.*\*.+\*", work.name) for work in found), [work.name for work in found]
    wanda = next(work for work in found if "2306.11695" in work.address)
    assert wanda.labs == sorted(wanda.labs) and {"03", "04"} <= set(wanda.labs)


@pytest.mark.lengthy
def test_the_reading_list_has_every_lab(modules):
    """Each with what to read and its open question, as the lab itself says it."""
    import works

    text = works.reading(course.labs())
    for lab in course.labs()[1:]:
        assert works.items(lab) and all(f"- {item}" in text for item in works.items(lab))
        assert works.question(lab).startswith("**Open question.**") and works.question(lab) in text


def test_every_guide_is_in_the_list_of_guides(modules, tmp_path):
    """What docs/index.md does not list is in no sidebar, and nobody finds it."""
    import guides

    names = guides.lay_out(tmp_path)
    assert all((tmp_path / f"{name}.md").is_file() for name in names)
    assert set(names) == {str(path.relative_to(tmp_path))[:-3] for path in tmp_path.rglob("*.md")}
    assert len(names) == len(set(names))
