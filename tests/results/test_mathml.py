"""Formulas on the pages that students and graders read: set, offline, and none of a student's changed."""

import re

import nbformat
import pytest

from grader import course
from grader.grade.sanitize import tame
from grader.results import mathml
from grader.results.mathml import markdown

SET = re.compile(r"<math.*?</math>|<code>.*?</code>|<pre>.*?</pre>", re.DOTALL)


@pytest.mark.parametrize("lab", course.labs())
def test_every_formula_of_a_lab_is_set(lab):
    """No reader is shown TeX: not one dollar is left in the prose."""
    cells = nbformat.read(course.notebook(lab), as_version=4).cells
    pages = [markdown(cell.source) for cell in cells if cell.cell_type == "markdown"]
    assert not [page for page in pages if "$" in SET.sub("", page)]
    assert lab == course.labs()[0] or any(page.count("<math") > 1 for page in pages)


@pytest.mark.parametrize("typed", [r"\frac12", r"\notacommand{x}", "}{", r"\left("])
@pytest.mark.parametrize("dollars", ["$", "$$"])
def test_a_students_formula_stays_as_typed(typed, dollars):
    """One that came out wrong would cost its author points."""
    assert f"{dollars}{typed}{dollars}" in markdown(f"I drop {dollars}{typed}{dollars} of them.")


def test_a_labs_formula_that_cannot_be_set_stays_as_typed(monkeypatch):
    """A lab of the instructor's own costs nobody's feedback; its test above says which formula it is."""
    monkeypatch.setattr(mathml, "_labs", lambda: r"Let $k$ and $\notacommand{x}$ be.")
    page = markdown(r"Let $k$ and $\notacommand{x}$ be.")
    assert page.count("<math") == 1 and r"$\notacommand{x}$" in page


def test_a_formula_is_no_way_around_tameness():
    """Dollars around a script make it no more alive."""
    page = markdown(tame("$<script>alert(1)</script>$ and $$<img src=x onerror=alert(1)>$$"))
    assert "<script" not in page and "<img" not in page
