"""nbconvert's filters for prose and code on nbgrader's pages: feedback and formgrader.

nbgrader_config.py names them. Their time goes with the length of a text; where formatting it would
take long nevertheless, it is shown as typed.
"""

from html import escape

from jinja2 import pass_context
from jinja2.runtime import Context

from grader.grade.sanitize import GUARD, LONGEST, PLAIN, Room
from grader.results.highlight import highlighted
from grader.results.mathml import markdown

WHY = (
    f"Shown as typed, because formatting it would take too long: more than {LONGEST:,} characters, "
    f"or more than {Room.source:,} in all cells together."
)


@pass_context
def prose(context: Context, text: str) -> str:
    """Markdown as clean HTML, in place of nbconvert's markdown2html; as typed where it is too long."""
    cell = context.get("cell") or {}
    plain = cell.get("metadata", {}).get(PLAIN) and text == cell.get("source")
    return as_typed(text) if plain or len(text) > LONGEST else markdown(text)


def code(source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Code in colours, in place of nbconvert's highlight_code; as typed where it is too long."""
    plain = (metadata or {}).get(PLAIN)
    return as_typed(source) if plain or len(source) > LONGEST else highlighted(source)


def as_typed(text: str) -> str:
    """Text with nothing in it formatted, and why."""
    return f"<p>{WHY}</p><pre>{escape(text.replace(GUARD, ''))}</pre>"


def unchanged(text: str) -> str:
    """In place of nbconvert's strip_files_prefix, whose time goes with the square of a row of brackets."""
    return text
