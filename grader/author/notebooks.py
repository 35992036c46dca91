"""Builds from solutions/*.py: notebooks/ by nbgrader's generate_assignment, and given/exercises/."""

import re
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4
from nbgrader import utils
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import NbGraderPreprocessor

from grader import course, nbgrader_quiet
from grader.author import answers, source
from labsupport import files
from labsupport.errors import LabError
from labsupport.progress import bar

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ADDED = "Cannot add or remove cells"
INSTEAD = (
    " The old release stays. Keep every exercise that was handed out, with points=0 where it shall not "
    "count, and hand out a new one as a lab of its own."
)
DRAFT, AN_HOUR = ".release-", 3600  # the folder in which a release is made, and what none takes, in seconds
REBUILD = "run `python -m grader build`"


class DropAnswers(NbGraderPreprocessor):
    """Removes the cells tagged `answer` from the student version."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        return without_answers(nb), resources


class NameQuestions(NbGraderPreprocessor):
    """Writes into the empty answer to a written question which question it is.

    The Validate button shows the text of a cell that has no answer, and nothing else of it.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        title = ""
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                *_, title = [title, *re.findall("^## +(.+)$", cell.source, re.MULTILINE)]
                if title and utils.is_grade(cell) and utils.is_solution(cell):
                    cell.source += f" ({title})"
        return nb, resources


def source_notebook(lab: str) -> NotebookNode:
    """A lab with its answers, for instructors and for nbgrader's course/source."""
    cells = []
    for cell in source.read(lab):
        new = v4.new_markdown_cell if cell.kind in ("prose", "written", "answer") else v4.new_code_cell
        cells.append(new(cell.text, id=cell.id, metadata=_metadata(cell)))
    return v4.new_notebook(cells=cells, metadata=METADATA)


def without_answers(notebook: NotebookNode) -> NotebookNode:
    """The notebook without the cells tagged `answer`."""
    notebook.cells = [cell for cell in notebook.cells if "answer" not in cell.metadata.get("tags", [])]
    return notebook


def solved_notebook(lab: str) -> NotebookNode:
    """A lab as a submission in which every exercise has the reference solution."""
    return without_answers(source_notebook(lab))


def _metadata(cell: source.Cell) -> dict:
    if not cell.name:
        return {"tags": [cell.kind]} if cell.kind in ("answer", "experiment") else {}
    graded = {"points": cell.points} if cell.kind != "exercise" else {}
    return {
        "nbgrader": {
            "schema_version": 3,
            "grade_id": cell.id,
            "grade": cell.kind != "exercise",
            "solution": cell.kind != "check",
            "locked": cell.kind == "check",
            "task": False,
            **graded,
        }
    }


def generate(lab: str, root: Path, record: bool = True) -> Path:
    """Write source/LAB/ in a course folder and run nbgrader's generate_assignment: release/LAB/LAB.ipynb.

    record: whether to enter the lab's graded cells into the gradebook, as for a class. Raises LabError, and
    leaves both folders as they are, when nbgrader fails, for example when a lab with submissions has lost or
    gained graded cells.
    """
    written = nbformat.writes(source_notebook(lab)).encode()
    root.mkdir(parents=True, exist_ok=True)
    for old in root.glob(f"{DRAFT}*"):  # of one that was killed, which nothing else removes
        if time.time() - old.stat().st_mtime > AN_HOUR:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=root) as draft:  # a failure leaves the old release
        files.write_whole(Path(draft, "source", lab, f"{lab}.ipynb"), written)
        settings = course.config()
        settings.CourseDirectory.update(root=draft, assignment_id=lab)
        settings.SaveCells.enabled = record
        settings.GenerateAssignment.update(no_database=not record, force=True)
        sentence = f"nbgrader cannot make the student version of {lab}"
        try:
            nbgrader_quiet.run(GenerateAssignment, settings, sentence)
        except LabError as problem:
            raise LabError(f"{problem}{INSTEAD}") if ADDED in str(problem) else problem from None
        made = Path(draft, "release", lab, f"{lab}.ipynb").read_bytes()
    files.write_whole(root / "source" / lab / f"{lab}.ipynb", written)
    files.write_whole(root / "release" / lab / f"{lab}.ipynb", made)
    return root / "release" / lab / f"{lab}.ipynb"


def student_notebooks(labs: list[str] | None = None) -> dict[Path, bytes]:
    """The expected contents of notebooks/ for these labs, by default for all."""
    names = _named(labs)
    with tempfile.TemporaryDirectory() as root:
        made = {
            name: generate(name, Path(root), record=False).read_text("utf-8")
            for name in bar(names, "student versions")
        }
    return {course.notebook(name): (text.rstrip("\n") + "\n").encode() for name, text in made.items()}


def build(labs: list[str] | None = None) -> list[Path]:
    """Write the notebooks and given answers of these labs, by default of all; the notebooks' paths."""
    notebooks = student_notebooks(labs)
    for path, data in (notebooks | answers.files(_named(labs))).items():
        files.write_whole(path, data)
    return list(notebooks)


def drift(labs: list[str] | None = None) -> list[str]:
    """One sentence for every built file that differs in any byte from a fresh build."""
    expected = student_notebooks(labs)
    found = []
    for path, data in answers.files(_named(labs)).items():
        if not path.is_file() or path.read_bytes() != data:
            found.append(f"labsupport/given/exercises/{path.name} is not what solutions/ gives: {REBUILD}.")
    for path, data in expected.items():
        if not path.is_file():
            found.append(f"{_short(path)} is missing: {REBUILD}.")
        elif path.read_bytes() != data:
            found.append(f"{_short(path)} is not what solutions/{path.stem}.py gives: {REBUILD}.")
    folders = [course.NOTEBOOKS] if labs is None else sorted({path.parent for path in expected})
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        hidden = any(part.startswith(".") for part in path.relative_to(course.NOTEBOOKS).parts)
        if path not in expected and not hidden:
            found.append(f"{_short(path)} comes from no source: remove it.")
    return found


def _named(labs: list[str] | None) -> list[str]:
    return course.labs() if labs is None else [course.lab(name) for name in labs]


def _short(path: Path) -> str:
    return str(Path("notebooks") / path.relative_to(course.NOTEBOOKS))
