"""The labs for Colab: each with a first cell that installs labsupport alone, out of the students' zip."""

import nbformat
from nbformat import v4

from grader import course

INSTALL = """\
# Colab: put students.zip into Files (the folder on the left), and run this cell once in every session.
!unzip -q -o students.zip && pip install --quiet ./pruning-labs"""


def opening(lab: str) -> bytes:
    """A lab's notebook as students get it, with that cell in front."""
    notebook = nbformat.read(course.notebook(lab), as_version=4)
    notebook.cells.insert(0, v4.new_code_cell(INSTALL, id="install-labsupport"))
    return nbformat.writes(notebook).encode()
