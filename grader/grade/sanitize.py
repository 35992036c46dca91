"""Sanitizes an executed notebook, so that a browser that shows it runs nothing and loads nothing.

Outputs are reduced to text and PNG images; HTML, scripts, SVG, widgets and LaTeX are dropped. Pasted
pictures are written anew (pictures.py). In prose,
an invisible character breaks the syntax of HTML, entities, script links and images (an image would
report its viewer and the time to a server). This works in every viewer, JupyterLab included; nbgrader's
pages are cleaned once more (results/clean.py).

A page must also render in seconds. A submission may have 10 MB of text and 20 MB of outputs, for which
nbconvert needs minutes; so a page has limits, and text beyond them is cut or shown without formatting.
"""

import re
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from grader.grade import pictures

PICTURE, TEXT = "image/png", "text/plain"
DROPPED = "[an output that is neither text nor a PNG picture is not shown]"
CUT = "\n[output cut: a page shows {:,} characters of a notebook's output]"
MORE = "[more outputs are not shown: a page has room for {:,}]"
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
COLOUR = re.compile(r"\x1b\[[\d;]{0,40}m")  # ansi2html takes quadratic time on longer ones
OTHER_ESCAPE = re.compile(r"\x1b(?!\[[\d;]{0,40}m)(?:\[[^@-~\n]*[@-~])?")

GUARD = "\u2060"  # WORD JOINER: invisible, and no tag, entity or address scheme has one inside
GUARDED = re.compile(  # <tag </tag <!-- <?xml, &name; &#, script: (\: is a colon in Markdown), ![
    r"<(?=[A-Za-z/!?])|&(?=#|\w+;)|(?:javascript|vbscript|data)(?=[\s\\]*:)|!(?=\[)", re.IGNORECASE
)

LONGEST = 20_000  # characters of one cell that are formatted
PLAIN = "plain"  # key in the metadata of a cell that is shown without formatting


@dataclass
class Room:
    """The limits of a page: several times the need of an honest submission."""

    source: int = 50_000  # characters of all cells of the student that are formatted
    text: int = 500_000  # characters of output
    outputs: int = 1_000
    colours: int = 5_000  # changes of colour in outputs
    pictures: int = 20  # pasted ones


def tame(prose: str) -> str:
    """Markdown without HTML, entities, script links and images; its appearance does not change."""
    return GUARDED.sub(rf"\g<0>{GUARD}", prose)


def inert(notebook: NotebookNode, released: NotebookNode) -> NotebookNode:
    """The sanitized notebook; `released` identifies the cells of the lab, whose sources are trusted."""
    ours = {cell.source for cell in released.cells}
    room = Room()
    result = nbformat.v4.new_notebook(metadata=released.metadata)
    for cell in notebook.cells:
        metadata = {"nbgrader": cell.metadata["nbgrader"]} if "nbgrader" in cell.metadata else {}
        if cell.source not in ours and not fits(cell.source, room):
            metadata[PLAIN] = True
        if cell.cell_type == "code":
            outputs = shown(cell.get("outputs", []), room)
            new = nbformat.v4.new_code_cell(cell.source, metadata=metadata, outputs=outputs)
        else:
            text = cell.source if cell.source in ours else tame(cell.source)
            new = nbformat.v4.new_markdown_cell(text, metadata=metadata)
            if found := pictures.pasted(cell.get("attachments"), room.pictures):
                new.attachments = nbformat.from_dict(found)
                room.pictures -= len(found)
        new.id = cell.id
        result.cells.append(new)
    return result


def fits(source: str, room: Room) -> bool:
    """Whether the limits allow formatting this cell; if so, its size is subtracted."""
    cost = len(source) + 50  # an empty cell also takes time
    if len(source) > LONGEST or cost > room.source:
        return False
    room.source -= cost
    return True


def shown(outputs: list[NotebookNode], room: Room) -> list[NotebookNode]:
    """A cell's outputs as text and images, within the limits."""
    result = [safe(output, room) for output in outputs[: room.outputs]]
    room.outputs -= len(result)
    if len(result) < len(outputs):
        result.append(text_output(MORE.format(Room.outputs)))
    return result


def safe(output: NotebookNode, room: Room) -> NotebookNode:
    """One output as text or image."""
    if output.output_type == "stream":
        return nbformat.v4.new_output("stream", name=_stream(output), text=_text(output.text, room))
    if output.output_type == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        text = _text("\n".join(map(str, lines)), room) + "\n"
        return nbformat.v4.new_output("stream", name="stderr", text=text)
    data = output.get("data", {})
    picture = data.get(PICTURE)
    if isinstance(picture, str) and BASE64.fullmatch(picture):
        return nbformat.v4.new_output("display_data", {PICTURE: picture, TEXT: "[picture]"})
    return text_output(_text(data[TEXT], room) if TEXT in data else DROPPED)


def text_output(text: str) -> NotebookNode:
    """Plain text as an output."""
    return nbformat.v4.new_output("stream", name="stdout", text=text.rstrip("\n") + "\n")


def _stream(output: NotebookNode) -> str:
    return "stderr" if output.get("name") == "stderr" else "stdout"


def _text(text, room: Room) -> str:
    """Text of an output, within the limits and without half surrogate pairs, which no file can hold; of
    terminal escapes only colours are kept.
    """
    text = "".join(text) if isinstance(text, list) else str(text)
    if len(text) > room.text:
        text = text[: room.text] + CUT.format(Room.text)
    room.text -= min(len(text), room.text)
    text = OTHER_ESCAPE.sub("", text.encode("utf-8", "replace").decode())
    changes = text.count("\x1b")
    if changes > room.colours:
        return COLOUR.sub("", text)
    room.colours -= changes
    return text
