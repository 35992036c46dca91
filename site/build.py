"""Builds the site: every lab as an executed walkthrough. `python site/build.py [LAB ...] [--to FOLDER]`.

A lab is executed once; its outputs are kept beside the pages until its code, labsupport or the versions
change.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from sphinx.cmd.build import build_main
from walkthrough import landing, page

from grader import course
from grader.author.notebooks import METADATA, source_notebook
from labsupport import files
from labsupport.errors import LabError

HERE = Path(__file__).resolve().parent
CHOICES = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT")


def main(arguments: list[str] | None = None) -> int:
    """Build. 0 when the site is whole, 2 when it is not, and one sentence says why."""
    parser = argparse.ArgumentParser(prog="python site/build.py", description="Build the site of the labs.")
    parser.add_argument("labs", nargs="*", metavar="LAB", help="02 or 02_magnitude_pruning (default: all)")
    parser.add_argument("--to", type=Path, default=course.ROOT / "build" / "site", metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    try:
        labs = [course.lab(name) for name in chosen.labs] or course.labs()
        print(f"The site is {make(sorted(set(labs)), chosen.to.absolute())}")
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def make(labs: list[str], folder: Path) -> Path:
    """Execute what has changed, write the pages, and let Sphinx make HTML of them: its first page."""
    pages, html = folder / "pages", folder / "html"
    notebooks = {}
    for lab in labs:
        notebooks[lab] = page(lab, executed(lab, source_notebook(lab), folder / "executed"), labs)
    first = jupytext.read(HERE / "index.py")
    first.metadata.update(METADATA)
    notebooks["index"] = landing(executed("index", first, folder / "executed"), labs)
    for stale in (pages, html):
        shutil.rmtree(stale, ignore_errors=True)
    for name, notebook in notebooks.items():
        files.write_whole(pages / f"{name}.ipynb", nbformat.writes(notebook).encode())
    shutil.copy(HERE / "sources.md", pages)
    # -W: a link that leads nowhere, a formula that cannot be set, ends the build
    if build_main(
        [
            "-q",
            "-W",
            "--keep-going",
            "-n",
            "-c",
            str(HERE),
            "-d",
            str(folder / "trees"),
            str(pages),
            str(html),
        ]
    ):
        shutil.rmtree(html, ignore_errors=True)
        raise LabError("Sphinx refused a page, for the reason above.")
    return html / "index.html"


def executed(name: str, notebook: NotebookNode, kept: Path) -> NotebookNode:
    """The notebook with its outputs, run in a fresh kernel unless the same code was run before."""
    for number, cell in enumerate(notebook.cells):
        cell.id = cell.id if name != "index" else f"index-{number}"
    place = kept / f"{name}-{_digest(notebook)}.ipynb"
    if not place.exists():
        print(f"{name} ...", flush=True)
        client = NotebookClient(
            notebook, kernel_name="python3", timeout=1800, resources={"metadata": {"path": course.ROOT}}
        )
        try:
            with tempfile.TemporaryDirectory() as data:  # lab 00 shows what passed in this run alone
                env = {**os.environ, "XDG_DATA_HOME": data}
                client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        except CellExecutionError as problem:
            raise LabError(f"{name} does not run to its end: {problem.ename}: {problem.evalue}") from problem
        files.write_whole(place, nbformat.writes(notebook).encode())
        for old in set(kept.glob(f"{name}-*.ipynb")) - {place}:
            old.unlink()
    return _with_outputs(notebook, nbformat.read(place, as_version=4))


def _with_outputs(notebook: NotebookNode, ran: NotebookNode) -> NotebookNode:
    """The outputs belong to the code; the prose is today's."""
    codes = [[cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, ran)]
    for cell, before in zip(*codes, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return notebook


def _digest(notebook: NotebookNode) -> str:
    """Of all that the outputs depend on: the cells' code, labsupport, the versions, model and text."""
    parts = [cell.source.encode() for cell in notebook.cells if cell.cell_type == "code"]
    files = (course.ROOT / "labsupport").rglob("*.*")
    parts += [path.read_bytes() for path in sorted(files) if path.suffix in (".py", ".yaml")]
    parts.append((course.ROOT / "constraints.txt").read_bytes())
    parts += [os.environ.get(name, "").encode() for name in CHOICES]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
