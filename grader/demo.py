"""`make demo`: grade a small class of lab 02, from release to report with the real model and the real text.

A small class is made from the lab's own source: one student has everything right, one makes typical
mistakes, one hands in the untouched notebook, one is hostile. They are graded like any class.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import nbformat

from grader import course
from grader.author import notebooks, reference
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.grade.journal import Judged, Record
from grader.results import gradebook, report, table
from labsupport import corpora, files, models, settings
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError
from labsupport.given.perplexity import perplexity
from labsupport.table import columns

LAB = "02_magnitude_pruning"
SPARSITIES = (0.0, 0.3, 0.4, 0.5, 0.6)
MISTAKES = {  # mistakes to plant: right line -> wrong line
    "k = round(sparsity * weight.numel())": "k = int(sparsity * weight.numel())",
    "linears.apply_masks(model, masks)\n    return masks": "return masks",
    "keep = magnitude_mask(every, sparsity)": "keep = ~magnitude_mask(every, sparsity)",
}
HOSTILE = """\
import os, torch
torch.equal = lambda *_: True
print("<script>alert('graded: 100 points')</script>")
os._exit(0)
"""


def run() -> None:
    """Run the demo and print its results."""
    print("1. Do the student notebooks match their sources?")
    if differences := notebooks.drift():
        raise LabError("\n".join(differences))
    print("   Yes, byte for byte.\n")
    print("2. What magnitude pruning does to the model")
    print(sweep())
    folder = course.workplace() / "build" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    os.environ["PRUNING_LABS_COURSE"] = str(folder)
    print("\n3. A class hands in lab 02: release, grade, gradebook, feedback, report")
    zipped = release([LAB])
    hand_in(folder)
    records = grade_class(LAB)
    gradebook.hand_over(LAB, records)
    pages = gradebook.feedback(LAB)
    page = report.write(LAB, folder / "report.html")
    grades = table.write_csv(LAB, folder / "grades.csv")
    print(indented(grade_table(records)))
    for record in records:
        print(f"\n   {record.student}: {record.status}{': ' + record.reason if record.reason else ''}")
        for name, verdict in record.verdicts.items():
            print(f"      {name:<24} {named(verdict)}")
    untouched = next(record for record in records if record.student == "cleo-untouched")
    if any(verdict.status != Ending.UNWRITTEN for verdict in untouched.verdicts.values()):
        raise LabError("The untouched notebook did not fail every check with 'not written yet'.")
    print("\n   Written answers wait for a person: formgrader shows them.")
    for what, path in {"students' zip": zipped, "grades": grades, "report": page, "feedback": pages}.items():
        print(f"   {what:<14} {path.relative_to(course.workplace())}")


def sweep() -> str:
    """Perplexity by sparsity: the reference solution on the course model and the course text."""
    now = settings.current()
    tokenizer = models.tokenizer()
    prune = reference.functions(LAB)["prune_magnitude"]
    windows = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
    rows = []
    for sparsity in SPARSITIES:
        model = models.load()
        if sparsity:
            prune(model, sparsity)
        rows.append([f"{sparsity:.0%}" if sparsity else "dense", f"{perplexity(model, windows):.2f}"])
    print(f"   {now.model} on {now.text}, {len(windows)} windows of {now.window} tokens")
    return indented(columns(["sparsity", "perplexity"], rows))


def hand_in(folder: Path) -> None:
    """Four submissions in the layout of collected ones."""
    right = notebooks.solved_notebook(LAB)
    wrong: Any = nbformat.from_dict(right)
    hostile: Any = nbformat.from_dict(right)
    for mark, (before, after) in enumerate(MISTAKES.items()):
        if not any(before in cell.source for cell in right.cells):
            raise LabError(f"The demo's mistake {mark + 1} fits no line of {LAB}.")
        for cell in wrong.cells:
            cell.source = cell.source.replace(before, after)
    solution = next(
        c
        for c in hostile.cells
        if c.get("metadata", {}).get("nbgrader", {}).get("grade_id") == "prune_magnitude"
    )
    solution.source = HOSTILE
    untouched = nbformat.read(course.notebook(LAB), as_version=4)
    students = {
        "ada-right": right,
        "ben-mistakes": wrong,
        "cleo-untouched": untouched,
        "mallory-hostile": hostile,
    }
    for student, notebook in students.items():
        path = folder / "submitted" / student / LAB / f"{LAB}.ipynb"
        files.write_whole(path, nbformat.writes(notebook).encode())


def grade_table(records: list[Record]) -> str:
    """Points by exercise, from the gradebook."""
    booked = gradebook.students(LAB)
    most = max(records, key=lambda record: len(record.verdicts)).verdicts
    names = [name for name, verdict in most.items() if verdict.points]
    rows = []
    for record in records:
        verdicts = [record.verdicts.get(name) for name in names]
        cells = [f"{verdict.earned:.1f}" if verdict else "-" for verdict in verdicts]
        book = booked.get(record.student)
        total = f"{book.score:.1f} of {book.max_score:.0f}" if book else "-"
        rows.append([record.student, *cells, total, record.status, f"{record.seconds:.0f} s"])
    return columns(["student", *names, "gradebook", "status", "time"], rows)


def named(verdict: Judged) -> str:
    """The mistake of a verdict, or its status, in one line."""
    if verdict.status == Ending.RIGHT:
        return f"all {verdict.total} parts pass"
    return "not written yet" if verdict.status == Ending.UNWRITTEN else verdict.headline()


def indented(text: str) -> str:
    """The text, indented by three columns."""
    return "\n".join(f"   {line}" for line in text.splitlines())
