"""Makes an executed notebook inert: whatever a browser shows of it later, nothing of it runs there.

Text and PNG pictures stay. HTML, script, SVG, widgets and LaTeX that a submission put out are dropped,
and in prose that is not the release's own, angle brackets, script links and pictures become plain text: a
picture from elsewhere would tell its server who looks at the page, and when.
"""

import re

import nbformat
from nbformat import NotebookNode

PICTURE, TEXT = "image/png", "text/plain"
SCRIPT_LINK = re.compile(r"(javascript|vbscript|data)([\s\\]*:)", re.IGNORECASE)  # \: is a colon in Markdown
ENTITY = re.compile(r"&(?=#|\w+;)")  # and &#58; is one, even as &amp;#58;
DROPPED = "[an output that is neither text nor a PNG picture is not shown]"
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def inert(notebook: NotebookNode, released: NotebookNode) -> NotebookNode:
    """The notebook with only what is safe to show; `released` tells which prose is ours."""
    ours = {cell.source for cell in released.cells}
    result = nbformat.v4.new_notebook(metadata=released.metadata)
    for cell in notebook.cells:
        graded = {"nbgrader": cell.metadata["nbgrader"]} if "nbgrader" in cell.metadata else {}
        if cell.cell_type == "code":
            new = nbformat.v4.new_code_cell(
                cell.source, metadata=graded, outputs=[safe(output) for output in cell.get("outputs", [])]
            )
        else:
            text = cell.source if cell.source in ours else tame(cell.source)
            new = nbformat.v4.new_markdown_cell(text, metadata=graded)
        new.id = cell.id
        result.cells.append(new)
    return result


def tame(prose: str) -> str:
    """Markdown in which no HTML, no script link and no picture is left."""
    prose = ENTITY.sub("& ", prose).replace("<", "&lt;").replace("![", "!\\[")
    return SCRIPT_LINK.sub(r"\1 \2", prose)


def safe(output: NotebookNode) -> NotebookNode:
    """One output as text or picture."""
    if output.output_type == "stream":
        return nbformat.v4.new_output("stream", name=_stream(output), text=_text(output.text))
    if output.output_type == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        return nbformat.v4.new_output("stream", name="stderr", text=_text("\n".join(map(str, lines))) + "\n")
    data = output.get("data", {})
    picture = data.get(PICTURE)
    if isinstance(picture, str) and BASE64.fullmatch(picture):
        return nbformat.v4.new_output("display_data", {PICTURE: picture, TEXT: "[picture]"})
    return text_output(_text(data[TEXT]) if TEXT in data else DROPPED)


def text_output(text: str) -> NotebookNode:
    """Plain text as an output."""
    return nbformat.v4.new_output("stream", name="stdout", text=text.rstrip("\n") + "\n")


def _stream(output: NotebookNode) -> str:
    return "stderr" if output.get("name") == "stderr" else "stdout"


def _text(text) -> str:
    return "".join(text) if isinstance(text, list) else str(text)
