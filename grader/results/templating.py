"""The templates of the pages for instructors. All data of a submission is untrusted.

The templates escape every value, and characters that are not printable, such as a change of the writing
direction, are shown as marks.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template

from grader.results import lms_export, table

MOST = 6000  # characters shown of one text


def template(name: str) -> Template:
    """A template from templates/, by its file name; it formats numbers by the filters of this function."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, finalize=printable,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"points": table.points, "lateness": lms_export.lateness, "span": lms_export.span}
    return environment.get_template(name)


def printable(value):
    """A text for the page: no invisible or direction characters, limited length."""
    if type(value) is not str:  # Markup, for example, which is escaped already
        return value
    cut = value if len(value) <= MOST else f"{value[:MOST]}\n[{len(value) - MOST:,} characters more]"
    return "".join(letter if letter.isprintable() or letter == "\n" else _mark(letter) for letter in cut)


def _mark(letter: str) -> str:
    return " " if letter.isspace() else "�"
