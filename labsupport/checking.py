"""`python -m labsupport check NOTEBOOK`: the verdicts of the Validate button, exercise by exercise.

Every cell runs in a fresh kernel; no file is written. As with the button, nbgrader decides whether a
cell passes. The messages are those of the checks.
"""

import json
import os
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import CheckCellMetadata, ClearOutput

from labsupport import waits
from labsupport.check import VERDICTS
from labsupport.check.judge.kit.verdict import Ending, Verdict
from labsupport.errors import LabError, reason
from labsupport.progress import bar
from labsupport.table import columns

PASSED, NOT_YET, UNWRITTEN, FAILED, NOT_RUN = "passed", "not yet", "not written yet", "failed", "not run"
CHANGED, WRITTEN = "changed", "written"  # WRITTEN: an answer in prose, which a person grades
GIVEN = "given"  # the exercise takes the course's own function
LATE = {"ename": "Timeout", "evalue": f"it ran for more than {waits.AT_HOME} s", "traceback": []}


@dataclass(frozen=True)
class Finding:
    """The result of one graded cell: exercise or question, status, and the full reason.

    starred: whether it has no points, so that nothing is missing without it.
    """

    name: str
    status: str
    detail: str = ""  # a few words
    message: str = ""  # the judge's message, or the error
    starred: bool = False

    @property
    def fine(self) -> bool:
        """Whether the cell passes, waits for a person, takes a given function, or has no points."""
        return self.starred or self.status in (PASSED, WRITTEN, GIVEN)


def check(path: Path) -> list[Finding]:
    """Run a notebook in a fresh kernel; the finding on each graded cell. Raises LabError."""
    notebook = read(path)
    ran, verdicts = run(notebook, path.parent)
    return [
        replace(finding(cell, notebook, index in ran, verdicts), starred=not cell.metadata.nbgrader.points)
        for index, cell in enumerate(notebook.cells)
        if utils.is_grade(cell)
    ]


def read(path: Path) -> NotebookNode:
    """Read a notebook and drop its outputs. Raises LabError unless it has graded cells."""
    try:
        with warnings.catch_warnings(action="ignore"):  # nbformat warns of duplicate and missing cell ids
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except OSError as problem:
        raise LabError(f"{path} cannot be read: {problem.strerror}.") from problem
    except Exception as problem:  # not UTF-8, not JSON, or not a notebook
        raise LabError(f"{path} is not a notebook.") from problem
    if not any(utils.is_grade(cell) for cell in notebook.cells):
        raise LabError(f"{path} has no check cell, so there is nothing to check.")
    try:
        notebook, _ = CheckCellMetadata().preprocess(notebook, {})
    except Exception as problem:
        raise LabError(
            f"{path} cannot be checked: {reason(problem)}. Copy your functions into a fresh notebook."
        ) from problem
    return ClearOutput().preprocess(notebook, {})[0]


