"""The font of formulas has all that the labs' formulas need, so that a root covers its whole fraction."""

import html
import re

import pytest
from fontTools.ttLib import TTFont

from grader import course
from grader.results import feedback, mathml

FONT = course.ROOT / "grader" / "results" / "fonts" / "math.woff"


@pytest.fixture(scope="module")
def font() -> TTFont:
    return TTFont(FONT)


def test_every_letter_of_a_formula_is_in_it(font):
    """One that is missing comes from a font without measures for formulas, in another size."""
    text = "".join(re.sub("<[^>]+>", "", html.unescape(formula)) for formula in mathml._labs().values())
    missing = {letter for letter in text if not letter.isspace() and ord(letter) not in font.getBestCmap()}
    assert not missing, sorted(missing)


def test_it_has_the_measures_of_formulas(font):
    """How thick the bar of a root is, and how a root grows."""
    table = font["MATH"].table
    assert table.MathConstants.RadicalRuleThickness.Value > 0
    root = font.getBestCmap()[0x221A]
    assert root in table.MathVariants.VertGlyphCoverage.glyphs


def test_it_is_small_and_has_a_name_of_its_own(font):
    """It is part of every feedback page; its licence asks for another name than the whole font's."""
    assert FONT.stat().st_size < 100_000
    assert font["name"].getDebugName(1) == "Labs Math"
    assert (FONT.parent / "GUST-FONT-LICENSE.txt").is_file()


def test_a_feedback_page_brings_it():
    """A page is one file, read offline: the font is in it, and the page's own policy lets it in."""
    template = (FONT.parent.parent / "templates" / "feedback" / "index.html.j2").read_text(encoding="utf-8")
    assert "font-src data:" in template and "resources.nbgrader.font" in template
    assert len(feedback.font()) > FONT.stat().st_size
