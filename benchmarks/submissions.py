"""The class that is graded: right answers in several hands, typical mistakes, and what else comes in."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from benchmarks.measure import ROOT
from grader import build, course
from labsupport.settings import LabError

LAB = "02_magnitude_pruning"
COUNT = 20
ANSWERS = ROOT / "tests" / "wrong_answers"
OWN = ""  # the answer of the lab itself
RIGHT = [  # magnitude_mask, prune_magnitude; two students may have written the same
    (OWN, OWN), ("right_kthvalue", OWN), ("right_topk", OWN), (OWN, "right_by_product"),
    (OWN, OWN), ("right_kthvalue", "right_in_place"), ("right_topk", OWN), (OWN, "right_in_place"),
]  # fmt: skip
MISTAKES = [
    ("magnitude_mask", "inverted"), ("magnitude_mask", "signed"), ("magnitude_mask", "truncated"),
    ("magnitude_mask", "fails_at_zero"), ("prune_magnitude", "not_applied"),
    ("prune_magnitude", "lm_head_too"), ("prune_magnitude", "one_threshold"),
    ("global_magnitude_masks", "own_thresholds"),
]  # fmt: skip
LOOP = "while True: pass\n"


def mixed(count: int = COUNT) -> dict[str, bytes]:
    """A class by student: of 20, 8 are right, 8 mistaken, 2 untouched, 1 loops for ever, 1 is damaged.

    The loop is in the cell of prune_magnitude. A smaller class has the first of this order: right,
    mistaken, and so on in turn, then the others.
    """
    pairs = [pair for both in zip(_right(), _mistaken(), strict=True) for pair in both]
    untouched = course.notebook(LAB).read_text("utf-8")
    loop = answered(with_answers(), {"prune_magnitude": LOOP})
    others = [
        ("untouched-1", untouched + "\n"),
        ("untouched-2", untouched + "\n\n"),
        ("endless-loop", nbformat.writes(loop)),
        ("damaged", untouched[: len(untouched) // 2]),
    ]
    return {student: text.encode() for student, text in [*pairs, *others][:count]}


def _right() -> list[tuple[str, str]]:
    found = []
    for number, (mask, prune) in enumerate(RIGHT, start=1):
        chosen = {"magnitude_mask": mask, "prune_magnitude": prune}
        sources = {exercise: answer(exercise, name) for exercise, name in chosen.items() if name}
        found.append((f"right-{number}", signed(answered(with_answers(), sources), f"right {number}")))
    return found


def _mistaken() -> list[tuple[str, str]]:
    found = []
    for exercise, name in MISTAKES:
        notebook = answered(with_answers(), {exercise: answer(exercise, name)})
        found.append((f"wrong-{name}".replace("_", "-"), nbformat.writes(notebook)))
    return found


def with_answers() -> NotebookNode:
    """The whole lab as a student hands it in who wrote what the lab's own solution says."""
    notebook = build.source_notebook(LAB)
    notebook.cells = [cell for cell in notebook.cells if "answer" not in cell.metadata.get("tags", [])]
    return notebook


def answer(exercise: str, name: str) -> str:
    """The source of one of the answers that the judges are tested with."""
    return f"{(ANSWERS / f'{exercise}.py').read_text('utf-8')}\n\n{exercise} = {name}\n"


def answered(notebook: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    """The notebook with other sources in these exercises' cells."""
    places = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for exercise, text in sources.items():
        if exercise not in places:
            raise LabError(f"{LAB} has no exercise called '{exercise}'.")
        places[exercise].source = text
    return notebook


def signed(notebook: NotebookNode, name: str) -> str:
    """The notebook's text with a comment of the student's, so that no two files are equal."""
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source += f"\n# {name}"
    return nbformat.writes(notebook)


def without_course_model(number: int) -> bytes:
    """A submission that answers magnitude_mask alone: matrices of a few numbers, and no model."""
    kept = ("magnitude_mask", "check_magnitude_mask")
    notebook = nbformat.read(course.notebook(LAB), as_version=4)
    right = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in with_answers().cells
             if "nbgrader" in cell.metadata}  # fmt: skip
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {}).get("grade_id")
        if mark in kept:
            cell.source = right[mark].source
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    notebook.cells = [cell for cell in notebook.cells if cell is first or "nbgrader" in cell.metadata]
    return signed(notebook, f"student {number}").encode()


def hand_in(folder: Path, submissions: dict[str, bytes]) -> None:
    """Put the class where both graders look for it: submitted/STUDENT/LAB/LAB.ipynb."""
    for student, data in submissions.items():
        course.write_whole(folder / "submitted" / student / LAB / f"{LAB}.ipynb", data)
