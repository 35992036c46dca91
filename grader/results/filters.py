"""nbconvert's filters for prose and code on nbgrader's pages: feedback and formgrader.

nbgrader_config.py registers them. They take linear time; a text that would take long to format is shown
without formatting.
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
    """Markdown as clean HTML, in place of nbconvert's markdown2html; not formatted if too long."""
    cell = context.get("cell") or {}
    plain = cell.get("metadata", {}).get(PLAIN) and text == cell.get("source")
    return as_typed(text) if plain or len(text) > LONGEST else markdown(text)


def code(source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Highlighted code, in place of nbconvert's highlight_code; not formatted if too long."""
    plain = (metadata or {}).get(PLAIN)
    return as_typed(source) if plain or len(source) > LONGEST else highlighted(source)


def as_typed(text: str) -> str:
    """Unformatted text, with a note on the reason."""
    return f"<p>{WHY}</p><pre>{escape(text.replace(GUARD, ''))}</pre>"


def unchanged(text: str) -> str:
    """Replaces nbconvert's strip_files_prefix, which takes quadratic time on a row of brackets."""
    return text
