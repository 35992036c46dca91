"""An executed lab -> a page to read: answers folded away, a text alternative for each figure."""

import re
from pathlib import Path

from nbformat import NotebookNode, v4

from grader.author import source
from labsupport.errors import LabError

REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
LINK = re.compile(r"\[([^]]+)\]\(\.\./(\w+)/\2\.ipynb\)")


def page(lab: str, executed: NotebookNode, labs: list[str]) -> NotebookNode:
    """The page of a lab. labs: those that the site has; a link to another one becomes plain text."""
    cells = []
    for cell, ran in zip(source.read(lab), executed.cells, strict=True):
        if cell.kind == "prose":
            cells.append(v4.new_markdown_cell(_links(cell.text, labs)))
        elif cell.kind == "written":
            cells.append(_folded("One good answer", cell.text))
        elif cell.kind == "answer":
            cells.append(_folded("How it is marked", cell.text))
        elif cell.kind == "exercise":
            stub = REGION.sub(r"\1raise NotImplementedError  # yours", cell.text)
            answer = MARK.sub("", cell.text).rstrip("\n")
            cells.append(v4.new_markdown_cell(_python(stub)))
            cells.append(_folded(f"Answer: {cell.name}", _python(answer)))
        else:
            cells.append(_code(cell.text, ran))
    return v4.new_notebook(cells=cells, metadata=executed.metadata)


def landing(executed: NotebookNode, labs: list[str]) -> NotebookNode:
    """The first page: what its own cells computed, and the labs with what one learns in each."""
    lines = [f"- [{_heading(lab)}]({lab}.ipynb): {_learned(lab)}" for lab in labs]
    tree = "\n".join(["```{toctree}", ":hidden:", *labs, "sources", "```"])
    executed.cells.append(v4.new_markdown_cell("\n".join(["## The labs", "", *lines, "", tree])))
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = ["remove-input"]
            _mend(cell)
        else:
            cell.source = _links(cell.source, labs)
    return executed


def _heading(lab: str) -> str:
    return " ".join(source.read(lab)[0].text.splitlines()[0].lstrip("# ").split())


def _learned(lab: str) -> str:
    found = re.search(r"\*\*You learn\*\* \| (.+?) \|", source.read(lab)[0].text)
    return found[1] if found else ""


def _links(text: str, labs: list[str]) -> str:
    return LINK.sub(lambda found: f"[{found[1]}]({found[2]}.ipynb)" if found[2] in labs else found[1], text)


def _folded(summary: str, text: str) -> NotebookNode:
    return v4.new_markdown_cell(f'<details class="fold"><summary>{summary}</summary>\n\n{text}\n\n</details>')


def _python(text: str) -> str:
    return f"```python\n{text}\n```"


def _code(text: str, ran: NotebookNode) -> NotebookNode:
    return _mend(v4.new_code_cell(text, outputs=ran.outputs, execution_count=ran.execution_count), ran.id)


def _mend(cell: NotebookNode, name: str = "") -> NotebookNode:
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
