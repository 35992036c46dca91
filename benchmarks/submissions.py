"""The class that is graded: right answers in several hands, typical mistakes, and what else comes in."""

import ast
import random
import re
from itertools import cycle, islice
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from benchmarks.measure import ROOT
from grader import course
from grader.author import notebooks
from labsupport import files
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
COUNT = 20
ANSWERS = ROOT / "tests" / "wrong_answers"
OWN = ""  # the answer of the lab itself
RIGHT = [  # magnitude_mask, prune_magnitude; two students may have written the same
    (OWN, OWN), ("right_kthvalue", OWN), (OWN, "right_by_product"), ("right_numpy", OWN),
    (OWN, OWN), ("right_topk", OWN), (OWN, "right_in_place"), (OWN, OWN),
    ("right_kthvalue", "right_in_place"), (OWN, "right_by_product"), (OWN, OWN),
]  # fmt: skip
MISTAKES = [
    ("magnitude_mask", "signed"), ("prune_magnitude", "lm_head_too"), ("magnitude_mask", "truncated"),
    ("prune_magnitude", "not_applied"), ("global_magnitude_masks", "own_thresholds"),
]  # fmt: skip
LOOP = "while True: pass\n"


def mixed(count: int = COUNT) -> dict[str, bytes]:
    """A class by student: of 20, 11 are right, 5 mistaken, and 4 came to less.

    Checks name most mistakes before anything is handed in, so more are right than wrong. Of the four, one
    has written 2.1 alone, one nothing, one loops for ever in prune_magnitude, and one file is damaged. A
    smaller class has the first of this order: right, mistaken, and so on in turn, then the others.
    """
    right, mistaken = _right(), _mistaken()
    pairs = [pair for both in zip(right, mistaken, strict=False) for pair in both]
    untouched = course.notebook(LAB).read_text("utf-8")
    begun = answered(nbformat.reads(untouched, as_version=4), {"magnitude_mask": own("magnitude_mask")})
    loop = answered(with_answers(), {"prune_magnitude": LOOP})
    others = [
        ("begun", nbformat.writes(begun)),
        ("untouched", untouched + "\n"),
        ("endless-loop", nbformat.writes(loop)),
        ("damaged", untouched[: len(untouched) // 2]),
    ]
    everyone = [*pairs, *right[len(mistaken) :], *others]
    return {student: text.encode() for student, text in everyone[:count]}


def crowd(count: int, loop: bool = True) -> dict[str, bytes]:
    """A large class in a real mix, no two files equal; a student is called NUMBER-KIND, a kind as in `mixed`.

    70 % are right in all ways, 20 % mistaken, 5 % unfinished, 5 % broken, in an order that is drawn once. Of
    the broken ones one loops for ever, the others are damaged files; loop: whether that one is there.
    """
    kinds = mixed()
    right = [kind for kind in kinds if kind.startswith("right")]
    wrong = [kind for kind in kinds if kind.startswith("wrong")]
    some = round(0.7 * count), round(0.2 * count), round(0.05 * count)
    drawn = [*_round(right, some[0]), *_round(wrong, some[1]), *_round(["begun", "untouched"], some[2])]
    drawn += ["endless-loop"] * loop
    drawn += ["damaged"] * (count - len(drawn))
    random.Random(0).shuffle(drawn)
    return {f"{number:03d}-{kind}": _own_copy(kinds[kind], number) for number, kind in enumerate(drawn)}


def kind(student: str) -> str:
    """The kind of a student of `crowd`, a key of `mixed`."""
    return student.partition("-")[2]


def _round(kinds: list[str], count: int) -> list[str]:
    return list(islice(cycle(kinds), count))


def _own_copy(text: bytes, number: int) -> bytes:
    """The file as another student would have it; a damaged one ends a little earlier."""
    try:
        notebook = nbformat.reads(text.decode(), as_version=4)
    except nbformat.reader.NotJSONError:
        return text[: -1 - number]
    return signed(notebook, f"number {number}").encode()


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
    """The whole lab, its own solution handed in."""
    return notebooks.solved_notebook(LAB)


def own(exercise: str) -> str:
    """The source of the lab's own answer."""
    cells = with_answers().cells
    return next(c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == exercise)


def answer(exercise: str, name: str) -> str:
    """The source of one of the answers that the judges are tested with, as a student would write it.

    It has the function under its own name, and what that needs; to prune a model it calls 2.1.
    """
    text = (ANSWERS / f"{exercise}.py").read_text("utf-8")
    parts = ast.parse(text).body
    made = {part.name: part for part in parts if isinstance(part, ast.FunctionDef | ast.ClassDef)}
    needed, rest = set(), {name}
    while rest:
        needed |= rest
        names = {each.id for one in rest for each in ast.walk(made[one]) if isinstance(each, ast.Name)}
        rest = (names & made.keys()) - needed
    chosen = [
        part
        for part in parts
        if not isinstance(part, ast.FunctionDef | ast.ClassDef) or part.name in needed - {"_mask"}
    ]
    sources = [ast.get_source_segment(text, part) or "" for part in chosen]
    renamed = {name: exercise, "_mask": "magnitude_mask"}
    return re.sub(r"\b\w+\b", lambda word: renamed.get(word[0], word[0]), "\n\n".join(sources[1:])) + "\n"


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
        files.write_whole(folder / "submitted" / student / LAB / f"{LAB}.ipynb", data)
