"""A submission on a page: can what it becomes act there, ask another machine for anything, or hang it?"""

import re
import time

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters import markdown2html

from grader.grade import sanitize
from grader.grade.sanitize import LONGEST, Room, inert, tame
from grader.results import filters
from grader.results.clean import clean
from grader.results.filters import WHY
from grader.results.highlight import highlighted
from grader.results.mathml import markdown
from tests.hostile.markup import ACT, AWAY, HTML, LINKS, PICTURES, PROSE
from tests.pages import (
    acting,
    content,
    exported,
    feedback_exporter,
    formgrader_exporter,
    frame,
    parsed,
    released,
    submission,
)
from tests.sample import few

prose = nbformat.v4.new_markdown_cell
code = nbformat.v4.new_code_cell


def leads_to_script(address: str) -> bool:
    """Whether a browser runs it: it skips tabs and line ends in an address, and what is before it."""
    plain = re.sub(r"[\t\r\n]", "", address).lstrip("".join(map(chr, range(33)))).lower()
    return plain.startswith(("javascript:", "vbscript:", "data:"))


def shown(text: str) -> str:
    """What a reader of a written answer sees, on nbgrader's pages."""
    return parsed(markdown(tame(text))).get_text().strip()


# Markdown in any viewer: the notebook alone is safe there


@pytest.mark.parametrize("text", LINKS)
def test_no_link_runs_a_script(text):
    """Whoever grades clicks on what looks like a link."""
    links = parsed(markdown2html(tame(text))).find_all(href=True)
    assert not any(leads_to_script(link["href"]) for link in links)


def test_the_links_would_run():
    """Many of them do lead to a script where nothing tames them."""
    pages = [parsed(markdown2html(text)) for text in LINKS]
    run = [page for page in pages if any(leads_to_script(link["href"]) for link in page.find_all(href=True))]
    assert len(run) >= len(LINKS) / 3


@pytest.mark.parametrize("text", PICTURES)
def test_no_picture_is_asked_for(text):
    """A picture from elsewhere tells who opened the page, and when."""
    assert "<img" not in markdown2html(tame(text))


def test_the_pictures_would_be():
    """Most of them are asked for where nothing tames them; one refers to an attachment that is not there."""
    assert sum("<img" in markdown2html(text) for text in PICTURES[:-1]) >= 6


@pytest.mark.parametrize("text", HTML)
def test_no_html_is_left(text):
    """Not a tag stays one in Markdown."""
    tags = {tag.name for tag in parsed(markdown2html(tame(text))).find_all(True)}
    assert tags <= {"html", "body", "p", "pre", "code", "a", "em", "strong", "blockquote"}


# nbgrader's pages: what comes out is cleaned, whatever went in


@pytest.mark.parametrize("text", PROSE)
def test_clean_html_cannot_act(text):
    """Of prose as it is, of prose that is tamed, and of HTML that is not Markdown at all."""
    for page in (markdown(text), markdown(tame(text)), clean(text)):
        assert acting(parsed(page).body.find_all(True) if page.strip() else []) == []


def test_they_would_act():
    """Most of it does, one way or other, where nothing cleans it."""
    pages = [markdown2html(text) for text in PROSE if "attachment" not in text]
    assert sum(bool(acting(parsed(f"<div>{page}").body.find_all(True))) for page in pages) > 80


PIECES = """
    < > / = " ' & ; : # ( ) [ ] ! ` \\ $ | * - &#58; &lt; script javascript img src onerror href a svg math
    style %E2%81%A0 ``` <!-- --> http://x x
    """
SPACES = ["\n", "\n\n", " ", "\t", "\0", "\u2060"]


@given(st.lists(st.sampled_from(PIECES.split() + SPACES), max_size=30).map("".join))
def test_nothing_put_together_from_pieces_acts(text):
    """The list of tricks is never complete."""
    pages = [markdown(tame(text)), markdown(text), clean(text)]
    assert [acting(parsed(f"<div>{page}</div>").div.find_all(True)) for page in pages] == [[], [], []]
    stock = parsed(f"<div>{markdown2html(tame(text))}</div>").div
    assert not stock.find_all(["script", "img", "svg", "math", "style", "iframe"])
    assert not any(leads_to_script(link["href"]) for link in stock.find_all(href=True))


