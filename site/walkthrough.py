"""An executed lab -> a page to read: answers folded away, a text alternative for each figure.

What a check says of a right answer stands below it, and what it says of a wrong one below that.
"""

import re
from pathlib import Path

from nbformat import NotebookNode, v4

from grader.author import source
from labsupport.errors import LabError

REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
MACHINE = "doctor.report()"  # a page shows nobody's machine
HERE_IS_YOURS = (
    "In your notebook the report on your machine stands here: its processor and memory, whether the model is "
    "there, and how many minutes each lab takes on it."
)
LINK = re.compile(r"\[([^]]+)\]\(\.\./(\w+)/\2\.ipynb\)")


def page(lab: str, executed: NotebookNode, labs: list[str], wrong: dict[str, list]) -> NotebookNode:
    """The page of a lab. labs: those that the site has; a link to another one becomes plain text.

    wrong: what mistakes.py says of each exercise.
    """
    cells = []
    for cell, ran in zip(source.read(lab), executed.cells, strict=True):
        if cell.kind == "prose":
            cells.append(v4.new_markdown_cell(links(cell.text, labs)))
        elif cell.kind == "written":
            cells.append(_folded("One good answer", cell.text))
        elif cell.kind == "answer":
            cells.append(_folded("How it is marked", cell.text))
        elif cell.kind == "exercise":
            stub = REGION.sub(r"\1raise NotImplementedError  # yours", cell.text)
            answer = MARK.sub("", cell.text).rstrip("\n")
            cells.append(v4.new_markdown_cell(python(stub)))
            cells.append(_folded(f"Answer: {cell.name}", python(answer)))
        elif MACHINE in cell.text:
            cells += [v4.new_code_cell(cell.text), v4.new_markdown_cell(f"*{HERE_IS_YOURS}*")]
        else:
            cells.append(_code(cell.text, ran))
        if cell.kind == "check" and wrong[cell.name]:
            cells.append(v4.new_markdown_cell(_of_a_wrong_answer(cell.name, wrong[cell.name])))
    cells[1:1] = [v4.new_markdown_cell(_downloads(lab))]
    return v4.new_notebook(cells=cells, metadata=executed.metadata)


def _downloads(lab: str) -> str:
    return (
        f'<p class="downloads"><a href="notebooks/{lab}.ipynb" download>This lab as a notebook</a>, '
        f'<a href="colab/{lab}.ipynb" download>the same for Colab</a>, '
        '<a href="students.zip" download>all labs as a zip</a></p>'
    )


def _of_a_wrong_answer(name: str, wrong: list[dict[str, str]]) -> str:
    """The words of a check on a wrong answer, in sight: they name the mistake and not the answer."""
    return (
        "Of a wrong answer the same check says, for instance:\n\n"
        f"{text(wrong[0]['message'])}\n\n[More wrong answers to {name}](#wrong-{name})"
    )


def heading(lab: str) -> str:
    """The title of a lab."""
    return " ".join(source.read(lab)[0].text.splitlines()[0].lstrip("# ").split())


def links(text: str, labs: list[str]) -> str:
    """Links to labs that the site has lead to their pages; others become plain text."""
    return LINK.sub(lambda found: f"[{found[1]}]({found[2]}.ipynb)" if found[2] in labs else found[1], text)


def _folded(summary: str, text: str) -> NotebookNode:
    return v4.new_markdown_cell(fold(summary, text))


def fold(summary: str, text: str) -> str:
    """Markdown behind a summary, which is HTML."""
    return f'<details class="fold"><summary>{summary}</summary>\n\n{text}\n\n</details>'


def text(plain: str) -> str:
    """A block of plain text."""
    return f"```text\n{plain}\n```"


def python(text: str) -> str:
    """A block of Python."""
    return f"```python\n{text}\n```"


def _code(text: str, ran: NotebookNode) -> NotebookNode:
    return mend(v4.new_code_cell(text, outputs=ran.outputs, execution_count=ran.execution_count), ran.id)


def mend(cell: NotebookNode, name: str = "") -> NotebookNode:
    """Bars of progress as they ended or gone, the home folder as ~, and the figure's text alternative."""
    merged = []
    for output in cell.outputs:
        if output.output_type == "stream" and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            ended = re.sub(r"[^\n]*\r(?=[^\n])", "", output.text.replace("\r\n", "\n"))
            output.text = ended.replace("\r", "").replace(str(Path.home()), "~")
    cell.outputs = [output for output in merged if output.get("text", "shown").strip()]
    drawn = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    told = [output.metadata.get("image/png", {}).get("alt", "") for output in drawn]
    if len(drawn) > 1 or not all(told):
        raise LabError(
            f"Cell {name or cell.id} draws {len(drawn)} figures, where a page wants one with words."
        )
    if told:
        cell.metadata.setdefault("mystnb", {})["image"] = {"alt": told[0]}
    return cell
