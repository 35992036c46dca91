"""The figures of all labs on one page, each with its title and a link to the place where it is drawn."""

import base64
import html
import re
from pathlib import Path

from nbformat import NotebookNode, v4

from labsupport import files


def anchored(lab: str, page: NotebookNode) -> list[NotebookNode]:
    """Put an anchor before every figure of a page; the cells that draw one, in order."""
    drawn, cells = [], []
    for cell in page.cells:
        if cell.cell_type == "code" and _png(cell):
            drawn.append(cell)
            cells.append(v4.new_markdown_cell(f'<div id="{_anchor(lab, len(drawn))}"></div>'))
        cells.append(cell)
    page.cells = cells
    return drawn


def page(figures: dict[str, list[NotebookNode]], folder: Path) -> str:
    """The page, in Markdown; the images are written to the folder. figures: the cells by lab."""
    lines = ["# Gallery", "", "Every figure of the labs. A figure leads to the cell that draws it."]
    for lab, cells in figures.items():
        shown = []
        for number, cell in enumerate(cells, 1):
            name = f"{_anchor(lab, number)}.png"
            files.write_whole(folder / name, base64.b64decode(_png(cell)))
            title = html.escape(_title(cell.metadata["mystnb"]["image"]["alt"]))
            image = f'<img src="gallery/{name}" alt="" loading="lazy">'
            place = f"{lab}.html#{_anchor(lab, number)}"
            shown.append(f'<a href="{place}">{image}<span>{title}</span></a>')
        if shown:
            heading = lab.replace("_", " ", 1).replace("_", " ")
            lines += ["", f"## {heading}", "", f'<div class="gallery">{"".join(shown)}</div>']
    return "\n".join(lines) + "\n"


def _anchor(lab: str, number: int) -> str:
    return f"figure-{lab[:2]}-{number}"


def _png(cell: NotebookNode) -> str:
    """The figure of a cell in base64, "" where it draws none."""
    drawn = (output.get("data", {}).get("image/png") for output in cell.outputs)
    return next(filter(None, drawn), "")


def _title(alt: str) -> str:
    """The title of a figure, which its text alternative begins with."""
    return re.split(r"\. (?:Across|Up): |\.$", alt)[0]
