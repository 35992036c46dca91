"""`python -m labsupport check`: is what a student reads there what the Validate button says?"""

import json
import logging

import nbformat
import pytest
from jupyter_client.kernelspec import NoSuchKernel
from nbformat import v4
from nbgrader.apps import NbGrader
from nbgrader.preprocessors import Execute
from nbgrader.utils import compute_checksum
from nbgrader.validator import Validator

from grader import course
from grader.author import notebooks
from labsupport import checking
from labsupport.__main__ import main
from labsupport.checking import CHANGED, FAILED, NOT_RUN, NOT_YET, PASSED, UNWRITTEN, WRITTEN

pytestmark = pytest.mark.lengthy

RIGHT = {
    "sparsity": "def sparsity(mask):\n    return (~mask).sum().item() / mask.numel()",
    "linear_macs": "def linear_macs(out, columns, tokens):\n    return out * columns * tokens",
    "reflection": "Because zeros are stored as well.",
}
STUB = "def {}(*_arguments):\n    raise NotImplementedError()"
EMPTY = "YOUR ANSWER HERE"
UNTOUCHED = {
    "sparsity": STUB.format("sparsity"),
    "linear_macs": STUB.format("linear_macs"),
    "reflection": EMPTY,
}
NOISY = "import sys, warnings\n\n" + RIGHT["sparsity"].replace(
    "\n", "\n    warnings.warn('loud')\n    print('progress', file=sys.stderr)\n"
)
NOTEBOOKS = {  # cells by name, and how each stands
    "right": (RIGHT, [PASSED, PASSED, WRITTEN]),
    "untouched": (UNTOUCHED, [UNWRITTEN, UNWRITTEN, UNWRITTEN]),
    "wrong": (
        RIGHT | {
            "sparsity": "def sparsity(mask):\n    return mask.double().mean().item()",
            "linear_macs": "def linear_macs(out, columns, tokens):\n    return 2 * out * columns * tokens",
        },
        [NOT_YET, NOT_YET, WRITTEN],
    ),
    "broken": (RIGHT | {"sparsity": "def sparsity(mask:\n    return 0"}, [FAILED, PASSED, WRITTEN]),
    "noisy": (UNTOUCHED | {"sparsity": NOISY}, [PASSED, UNWRITTEN, UNWRITTEN]),
}  # fmt: skip


def graded(name: str, source: str, make=v4.new_code_cell, handed_out: str | None = None, **kind):
    cell = make(source, id=name)
    kind = {"grade": False, "solution": False, "locked": False, "task": False, **kind}
    cell.metadata["nbgrader"] = {"schema_version": 3, "grade_id": name, "cell_type": cell.cell_type, **kind}
    same = make(source if handed_out is None else handed_out, id=name, metadata=cell.metadata)
    cell.metadata["nbgrader"]["checksum"] = compute_checksum(same)
    return cell


def exercise(name: str, source: str, check: str = "") -> list:
    line = f"check.{name}({name})"
    return [
        graded(name, source, handed_out=STUB.format(name), solution=True),
        graded(f"check_{name}", check or line, handed_out=line, grade=True, locked=True, points=2),
    ]


def notebook(cells: dict[str, str], check: str = "") -> nbformat.NotebookNode:
    parts = [
        v4.new_code_cell("from labsupport import check"),
        *exercise("sparsity", cells["sparsity"], check),
    ]
    parts += exercise("linear_macs", cells["linear_macs"])
    question = {"grade": True, "solution": True, "points": 3, "handed_out": EMPTY}
    parts.append(graded("reflection", cells["reflection"], v4.new_markdown_cell, **question))
    return v4.new_notebook(cells=parts, metadata=notebooks.METADATA)


def written(folder, made) -> checking.Path:
    path = folder / "02_sample.ipynb"
    nbformat.write(made, path)
    return path


def statuses(findings) -> list[str]:
    return [finding.status for finding in findings]


USUAL = ("right",)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in USUAL else pytest.mark.thorough) for case in NOTEBOOKS]
)
@pytest.mark.thorough
def test_the_button_says_the_same(case, tmp_path, capsys):
    """What nbgrader's Validate calls failed is not done here, cell by cell, and the other way round."""
    cells, expected = NOTEBOOKS[case]
    path = written(tmp_path, notebook(cells))
    before = path.read_bytes()
    button = Validator(parent=None, log=logging.getLogger("quiet"))
    button.config.ExecutePreprocessor.timeout = 300
    complained = {failed["source"] for failed in button.validate(str(path)).get("failed", [])}
    findings = checking.check(path)
    assert statuses(findings) == expected
    sources = {cell.id.removeprefix("check_"): cell.source for cell in notebook(cells).cells if cell.metadata}
    sources |= {name: f"check.{name}({name})" for name in ("sparsity", "linear_macs")}
    assert complained == {sources[finding.name] for finding in findings if not finding.fine}
    assert path.read_bytes() == before