def run(notebook: NotebookNode, folder: Path) -> tuple[set[int], dict[str, Verdict]]:
    """Run all cells in order; an error does not stop the run.

    Returns the indices of the cells that the kernel survived, and the last verdict on each exercise.
    """
    ran: set[int] = set()
    codes = sum(cell.cell_type == "code" for cell in notebook.cells)

    def after(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        ran.add(cell_index)
        reply = execute_reply["content"]
        if reply["status"] == "error" and not any(out.output_type == "error" for out in cell.outputs):
            told = {key: reply[key] for key in ("ename", "evalue", "traceback")}
            cell.outputs.append(nbformat.v4.new_output("error", **told))
        progress.update()

    client = NotebookClient(
        notebook, kernel_name="python3", timeout=waits.AT_HOME, allow_errors=True, interrupt_on_timeout=True,
        error_on_timeout=LATE, on_cell_executed=after, resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    with bar(total=codes, what="cells") as progress, tempfile.TemporaryDirectory() as place:
        told = Path(place, "verdicts")  # the checks write their verdicts there as JSON lines
        env = {**os.environ, VERDICTS: str(told)}
        try:
            client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        except DeadKernelError:
            pass  # the earlier cells keep their verdicts
        except (NoSuchKernel, OSError, RuntimeError) as problem:
            raise LabError(f"No Python kernel can be started here: {problem}.") from problem
        lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    verdicts = [msgspec.convert(json.loads(line), Verdict) for line in lines]
    return ran, {verdict.exercise: verdict for verdict in verdicts}


def finding(cell: NotebookNode, notebook: NotebookNode, ran: bool, verdicts: dict[str, Verdict]) -> Finding:
    """The finding on one graded cell: the status by nbgrader, the message by the check."""
    name = cell.metadata.nbgrader.grade_id.removeprefix("check_")
    if changed(cell):
        return Finding(name, CHANGED, "grading puts the check back as it was handed out")
    score, most = utils.determine_grade(cell)
    if score is None:
        return Finding(name, WRITTEN, "a person grades it")
    if cell.cell_type != "code":
        return Finding(name, UNWRITTEN)
    if not ran:
        return Finding(name, NOT_RUN, "the kernel died before: out of memory, or ended by a cell")
    if score == most and not utils.has_failed(cell):  # of 0 points, a cell that failed has all
        told = verdicts.get(name)
        if told and told.status == Ending.GIVEN:
            return Finding(name, GIVEN, "0 points")
        return Finding(name, PASSED, told.condition() if told else "")
    return failure(name, cell, notebook, verdicts.get(name))


def failure(name: str, cell: NotebookNode, notebook: NotebookNode, verdict: Verdict | None) -> Finding:
    """The finding on a check that ran and did not pass."""
    message = error(cell)
    if message is None:
        loud = "".join(out.text for out in cell.outputs if out.get("name") == "stderr").strip()
        said = loud or "It shows a number, which nbgrader takes for points."
        return Finding(name, FAILED, "the check cell shows what it should not", said)
    if verdict and verdict.status == Ending.UNWRITTEN:
        return Finding(name, UNWRITTEN, verdict.cause)
    if verdict and verdict.status == Ending.WRONG:
        return Finding(name, NOT_YET, f"{verdict.passed} of {verdict.total} parts pass", verdict.message())
    if verdict and verdict.status == Ending.FAULT:
        return Finding(name, FAILED, "the check itself failed", verdict.message())
    for other in notebook.cells:  # the cell that defines its function failed
        if other.metadata.get("nbgrader", {}).get("grade_id") == name and (why := error(other)):
            return Finding(name, FAILED, "its cell ends with an error", why)
    return Finding(name, FAILED, "the check cell ends with an error", message)


def error(cell: NotebookNode) -> str | None:
    """Name and text of the error that ended a cell, or None."""
    for out in cell.get("outputs", []):
        if out.output_type == "error":
            return f"{out.ename}: {out.evalue}"
    return None


def changed(cell: NotebookNode) -> bool:
    """Whether a locked cell differs from the release, or a graded cell has another type."""
    graded = cell.metadata.nbgrader
    retyped = graded.get("cell_type", cell.cell_type) != cell.cell_type
    return retyped or (graded.locked and graded.get("checksum", "") != utils.compute_checksum(cell))


def report(path: Path) -> tuple[str, bool]:
    """The findings as text, and whether all cells are fine."""
    start = time.perf_counter()
    findings = check(path)
    seconds = time.perf_counter() - start
    rows = [[each.name + ", starred" * each.starred, each.status, each.detail] for each in findings]
    blocks = [
        f"{path.name}, all cells in a fresh kernel, {seconds:.0f} s",
        "\n".join(f"  {line}" for line in columns(["", "", ""], rows, left=3).splitlines()[2:]),
    ]
    for each in findings:
        if each.message:
            known = each.message.startswith("Check ")
            blocks.append(each.message.rstrip() if known else f"{each.name}: {each.detail}\n\n{each.message}")
    counting = [each for each in findings if not each.starred]
    done = sum(each.fine for each in counting)
    blocks.append("All done." if done == len(counting) else f"{done} of {len(counting)} done.")
    return "\n\n".join(blocks), done == len(counting)
