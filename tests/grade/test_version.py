"""One digest of the judging code: whoever mends a judge has everything that it judged judged anew."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from grader import course
from grader.author import notebooks
from tests.sample import few

LAB = "00_start_here"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "course", "build", "__pycache__", ".*_cache", "*.egg-info")
NAMES = ("grader", "labsupport", "solutions", "notebooks", "pyproject.toml")
WRONG = "def sparsity(mask):\n    return mask.float().mean().item()\n"
BY_HAND = """
from nbgrader.api import Gradebook
from grader import course
with Gradebook(course.gradebook_url(), "pruning-labs") as book:
    grade = book.find_grade("check_sparsity", "00_start_here", "00_start_here", "ben")
    grade.manual_score = 0.5
    book.db.commit()
"""
REMEMBER = """
import sys
from pathlib import Path
from grader.grade import version
from labsupport.check.judge.kit import memo
memo.folder, memo.version = Path(sys.argv[1]), version.code()
print(memo.number("a number", {}, {}, lambda: float(sys.argv[2])))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of what grades, and how to run Python there on the tiny model."""
    root = tmp_path / "copy"
    for name in NAMES:
        source = course.ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, root / name)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {
        "PRUNING_LABS_MODEL": "tiny", "PRUNING_LABS_COURSE": str(tmp_path / "course"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(root),
    }  # fmt: skip

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    return root, run


def hand_in(folder, student: str) -> None:
    notebook = notebooks.solved_notebook(LAB)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "sparsity":
            cell.source = WRONG
    path = folder / "submitted" / student / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def points(folder, run) -> dict[str, str]:
    """The scores of the table, by student."""
    run("-m", "grader", "grades", "00", "--csv", str(folder / "grades.csv"))
    lines = [line.split(",") for line in (folder / "grades.csv").read_text().splitlines()]
    return {line[0]: line[lines[0].index("sparsity")] for line in lines[1:]}


@pytest.mark.sandbox
@pytest.mark.slow
def test_a_mended_judge_judges_anew(copy, tmp_path):
    """What a broken judge accepted is refused once it is mended; what a person gave stands."""
    (root, run), folder = copy, tmp_path / "course"
    judge = root / "labsupport" / "check" / "judge" / "lab00" / "sparsity.py"
    right = judge.read_text()
    assert "            raise shown()" in right
    judge.write_text(right.replace("            raise shown()", "            pass"))
    run("-m", "grader", "release", "00")
    for student in ("ada", "ben"):
        hand_in(folder, student)
    run("-m", "grader", "grade", "00")
    assert points(folder, run) == {"ada": "1", "ben": "1"}
    run("-c", BY_HAND)
    before = (folder / "journal" / LAB / "ada.json").read_text()
    run("-m", "grader", "grade", "00")
    assert (folder / "journal" / LAB / "ada.json").read_text() == before  # nothing changed: nothing is done
    judge.write_text(right)
    run("-m", "grader", "grade", "00")
    after = json.loads((folder / "journal" / LAB / "ada.json").read_text())
    assert after["version"] != json.loads(before)["version"]
    assert points(folder, run) == {"ada": "0", "ben": "0.5"}


READ = ["labsupport/given/masks.py", "labsupport/check/judge/kit/pruned.py"]  # by what makes a reference


@pytest.mark.lengthy
@pytest.mark.parametrize("file", few(READ, of=READ[:1]))
def test_a_stale_reference_is_not_used(copy, tmp_path, file):
    """A number that was kept under other code is measured again; under the same code it is not."""
    root, run = copy
    references = str(tmp_path / "references")
    assert run("-c", REMEMBER, references, "1") == "1.0\n"
    assert run("-c", REMEMBER, references, "2") == "1.0\n"
    with (root / file).open("a") as mended:
        mended.write("\n# mended\n")
    assert run("-c", REMEMBER, references, "3") == "3.0\n"
