"""Formulas as MathML, which browsers render without a script from a network.

Only formulas of the labs are converted. A student's formula is shown as typed, because a wrong conversion
could cost the student points.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    MathBlockParser,
    MathInlineParser,
)

from grader import course
from grader.author import source
from grader.results.clean import clean
from grader.results.highlight import LANGUAGES, highlighted

SIZES = re.compile(r"\\[bB]ig+([lr]?)(?![A-Za-z])")
STRETCHED = {"l": r"\left", "r": r"\right", "": ""}  # docutils has no sizes but these
BAR = re.compile(r"<mo[^>]*>([|‖])</mo>")  # of a norm or of a magnitude
GROWS = re.compile(r"\\left\s*(?:\||\\[|lv])")
APPLIED = re.compile(r"<mo>&ApplyFunction;</mo>(?=\s*<m(?:i|su[bp]|subsup)>)")


def mathml(tex: str, as_block: bool = False) -> str:
    """A TeX formula as MathML. Raises docutils' MathError for one that cannot be converted."""
    sized = SIZES.sub(lambda found: STRETCHED[found[1]], tex)
    found = tex2mathml(sized.replace(r"\dots", r"\ldots"), as_block)
    if not GROWS.search(tex):  # else a browser stretches one bar of a pair, and sets both apart as operators
        found = BAR.sub(r'<mo lspace="0" rspace="0" stretchy="false">\1</mo>', found)
    return APPLIED.sub('<mo lspace="0" rspace="0.1667em">&ApplyFunction;</mo>', found)  # ln p, not lnp


def markdown(text: str) -> str:
    """Markdown as clean HTML, like nbconvert's filter, with the labs' formulas as MathML."""
    return clean(_parser(_Renderer(escape=False, exclude_anchor_links=True)).render(text))


def formulas(prose: Iterable[str]) -> dict[tuple[str, bool], str]:
    """The MathML of the formulas in pieces of Markdown, by TeX and whether it is a block."""
    found = {}
    for text in prose:
        tokens: Any = _parser(None)(text)
        for tex, as_block in _typed(tokens):
            with contextlib.suppress(MathError):
                found[tex, as_block] = mathml(tex, as_block)
    return found


def _typed(tokens: list[dict]) -> Iterator[tuple[str, bool]]:
    for token in tokens:
        if token["type"] in ("inline_math", "block_math"):
            yield token["raw"], token["type"] == "block_math"
        yield from _typed(token.get("children", []))


@cache
def _labs() -> dict[tuple[str, bool], str]:
    """The formulas of all labs, model answers included."""
    cells = (cell for lab in course.labs() for cell in source.read(lab))
    return formulas(cell.text for cell in cells if cell.kind in ("prose", "written", "answer"))


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return _labs().get((body, False)) or super().inline_math(body)

    def block_math(self, body: str) -> str:
        return _labs().get((body, True)) or super().block_math(body)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return self.link(text or url, url, title)

    def block_code(self, code: str, info: str | None = None) -> str:
        language = (info or "").split(maxsplit=1)[:1]
        return highlighted(code) if language and language[0] in LANGUAGES else super().block_code(code)

    def task_list_item(self, text: str, checked: bool = False) -> str:
        return self.list_item(f"{'☑' if checked else '☐'} {text}")


# From every `\\(`, `\\[` and `\begin{` that is never closed, nbconvert's expressions go to the end of the
# text, in quadratic time. These stop at the next opening of the same kind. (Atomic groups, because Python
# 3.11.2 loses what stands before a possessive quantifier.)


def _between(opening: str, closing: str, name: str) -> str:
    other = rf"\\(?!\\{opening}|\\{closing})"
    return rf"(?s:(?<!\\)\\\\{opening}(?P<{name}>(?>[^\\]+|{other})*)\\\\{closing})"


def _environment(name: str, body: str) -> str:
    other = rf"\\(?!begin\{{|end\{{(?P={name})\}})"
    return rf"(?s:\\begin\{{(?P<{name}>[a-z]*\*?)\}}(?P<{body}>(?>[^\\]+|{other})*)\\end\{{(?P={name})\}})"


class _Blocks(MathBlockParser):
    SPECIFICATION = MathBlockParser.SPECIFICATION | {
        "multiline_math": "|".join(
            [
                MathInlineParser.BLOCK_MATH_TEX.replace("math_block_tex", "multiline_tex"),
                _between(r"\[", r"\]", "multiline_latex"),
                _environment("multiline_name", "multiline_body"),
            ]
        )
    }


class _Inline(MathInlineParser):
    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "block_math_latex": _between(r"\[", r"\]", "math_block_latex"),
        "inline_math_latex": _between(r"\(", r"\)", "math_inline_latex"),
        "latex_environment": _environment("math_env_name", "math_env_body"),
    }


def _parser(renderer: IPythonRenderer | None) -> MarkdownWithMath:
    how: Any = renderer  # None: tokens instead of HTML
    return MarkdownWithMath(how, block=_Blocks(), inline=_Inline())