TYPED = [
    "a < b",
    "1 < 2 and 3 > 2",
    "List<int>",
    "Dict<str, List<int>>",
    "&lt; is <",
    "AT&T; &c.",
    "x[0]!",
    "the data: 128 samples",
    "JavaScript: no",
    "<details> is a tag",
    "<http://x.org>",
    "if (a<b) {c}",
]


@pytest.mark.parametrize("text", TYPED)
def test_text_reads_as_it_was_typed(text):
    """In prose and in code, a sign that HTML has a use for is a sign."""
    assert shown(text) == text
    assert shown(f"`{text}`") == text
    assert shown(f"```\n{text}\n```") == text
    assert shown(f"```python\n{text}\n```") == text


def test_plain_prose_stays():
    """Who sets no traps finds the answer as it was written, in the notebook too."""
    text = "Drop $k$ of $n$: *small* & **large**, [source](https://example.org), `x[0]`, 1 < 2!"
    assert tame(text) == text


def test_markdown_is_formatted():
    """Lists, emphasis, code, tables and links to the web are what they are."""
    text = (
        "# H\n\n1. *a* **b** ~~c~~ `d`\n   - [x] done\n\n| l | r |\n|---|--:|\n| 1 | 2 |\n\n> q\n\n"
        "term\n: what\n\n"
        "[e](https://e.org/?a=1&b=2 't') https://f.org\n\n```python\nx = 1\n```\n\n---\n"
    )
    page = parsed(markdown(tame(text)))
    wanted = "h1 ol ul li em strong del code table th td blockquote dl dt dd a pre hr span"
    assert {tag.name for tag in page.body.find_all(True)} >= set(wanted.split())
    assert [link["href"] for link in page.find_all("a")] == ["https://e.org/?a=1&b=2", "https://f.org"]
    assert page.find_all("td")[1]["style"].replace(" ", "") == "text-align:right"
    assert page.find("span", class_="n").get_text() == "x" and "☑ done" in page.get_text()


def test_a_picture_becomes_a_link():
    """What was to be seen can be looked at, by a click."""
    page = parsed(markdown(tame("![seen](https://e.org/a.png)")))
    assert page.a["href"] == "https://e.org/a.png" and page.a.get_text() == "seen"


# The whole page


ESCAPES = (
    "\x1b[31m{0}\x1b[0m \x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07 "
    '\x1b[38;2;1;2;3m{0}\x1b[38;5;9mz\x1b[48;2;"onclick="m{0}'
)
KINDS = """
    text/html text/markdown text/latex image/svg+xml application/javascript text/plain application/pdf
    text/vnd.mermaid image/png image/jpeg application/vnd.jupyter.widget-view+json
    """


def outputs(text: str) -> list[dict]:
    """Every kind of output with this markup in it."""
    shows = [{"output_type": "display_data", "metadata": {}, "data": {kind: text}} for kind in KINDS.split()]
    picture = {"image/png": "AAAA", "text/plain": text}
    shows.append(shows[0] | {"data": picture, "metadata": {"image/png": {"width": f'1"{text}', "alt": text}}})
    shows.append(shows[0] | {"metadata": {"text/html": {"isolated": True}}})
    error = {"output_type": "error", "ename": text, "evalue": text}
    said = {"output_type": "stream", "name": "stdout", "text": ESCAPES.format(text)}
    return [*shows, said, error | {"traceback": [ESCAPES.format(text)]}, error | {"traceback": []}]


def hostile(monkeypatch) -> nbformat.NotebookNode:
    """A submission with all of the markup wherever a student can put it, and a grader's comments."""
    monkeypatch.setattr(sanitize, "Room", lambda: Room(*[10**9] * 4))
    cells = [prose(text) for text in PROSE] + [code(text) for text in PROSE]
    cells += [nbformat.v4.new_raw_cell(text) for text in HTML]
    cells.append(code("x"))
    cells[-1].outputs = [nbformat.from_dict(each) for text in HTML for each in outputs(text)]
    for cell in cells:
        cell.metadata |= {"tags": [f'"><img src={AWAY}>'], "title": HTML[0], "raw_mimetype": "text/html"}
        cell.attachments = {"x.svg": {"image/svg+xml": HTML[0]}}
    notebook = submission(*cells)
    graded = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    for mark, text in zip(graded, PROSE, strict=False):
        mark.comment = text
    return notebook


