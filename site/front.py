"""The first page: the picture of pruning, how to start, the labs, and the table of every method."""

import re

from address import address
from nbformat import NotebookNode, v4
from project import NAME
from walkthrough import heading, links, mend

from grader.author import source


def landing(executed: NotebookNode, labs: list[str], guides: list[str]) -> NotebookNode:
    """The first page, from its own executed cells. guides: the names of their pages, in order."""
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = ["remove-input"]
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
            mend(cell)
        else:
            cell.source = links(cell.source, labs)
    table = next(at for at, cell in enumerate(executed.cells) if cell.source.startswith("## Every method"))
    executed.cells[table:table] = [v4.new_markdown_cell(_start(labs))]
    executed.cells.append(v4.new_markdown_cell("\n\n".join(_trees(labs, guides))))
    return executed


def _start(labs: list[str]) -> str:
    """For whom, how long, on what, how to start, and the labs."""
    exercises = sum(cell.kind == "exercise" for lab in labs for cell in source.read(lab))
    listed = "\n".join(
        f"- [{heading(lab)}]({lab}.ipynb), {_takes(lab)}: {_said(lab, 'You learn')}" for lab in labs
    )
    return f"""\
## For whom, how long, on what

- **For whom**: you know Python and a little torch, and want to know what pruning does to a language model.
  You need no teacher. Who teaches gets a grader for a class.
- **How long**: {len(labs)} labs with {exercises} exercises. The first takes five minutes,
  each of the others an hour to an hour and a half. Who skips one takes its functions from the course.
- **On what**: two CPU cores and 8 GB of memory. No GPU, and after the installation no network.

## Start

- **Do it.** <a href="students.zip" download>All labs as a zip</a>: unpack it and type `python3 start.py` in
  its folder (on Windows `py start.py`). It installs what the labs need and opens the first one.
- **Read it.** Go on to [{heading(labs[0])}]({labs[0]}.ipynb). Every cell has been run, every figure is there,
  and the answers are folded away, so that you can try before you look.
- **Teach it.** [An instructor's term](docs/instructor.md) goes from the release of a lab to grades, and the
  [syllabus](docs/syllabus.md) has the course in 4, 8 and 12 weeks. {_project()}

## The labs

{listed}"""


def _project() -> str:
    """Where the grader is to be had: in the archive beside this page, and at the project's address."""
    place = f", or [where it is made]({address()})" if address() else ""
    return f'The grader is in <a href="{NAME}" download>the whole project as an archive</a>{place}.'


def _trees(labs: list[str], guides: list[str]) -> list[str]:
    """What stands in the sidebar, and in which order one page follows another."""
    chapters = {
        "Labs": [*labs, "wrong", "gallery"],
        "Guides": guides,
        "Reference": ["reading", "api/labs", "api/given", "api/rest", "sources"],
    }
    return [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"])
        for caption, names in chapters.items()
    ]


def _said(lab: str, what: str) -> str:
    """What the first table of a lab says."""
    found = re.search(rf"\*\*{what}\*\* \| (.+?) \|", source.read(lab)[0].text)
    return found[1] if found else ""


def _takes(lab: str) -> str:
    return re.split(" of your time|;", _said(lab, "It takes"))[0]
