"""nbconvert's filters for prose and code on nbgrader's pages: feedback and formgrader.

nbgrader_config.py registers them. They take linear time; a text that would take long to format is shown
without formatting.
"""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from urllib.parse import unquote

from jinja2 import pass_context
from jinja2.runtime import Context

from grader import course
from grader.author import source
from grader.grade import pictures
from grader.grade.sanitize import BASE64, GUARD, LONGEST, PLAIN, Room
from grader.results.highlight import highlighted
from grader.results.mathml import markdown
from labsupport.errors import LabError

WHY = (
    f"Shown as typed, because formatting it would take too long: more than {LONGEST:,} characters, "
    f"or more than {Room.source:,} in all cells together."
)


REFERENCE = re.compile(  # ![name](attachment:file), <img src="attachment:file">; with GUARD from sanitize.py
    rf"!{GUARD}?\[[^\]\n]{{0,300}}\]\(attachment:(?P<file>[^)\n]{{1,500}})\)"
    rf"|<{GUARD}?img\b(?P<tag>[^>]{{0,500}})>",
    re.IGNORECASE,
)
SOURCE = re.compile(r"""src\s{0,9}=\s{0,9}["']attachment:([^"']{1,500})["']""", re.IGNORECASE)


@pass_context
def prose(context: Context, text: str) -> str:
    """Markdown as clean HTML, in place of nbconvert's markdown2html; not formatted if too long.

    Of a cell with pasted pictures each picture stands where the text names it.
    """
    cell = context.get("cell") or {}
    return formatted(cell) if text == cell.get("source") else formatted({"source": text})


def formatted(cell: Mapping) -> str:
    """The Markdown of a cell and its pasted pictures as clean HTML."""
    text, figures = cell["source"], drawn(cell.get("attachments") or {})
    if cell.get("metadata", {}).get(PLAIN) or len(text) > LONGEST:
        return as_typed(text) + "".join(figures.values())
    return illustrated(text, figures)


def illustrated(text: str, figures: dict[str, str]) -> str:
    """Markdown as clean HTML with pictures in it; what the text does not name comes last.

    figures: HTML by the name of the attachment.
    """
    left, parts, place = dict(figures), [], 0
    for match in REFERENCE.finditer(text):
        name = unquote(named(match))
        if name in left:
            parts += [markdown(text[place : match.start()]), left.pop(name)]
            place = match.end()
    return "".join([*parts, markdown(text[place:]), *left.values()])


def named(match: re.Match) -> str:
    """The attachment that a reference names, "" for none; a title behind it is left out."""
    inside = SOURCE.search(match["tag"] or "")
    file = inside[1] if inside else (match["file"] or "").split(' "')[0]
    return file.replace(GUARD, "").strip()


def drawn(attachments: Mapping) -> dict[str, str]:
    """The pictures of a cell as HTML, by name; a sentence for what pictures.py does not show."""
    found = {}
    for name, bundle in attachments.items():
        kind, data = next(iter(bundle.items()), ("", ""))
        if kind in (pictures.PNG, pictures.JPEG) and BASE64.fullmatch(data):
            found[name] = f'<p><img alt="pasted picture" src="data:{kind};base64,{data}"></p>'
        elif kind == pictures.TEXT:
            found[name] = f"<p>{escape(data)}</p>"
    return found


def rubric(question: str, lab: str) -> str:
    """The model answer and the rubric of a written question as HTML; "" where there are none."""
    return markdown(rubric_text(question, lab))


@cache
def rubric_text(question: str, lab: str) -> str:
    """The same as Markdown."""
    try:
        return source.rubric(course.lab(lab), question)
    except LabError:
        return ""


def code(text: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Highlighted code, in place of nbconvert's highlight_code; not formatted if too long."""
    plain = (metadata or {}).get(PLAIN)
    return as_typed(text) if plain or len(text) > LONGEST else highlighted(text)


def as_typed(text: str) -> str:
    """Unformatted text, with a note on the reason."""
    return f"<p>{WHY}</p><pre>{escape(text.replace(GUARD, ''))}</pre>"


def unchanged(text: str) -> str:
    """Replaces nbconvert's strip_files_prefix, which takes quadratic time on a row of brackets."""
    return text