def harmless(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook with nothing in its cells."""
    plain = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for cell in plain.cells:
        cell.source = "x"
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = "x"
    return plain


@pytest.fixture(params=["feedback", "formgrader"])
def exporter(request, tmp_path, monkeypatch):
    """What makes the page, in a new course folder."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    if request.param == "feedback":
        return feedback_exporter()
    return formgrader_exporter(tmp_path, monkeypatch)


@pytest.mark.lengthy
def test_nothing_on_a_page_acts(exporter, monkeypatch):
    """Prose, code, outputs, errors, metadata, attachments, comments; the page around them is as ever."""
    notebook = hostile(monkeypatch)
    page = exported(exporter, notebook)
    labels = page.select(".panel-footer b, textarea.comment")  # nbgrader's own, beside a grader's comment
    theirs = [tag for tag in content(page) if tag not in labels]
    assert acting(theirs, outputs=True) == []
    assert frame(page) == frame(exported(exporter, harmless(notebook)))
    assert ACT in page.get_text()


@pytest.mark.lengthy
def test_our_filters_make_the_pages(exporter):
    """Feedback and formgrader both find them in the course's settings."""
    assert exporter.environment.filters["markdown2html"] is filters.prose
    page = exported(exporter, submission(prose(r"$k$ and <b>bold</b>, `a < b`"), code("x = 1 < 2")))
    text = page.get_text()
    assert "<b>bold</b>, a < b" in text and "x = 1 < 2" in text and page.find("math") and page.find("details")


# What is long


MATH_TRAPS = ["\\\\(", "\\\\[", r"\begin{a}", "\\\\( \\\\[ ", r"\begin{a} \begin{b} "]
TRAPS = [
    *(*MATH_TRAPS, r"\begin{a}\end{b}", "$", "$$", "$a", "$$a ", "\\\\(x\\\\)", "$k$ "),
    *("[", "![", "[[]", "[a](", "[](", "](", "[a]:", "[a]: b\n", "[a]: b '", "http://", "a@b"),
    *("*", "**", "*a_", "_a*", "a**b", "~~a", "`", "`a", "``a`", "\\", '"', "("),
    *(">", "> ", ">a\n", "- ", "-\n", " - a\n", "1. ", "1.\n", "- > ", "> 1. "),
    *("#", "#a\n", "a\n=\n", "---\n", "(\n", "(a\n", "|", "|a|\n|-|\n", "a|b\n-|-\n", "a\n:b\n"),
    *("<", "<a ", "<a b='", "<!--", "<?", "<div>\n", "&", "&amp;", "```\n", "```python\n", "```agda\n\n "),
    *("\n ", "\t", "\r", "\0", "\x1b[", "\u2060", "é"),
]


FIRST = (*MATH_TRAPS, "[", "![", "*", "`", ">", "- ", "<!--", "a|b\n-|-\n")  # those that took longest
EACH = [pytest.param(trap, marks=() if trap in FIRST else pytest.mark.slow) for trap in TRAPS]


def of_size(trap: str, size: int) -> str:
    """This trap again and again."""
    return (trap * (size // len(trap) + 1))[:size]


def seconds(function, text: str) -> float:
    """How long it computes, at best of three."""
    took = []
    for _ in range(3):
        start = time.process_time()
        function(text)
        took.append(time.process_time() - start)
    return min(took)


@pytest.mark.lengthy
@pytest.mark.timeout(60)
@pytest.mark.parametrize("trap", few(TRAPS, of=(*FIRST[:2], "[", "- ")))
def test_a_megabyte_of_it_is_shown(trap, tmp_path, monkeypatch):
    """As prose, as code and as output, on one page: as typed, with the reason."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    text = of_size(trap, 2**20)
    page = exported(feedback_exporter(), submission(prose(text), printing(text)))
    assert page.get_text().count(WHY) == 2


@pytest.mark.lengthy
@pytest.mark.timeout(60)
@pytest.mark.parametrize("trap", EACH)
def test_as_much_of_it_as_is_formatted_takes_seconds(trap):
    """Nothing takes long that is right below the bound, in a notebook or in a grader's comment."""
    text = of_size(trap, LONGEST)
    for page in (markdown(tame(text)), markdown(text), highlighted(text)):
        assert len(page) < 200 * LONGEST


@pytest.mark.lengthy
@pytest.mark.parametrize("trap", MATH_TRAPS)
def test_formulas_that_are_never_closed_take_linear_time(trap):
    """Four times the text takes about four times as long; it was sixteen times."""
    small, large = (seconds(markdown, of_size(trap, size)) for size in (24_000, 96_000))
    assert large < 9 * small


TEN_MEGABYTES = {
    "a cell": [prose("\\\\(" * 3_000_000)],
    "500 cells": [prose("\\\\(" * 6_000)] * 500,
    "4,900 cells": [prose("\\\\(" * 600)] * 4_900,
    "a code cell": [code("+ " * 4_500_000)],
    "500 code cells": [code("+ " * 9_000)] * 500,
    "a gap": [code("\n " * 4_500_000)],
}


@pytest.mark.lengthy
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", few(TEN_MEGABYTES, of=("a cell", "500 code cells")))
def test_ten_megabytes_make_a_page(name, tmp_path, monkeypatch):
    """As much as intake admits: little of it is formatted, and the rest is there to be read."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    cells = TEN_MEGABYTES[name]
    page = exported(feedback_exporter(), submission(*cells))
    assert page.get_text().count(WHY) >= len(cells) - 60
    assert len(page.find_all(True)) < 60_000 + 30 * len(cells)


def printing(text: str) -> nbformat.NotebookNode:
    """A code cell of this text, which printed it too."""
    cell = code(text)
    cell.outputs = [nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": text})]
    return cell


def outputs_of(*cells: nbformat.NotebookNode) -> list:
    """The outputs of these cells, as a page gets them."""
    notebook = inert(nbformat.v4.new_notebook(cells=list(cells)), released())
    return [output for cell in notebook.cells for output in cell.outputs]


def test_a_flood_of_output_is_cut():
    """The beginning is shown, and it says how much that is; of the next cell nothing is left."""
    first, second = outputs_of(printing("<" * 20_000_000), printing("more"))
    assert first.text.startswith("<" * Room.text) and f"{Room.text:,}" in first.text
    assert len(first.text) < Room.text + 200 and "more" not in second.text and f"{Room.text:,}" in second.text


def test_a_flood_of_outputs_is_cut():
    """As many as a page has room for, and a sentence in each cell that has more."""
    cell = printing("a")
    cell.outputs *= Room.outputs + 5
    found = outputs_of(cell, printing("b"))
    assert len(found) == Room.outputs + 2
    assert "not shown" in found[-1].text and "not shown" in found[-2].text


def test_colours_stay_and_no_other_escape():
    """A traceback is in colours; what would move a terminal's cursor, or cost minutes, is gone."""
    text = f"\x1b[0;31mred\x1b[0m \x1b[2Aup \x1b]8;;x\x07link \x1b[{'1;' * 50}m \x1b\x1b[A[1m"
    (found,) = outputs_of(printing(text))
    assert found.text.startswith("\x1b[0;31mred\x1b[0m up ") and found.text.count("\x1b") == 2
    (found,) = outputs_of(printing("\x1b[1ma" * (Room.colours + 1)))
    assert found.text == "a" * (Room.colours + 1)


def test_half_a_letter_can_be_written_to_a_file():
    """One half of a surrogate pair in an output becomes a question mark."""
    (found,) = outputs_of(printing("a\ud83db"))
    assert found.text == "a?b"


def test_an_honest_cell_after_a_flood_is_formatted():
    """A cell that is too long takes nothing from the others."""
    notebook = submission(prose("*" * 10**6), prose("*fine*"))
    assert [cell.metadata.get("plain", False) for cell in notebook.cells[1:3]] == [True, False]
