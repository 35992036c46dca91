"""nbgrader's pages of a notebook, as the course's settings make them, and what on them could act."""

import logging
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

from grader import course
from grader.grade.sanitize import inert
from grader.results import feedback
from grader.results.clean import MATH, MATH_ATTRIBUTES, TAGS

LAB = "02_magnitude_pruning"
RESOURCES = {
    "nbgrader": {
        "notebook": LAB,
        "score": 1.0,
        "max_score": 2.0,
        "late_penalty": 0,
        "by_cell": {},
        "colours": "",
        "page": feedback.Page("Lab 02: magnitude pruning", "ann", "", "1 of 2 points", [], []),
    },
    **dict.fromkeys(("notebook_id", "assignment_id", "submission_id", "base_url", "notebook_path"), "x"),
    **{"student": "ann", "first_name": "", "last_name": "", "index": 0, "total": 1},
}
CONTENT = (  # of formgrader's pages and of ours: what is not the templates' own
    ".text_cell_render, .input_area, .output_area, .panel-footer, .prose, .source, .printed"
)
HARMLESS = {*TAGS.split(), *MATH.split()}
NAMES = {"alt", "title", "rel", "start", *MATH_ATTRIBUTES.split()}
COLOUR = r"(color|background-color): rgb\([\d,]+\)"
STYLE = re.compile(rf"text-align: ?\w+;?|{COLOUR}(; {COLOUR})?")
PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
FORMGRADER = re.compile(
    "score|tabbable|comment|save|btn|panel|nbgrader|credit|mark-graded"
)  # its scripts' hooks


def released() -> NotebookNode:
    return nbformat.read(course.notebook(LAB), as_version=4)


def submission(*cells: NotebookNode) -> NotebookNode:
    """The lab's notebook, with these cells in it, as the journal keeps it."""
    notebook = released()
    notebook.cells[1:1] = [NotebookNode({**cell, "id": f"own-{n}"}) for n, cell in enumerate(cells)]
    notebook = inert(notebook, released())
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader |= {"score": 0.0, "points": 1.0}
    return notebook


def feedback_exporter() -> HTMLExporter:
    """As nbgrader makes it for the feedback."""
    config = course.config()
    converter = GenerateFeedback(coursedir=CourseDirectory(config=config), config=config)
    return HTMLExporter(config=converter.config, log=logging.Logger("quiet", logging.CRITICAL))


def formgrader_exporter(folder: Path, monkeypatch) -> HTMLExporter:
    """As formgrader makes it in a JupyterLab that was started in the course folder."""
    monkeypatch.chdir(course.prepare())
    extension = FormgradeExtension()
    extension.root_dir = str(folder)
    extension.initialize([])
    server = SimpleNamespace(settings={})
    extension.init_tornado_settings(server)
    return server.settings["nbgrader_exporter"]


def exported(exporter: HTMLExporter, notebook: NotebookNode) -> BeautifulSoup:
    """The page, as a parser finds it."""
    return parsed(exporter.from_notebook_node(notebook, resources={**RESOURCES})[0])


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "lxml")


def content(page: BeautifulSoup) -> list[Tag]:
    """The elements that come from a notebook's cells, not from the templates."""
    return [element for area in page.select(CONTENT) for element in area.find_all(True)]


def frame(page: BeautifulSoup) -> list[str]:
    """The names of the other elements: the same for every notebook with as many cells of each kind."""
    of_cells = {id(element) for element in content(page)}
    return [element.name for element in page.find_all(True) if id(element) not in of_cells]


def acting(elements: list[Tag], outputs: bool = False) -> list[str]:
    """What of these elements could act, or ask for something: it should be nothing."""
    return [problem for element in elements for problem in active(element, outputs)]


def active(tag: Tag, outputs: bool) -> list[str]:
    """Why this element is not harmless. outputs: whether it may be what nbconvert makes of an output."""
    problems = [] if tag.name in HARMLESS or (outputs and tag.name == "img") else [f"<{tag.name}>"]
    for name in tag.attrs:
        value = tag.get_attribute_list(name)
        text = " ".join(map(str, value))
        allowed = {
            "href": re.match("https?://", text),
            "src": tag.name == "img" and PICTURE.fullmatch(text),
            "style": STYLE.fullmatch(text),
            "class": not FORMGRADER.search(text),
        }
        if not allowed.get(name, name in NAMES):
            problems.append(f"<{tag.name} {name}={text!r}>")
    return problems
