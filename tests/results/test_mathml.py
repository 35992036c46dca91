"""Formulas on the pages that students and graders read: set, offline, and none of a student's changed."""

import re

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grader import course
from grader.grade.sanitize import tame
from grader.results import mathml
from grader.results.clean import clean
from grader.results.mathml import markdown
from tests.pages import parsed

SET = re.compile(r"<math.*?</math>|<code>.*?</code>|<pre>.*?</pre>", re.DOTALL)


def prose_of(lab: str) -> list[str]:
    """A lab's pieces of Markdown."""
    cells = nbformat.read(course.notebook(lab), as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("lab", course.labs())
def test_every_formula_of_a_lab_is_set(lab):
    """No reader is shown TeX: not one dollar is left in the prose."""
    pages = [markdown(text) for text in prose_of(lab)]
    assert not [page for page in pages if "$" in SET.sub("", page)]
    assert lab in (course.labs()[0], course.labs()[-1]) or any(page.count("<math") > 1 for page in pages)


def test_a_formula_is_set_whole():
    """Cleaning takes nothing of what the labs' formulas consist of away."""
    for formula in mathml._labs().values():
        tags = re.findall("<[a-z]+|</[a-z]+>", formula)
        assert re.findall("<[a-z]+|</[a-z]+>", clean(formula)) == tags
        unknown = {"xmlns", "class"}
        attributes = [each for each in re.findall(r"([a-z]+)=", formula) if each not in unknown]
        assert re.findall(r"([a-z]+)=", clean(formula)) == attributes


def test_both_bars_of_a_norm_are_alike():
    """Left to a browser, the left one grows and the right one, which bears an index, does not."""
    formulas = mathml._labs().values()
    bars = [bar for formula in formulas for bar in re.findall("<mo[^>]*>[|‖]</mo>", formula)]
    assert len(bars) > 30 and all('stretchy="false"' in bar and 'lspace="0"' in bar for bar in bars)
    assert 'stretchy="false">|' not in mathml.mathml(r"\left|\frac{a}{b}\right|")


def test_a_function_stands_apart_from_its_argument():
    """ln p is two words, and ln(p) one; a bracket that TeX makes big is as big as what it holds."""
    assert 'rspace="0.1667em"' in mathml.mathml(r"\ln p") and "rspace" not in mathml.mathml(r"\ln(p)")
    assert 'stretchy="false">(' not in mathml.mathml(r"\Bigl(\frac{a}{b}\Bigr)^\top")


@pytest.mark.parametrize(
    "typed", [r"\frac12", r"\notacommand{x}", "}{", r"\left(", " of ", "a_1 b_2 * c * d"]
)
@pytest.mark.parametrize("dollars", ["$", "$$"])
def test_a_students_formula_stays_as_typed(typed, dollars):
    """One that came out wrong would cost its author points."""
    assert f"{dollars}{typed}{dollars}" in markdown(f"I drop {dollars}{typed}{dollars} of them.")


@pytest.mark.parametrize(
    "typed", [r"\\(a_1 * b * c\\)", r"\\[a_1\\]", r"\begin{align}a_1 &= b_2 \\ c\end{align}"]
)
def test_so_does_one_between_other_marks(typed):
    """The marks themselves go, as they do in nbconvert, where they are not an environment's."""
    body = re.sub(r"\\\\[][()]", "", typed).replace("&", "&amp;")
    assert body in markdown(f"Drop {typed} of *them*.") and "<em>them" in markdown(f"Drop {typed} of *them*.")


def test_a_labs_formula_that_cannot_be_set_stays_as_typed(monkeypatch):
    """A lab of the instructor's own costs nobody's feedback; its test above says which formula it is."""
    text = r"Let $k$ and $\notacommand{x}$ be."
    labs = mathml.formulas([text])
    monkeypatch.setattr(mathml, "_labs", lambda: labs)
    page = markdown(text)
    assert page.count("<math") == 1 and r"$\notacommand{x}$" in page


def test_a_formula_is_no_way_around_tameness():
    """Dollars around a script make it no more alive."""
    page = markdown(tame("$<script>alert(1)</script>$ and $$<img src=x onerror=alert(1)>$$"))
    assert "<script" not in page and "<img" not in page


def plainly(text: str) -> str:
    """What nbconvert makes of Markdown."""
    return MarkdownWithMath(IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)


def ours(text: str) -> str:
    """What our expressions for formulas make of it, with nothing set."""
    return mathml._parser(IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)


@pytest.mark.parametrize("lab", course.labs())
def test_formulas_are_found_as_nbconvert_finds_them(lab):
    """In all that the labs say: linear time is all that changed."""
    assert [ours(text) for text in prose_of(lab)] == [plainly(text) for text in prose_of(lab)]


WORDS = ["a", "_b_", "*", "**c**", " ", "\n", "\n\n", "\\", "`", "- x\n", "$", "$$", "\\\\", "\\$"]
FORMULAS = [
    "$x_1$",
    "$$y_2\n\nz$$",
    r"\\(p_1 \{q\}\\)",
    "\\\\[r_1\n\ns_2\\\\]",
    r"\begin{align*}t_1 &= u\\ v\end{align*}",
]


@given(st.lists(st.sampled_from(WORDS[:10] + FORMULAS), max_size=12).map("".join))
def test_closed_formulas_are_found_as_nbconvert_finds_them(text):
    """Whatever stands around them."""
    assert ours(text) == plainly(text)


@given(
    st.lists(
        st.sampled_from([*WORDS, *FORMULAS, "\\\\(", "\\\\)", "\\\\[", r"\begin{a}", r"\end{a}"]), max_size=12
    )
)
def test_no_text_is_lost_where_formulas_are_not_closed(pieces):
    """Where a formula begins is then anybody's guess, but all letters are there."""
    letters = re.compile("[a-z]")
    text = "".join(pieces)
    kept = letters.findall(parsed(ours(text)).get_text())
    assert kept == letters.findall(text)