def test_what_a_student_reads(tmp_path, capsys):
    """One line an exercise, then the judge's message with the named mistake; exit code 1."""
    cells = UNTOUCHED | {"sparsity": NOTEBOOKS["wrong"][0]["sparsity"]}
    assert main(["check", str(written(tmp_path, notebook(cells)))]) == 1
    said = capsys.readouterr().out
    assert "  sparsity     not yet          2 of 8 parts pass\n" in said
    assert "  linear_macs  not written yet\n" in said
    assert "sparsity: not yet (2 of 8 parts pass)\n\n  It looks as if the share of the kept" in said
    assert "\n  passed    one Python number\n" in said
    assert said.endswith("\n0 of 3 done.\n")
    assert all(len(line) <= 83 for line in said.splitlines())


def test_all_done(tmp_path, capsys):
    """Exit code 0 when nothing is left to do."""
    assert main(["check", str(written(tmp_path, notebook(RIGHT)))]) == 0
    assert capsys.readouterr().out.endswith("\nAll done.\n")


def test_an_edited_check_is_no_pass(tmp_path):
    """Who writes `pass` into a check cell is told, by the button as well."""
    path = written(tmp_path, notebook(UNTOUCHED, check="pass"))
    assert Validator().validate(str(path))["changed"] == [{"source": "pass"}]
    assert statuses(checking.check(path)) == [CHANGED, UNWRITTEN, UNWRITTEN]


def test_a_kernel_that_dies(tmp_path):
    """What ran before keeps its verdict; what did not run is no pass."""
    cells = RIGHT | {"linear_macs": "import os\nos._exit(0)"}
    assert statuses(checking.check(written(tmp_path, notebook(cells)))) == [PASSED, NOT_RUN, WRITTEN]


def test_a_cell_without_end(tmp_path, monkeypatch):
    """A loop is ended, the rest is run, and the exercise says why it failed."""
    monkeypatch.setattr(checking.waits, "AT_HOME", 4)
    cells = [*exercise("one", "while True:\n    pass", "one()"), *exercise("two", "def two(): pass", "two()")]
    for cell in cells:
        cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
    one, two = checking.check(written(tmp_path, v4.new_notebook(cells=cells, metadata=notebooks.METADATA)))
    assert (one.status, two.status) == (FAILED, PASSED)
    assert one.message.startswith(("Timeout", "KeyboardInterrupt"))


AGAIN = exercise("sparsity", "")
for _number, _cell in enumerate(AGAIN):
    _cell.id = f"again-{_number}"
DOUBLE = v4.new_notebook(cells=[*notebook(RIGHT).cells, *AGAIN], metadata=notebooks.METADATA)
UNFIT = {
    "folder": (None, "is a directory"),
    "empty": ("", "is not a notebook."),
    "html": ("<html>log in</html>", "is not a notebook."),
    "list": ("[1, 2]", "is not a notebook."),
    "other json": (json.dumps({"cells": 3}), "is not a notebook."),
    "no checks": (nbformat.writes(v4.new_notebook()), "has no check cell"),
    "twice": (nbformat.writes(DOUBLE), "cannot be checked: "),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_checked(case, tmp_path, capsys):
    """One sentence that says why, and exit code 2, never a traceback."""
    text, phrase = UNFIT[case]
    path = tmp_path / "x.ipynb"
    path.mkdir() if text is None else path.write_text(text)
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert phrase.lower() in said.lower() and said.count("\n") == 1


def test_no_such_file(tmp_path, capsys):
    """A path that is mistyped is named."""
    assert main(["check", str(tmp_path / "nothing.ipynb")]) == 2
    assert (
        capsys.readouterr().err
        == f"{tmp_path / 'nothing.ipynb'} cannot be read: No such file or directory.\n"
    )


def test_no_kernel(tmp_path, monkeypatch, capsys):
    """An environment without a kernel is told so, in one sentence."""

    def fail(*_arguments, **_options):
        raise NoSuchKernel("python3")

    monkeypatch.setattr(checking.NotebookClient, "execute", fail)
    assert main(["check", str(written(tmp_path, notebook(RIGHT)))]) == 2
    assert capsys.readouterr().err == "No Python kernel can be started here: No such kernel named python3.\n"


def test_the_button_is_as_patient(monkeypatch):
    """JupyterLab started in this folder gives a cell as long as the command does, not half a minute.

    And a busy machine may be silent for longer than nbclient's 4 seconds.
    """
    monkeypatch.chdir(course.ROOT)
    button = NbGrader()
    button.load_config_file()
    execute = Execute(parent=Validator(config=button.config))
    assert (execute.timeout, execute.iopub_timeout) == (checking.waits.AT_HOME, checking.waits.IOPUB)
    assert checking.waits.IOPUB > 4
