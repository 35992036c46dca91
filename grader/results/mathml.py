"""Formulas as MathML, which a browser sets by itself: no page asks a network for a script.

Only the labs' own are set. One that a student typed stays as it was typed: a formula that comes out
wrong would be the grader's mistake, and graded as the student's.
"""

import contextlib
import re
from functools import cache

import nbformat
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grader import course

SIZES = re.compile(r"\\[bB]ig+[lr]?(?![A-Za-z])")  # MathML's brackets grow by themselves


def mathml(tex: str, as_block: bool = False) -> str:
    """A formula of TeX's as MathML. Raises docutils' MathError for one that cannot be set."""
    return tex2mathml(SIZES.sub("", tex).replace(r"\dots", r"\ldots"), as_block)


def markdown(text: str) -> str:
    """Markdown as HTML: nbconvert's filter of that name, with the labs' formulas set."""
    return MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(text)


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return _of_a_lab(f"${body}$", body) or super().inline_math(body)

    def block_math(self, body: str) -> str:
        return _of_a_lab(f"$${body}$$", body, as_block=True) or super().block_math(body)


def _of_a_lab(typed: str, tex: str, as_block: bool = False) -> str:
    """The formula as MathML; "" for one that is in no lab, or that docutils cannot set."""
    with contextlib.suppress(MathError):
        return mathml(tex, as_block) if typed in _labs() else ""
    return ""


@cache
def _labs() -> str:
    """The prose of all labs."""
    notebooks = [nbformat.read(course.notebook(lab), as_version=4) for lab in course.labs()]
    return "\n".join(cell.source for each in notebooks for cell in each.cells if cell.cell_type == "markdown")
