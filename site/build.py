"""Builds the site: every lab as an executed walkthrough. `python site/build.py [LAB ...] [--to FOLDER]`.

A lab is executed once; its outputs are kept beside the pages until its code, labsupport or the versions
change.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import api
import colab
import front
import gallery
import guides
import jupytext
import nbformat
import project
import works
import wrong
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from sphinx.cmd.build import build_main
from walkthrough import page

from grader import course
from grader.author import source
from grader.author.notebooks import METADATA, source_notebook
from grader.author.release import students_zip
from labsupport import __version__, files
from labsupport.errors import LabError

HERE = Path(__file__).resolve().parent
CHOICES = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT")


def main(arguments: list[str] | None = None) -> int:
    """Build. 0 when the site is whole, 2 when it is not, and one sentence says why."""
    parser = argparse.ArgumentParser(prog="python site/build.py", description="Build the site of the labs.")
    parser.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
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
    pages, html, beside = folder / "pages", folder / "html", folder / "beside"
    said = mistakes(labs, folder / "executed")
    ran = {lab: executed(lab, source_notebook(lab), folder / "executed") for lab in labs}
    notebooks = {lab: page(lab, ran[lab], labs, said) for lab in labs}
    first = jupytext.read(HERE / "index.py")
    first.metadata.update(METADATA)
    first = executed("index", first, folder / "executed", (HERE / "picture.py").read_bytes())
    for stale in (pages, html, beside):
        shutil.rmtree(stale, ignore_errors=True)
    figures = {lab: gallery.anchored(lab, notebook) for lab, notebook in notebooks.items()}
    notebooks["index"] = front.landing(first, labs, guides.lay_out(pages))
    for name, notebook in notebooks.items():
        files.write_whole(pages / f"{name}.ipynb", nbformat.writes(notebook).encode())
    texts = {f"api/{name}": text for name, text in api.pages().items()}
    texts["gallery"] = gallery.page(figures, beside / "gallery")
    texts["wrong"] = wrong.page(labs, said)
    texts["reading"] = works.reading(labs)
    fixed = (HERE / "sources.md").read_text(encoding="utf-8")
    texts["sources"] = fixed.replace("{works}", works.sources(labs))
    for name, text in texts.items():
        files.write_whole(pages / f"{name}.md", text.encode())
    for lab in labs:
        files.write_whole(beside / "notebooks" / f"{lab}.ipynb", course.notebook(lab).read_bytes())
        files.write_whole(beside / "colab" / f"{lab}.ipynb", colab.opening(lab))
    files.write_whole(beside / "students.zip", students_zip(labs))
    project.archive(beside)
    # -W: a link that leads nowhere, a formula that cannot be set, ends the build
    options = ["-q", "-W", "--keep-going", "-n", "-c", str(HERE), "-d", str(folder / "trees")]
    if build_main([*options, "-D", f"html_extra_path={beside}", str(pages), str(html)]):
        shutil.rmtree(html, ignore_errors=True)
        raise LabError("Sphinx refused a page, for the reason above.")
    return html / "index.html"


def mistakes(labs: list[str], kept: Path) -> dict[str, list]:
    """What the checks say of wrong answers, by exercise; kept until a judge or an answer changes."""
    names = [cell.name for lab in labs for cell in source.read(lab) if cell.kind == "exercise"]
    answers = [(course.ROOT / "tests" / "wrong_answers" / f"{name}.py").read_bytes() for name in names]
    place = kept / f"mistakes-{_digest([*answers, (HERE / 'mistakes.py').read_bytes()])}.json"
    if not place.exists():
        print("wrong answers ...", flush=True)
        env = {**os.environ, "PRUNING_LABS_MODEL": "tiny"}  # a mistake is the same on every model
        command = [sys.executable, str(HERE / "mistakes.py"), *names]
        ran = subprocess.run(command, cwd=course.ROOT, env=env, capture_output=True, text=True)
        if ran.returncode:
            raise LabError(f"The wrong answers cannot be judged: {ran.stderr.strip().splitlines()[-1]}")
        _keep(place, "mistakes", ran.stdout)
    return json.loads(place.read_text(encoding="utf-8"))


def executed(name: str, notebook: NotebookNode, kept: Path, beside: bytes = b"") -> NotebookNode:
    """The notebook with its outputs, run in a fresh kernel unless the same code was run before.

    beside: what its outputs depend on besides its own code.
    """
    for number, cell in enumerate(notebook.cells):
        cell.id = cell.id if name != "index" else f"index-{number}"
    codes = [cell.source.encode() for cell in notebook.cells if cell.cell_type == "code"]
    place = kept / f"{name}-{_digest([*codes, beside])}.ipynb"
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
        _keep(place, name, nbformat.writes(notebook))
    return _with_outputs(notebook, nbformat.read(place, as_version=4))


def _keep(place: Path, name: str, text: str) -> None:
    """Write what was computed, and remove what it replaces."""
    files.write_whole(place, text.encode())
    for old in set(place.parent.glob(f"{name}-*{place.suffix}")) - {place}:
        old.unlink()


def _with_outputs(notebook: NotebookNode, ran: NotebookNode) -> NotebookNode:
    """The outputs belong to the code; the prose is today's."""
    codes = [[cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, ran)]
    for cell, before in zip(*codes, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return notebook


def _digest(parts: list[bytes]) -> str:
    """Of all that outputs depend on: these parts, labsupport, the versions, model and text."""
    files = (course.ROOT / "labsupport").rglob("*.*")
    parts = parts + [path.read_bytes() for path in sorted(files) if path.suffix in (".py", ".yaml")]
    parts.append((course.ROOT / "constraints.txt").read_bytes())
    parts += [os.environ.get(name, "").encode() for name in CHOICES]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
