"""Whole labs handed in: right gets everything, untouched nothing, wrong what the judge says."""

import inspect
import re

import nbformat
import pytest

from grader import course
from grader.author import given, notebooks, reference
from grader.author.given import withheld
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.grade.examiner import hidden_seed
from grader.sandbox.run import Limits
from grader.status import Status
from labsupport import files, settings
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from tests.check.judge.test_answers import FOLDER, answers

pytestmark = pytest.mark.sandbox

LIMITS = Limits(cell_seconds=200, total_seconds=900)
ROUNDS = 2  # wrong answers of each exercise that are handed in as notebooks


def wrong_answers(exercise: str) -> list:
    """Some functions that answer an exercise wrongly, the first of them by name."""
    found = [param.values for param in answers() if param.values[0] == exercise]
    return [(name, function) for _, name, function in found if not name.startswith(("right_", "not_written"))]


def exercises(lab: str) -> list[str]:
    return list(reference.functions(lab))


def right(lab: str) -> nbformat.NotebookNode:
    """The lab's own solution: imports, answers, checks."""
    notebook = notebooks.source_notebook(lab)
    notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata or imports(cell)]
    return notebook


def imports(cell) -> bool:
    lines = cell.source.splitlines()
    return cell.cell_type == "code" and all(
        line.startswith(("import ", "from ")) or not line for line in lines
    )


def carried(text: str, lab: int) -> str:
    """An answer with the implementations that it imports and that its lab is not given, typed in.

    Every other line keeps its number, which a message may tell.
    """
    for file in withheld(lab, grading=True):
        module = file.removesuffix(".py")
        for old, name in re.findall(rf"^(from labsupport\.given import {module}(?: as (\w+))?)$", text, re.M):
            name = name or module
            source = (given.FOLDER / file).read_text()
            new = f"import types; {name} = types.ModuleType({name!r}); exec({source!r}, vars({name}))"
            text = text.replace(old, new)
    return text


def wrong(lab: str, turn: int) -> nbformat.NotebookNode:
    """A notebook whose every exercise has one of the wrong answers, as a student would have typed it."""
    notebook = right(lab)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in EXERCISES:
            chosen, _ = wrong_answers(name)[turn]
            text = carried((FOLDER / f"{name}.py").read_text(), course.number(lab))
            cell.source = text + f"\n\n{name} = {chosen}\n"
    return notebook


SHORT = {"02_magnitude_pruning"}  # the others say the same
KINDS = {
    "00_start_here",
    "05_structured_pruning",
    "09_sparsegpt",
    "10_depth",
    "11_on_device",
    "12_challenge",
}  # of exercises
EACH = [
    pytest.param(
        lab, marks=() if lab in SHORT else pytest.mark.thorough if lab in KINDS else pytest.mark.rare
    )
    for lab in course.labs()
]


@pytest.fixture(scope="module", params=EACH)
def graded(request, tmp_path_factory, course_seed):
    """One lab handed in right, untouched and wrong: its name and the records by student."""
    lab = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(tmp_path_factory.mktemp("labs")))
        (course.folder() / "seed").write_text(course_seed)
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        release([lab])
        handed_in = {"right": right(lab), "untouched": nbformat.read(course.notebook(lab), as_version=4)}
        handed_in |= {f"wrong-{turn}": wrong(lab, turn) for turn in range(ROUNDS)}
        for student, notebook in handed_in.items():
            path = course.folder() / "submitted" / student / lab / f"{lab}.ipynb"
            files.write_whole(path, nbformat.writes(notebook).encode())
        yield lab, {record.student: record for record in grade_class(lab, workers=2, limits=LIMITS)}


def test_right_gets_everything(graded):
    """The reference solution, handed in as a student would, gets full marks."""
    lab, records = graded
    record = records["right"]
    assert record.status == Status.GRADED
    assert record.verdicts.keys() == set(exercises(lab))
    assert record.score() == record.points() > 0, [v.message() for v in record.verdicts.values()]


def test_untouched_gets_nothing(graded):
    """The release itself earns nothing, each exercise 'not written yet'."""
    lab, records = graded
    record = records["untouched"]
    assert record.score() == 0
    assert [verdict.status for verdict in record.verdicts.values()] == ["unwritten"] * len(exercises(lab))
    assert all("not written yet" in verdict.message() for verdict in record.verdicts.values())


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_wrong_gets_what_the_judge_says(graded, turn):
    """Through notebook, sandbox and socket a wrong answer scores what the judge gives it directly."""
    lab, records = graded
    for name in exercises(lab):
        _, function = wrong_answers(name)[turn]
        exercise = EXERCISES[name]
        cases = exercise.cases(hidden_seed(course.seed(), name))
        direct = judge(exercise, cases, lambda case: answer_here(name, function, case.inputs))  # noqa: B023
        found = records[f"wrong-{turn}"].verdicts[name]
        assert (found.status, found.share) == (direct.status, direct.share), found.message()
        assert found.message() == direct.message()
        assert inspect.getdoc(function) in " ".join(found.message().split())


def test_settings_are_those_of_the_class(graded):
    """The course model of this class is the tiny one, here and in the sandbox."""
    assert settings.current().model == "tiny"
