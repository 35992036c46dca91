"""The way from a source to a student's notebook: nothing lost, nothing told, the same bytes each time."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from grader import course
from grader.author import answers, notebooks, source
from labsupport import files
from labsupport.check.judge import EXERCISES
from labsupport.errors import LabError

SAMPLE = '''\
# %% [markdown]
# # 02  A sample
#
# Prose.

# %%
import torch
from labsupport import check

# %% [markdown]
# ## 2.1 magnitude_mask

# %% exercise="magnitude_mask"
def magnitude_mask(weight: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay."""
    ### BEGIN SOLUTION
    secret_threshold = weight.abs().median()
    return weight.abs() > secret_threshold
    ### END SOLUTION

# %% check="magnitude_mask" points=3
check.magnitude_mask(magnitude_mask)

# %%
print("plain")

# %% [markdown]
# ## Question 1
#
# Which rows lose most?

# %% [markdown] written="magnitude_reflection" points=2
# Those with the secret small rows.

# %% [markdown] answer
# One point for the secret rubric.
'''
LAB = "02_sample"


@pytest.fixture
def labs(tmp_path, tmp_path_factory, monkeypatch):
    """A checkout with one sample lab; the course folder is elsewhere."""
    for name in ("solutions", "notebooks"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(course, "SOLUTIONS", tmp_path / "solutions")
    monkeypatch.setattr(course, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(answers, "FOLDER", tmp_path_factory.mktemp("exercises"))
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "solutions" / f"{LAB}.py").write_text(SAMPLE)
    return tmp_path


def built() -> nbformat.NotebookNode:
    notebooks.build()
    return nbformat.read(course.notebook(LAB), 4)


def by_id(notebook) -> dict:
    return {cell.id: cell for cell in notebook.cells}


# What becomes of each kind of cell


def test_an_exercise_becomes_a_stub(labs):
    cell = by_id(built())["magnitude_mask"]
    assert cell.source.endswith(
        '"""Which weights stay."""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )
    graded = cell.metadata.nbgrader
    assert (graded.grade, graded.solution, graded.locked) == (False, True, False)
    assert "editable" not in cell.metadata


def test_a_check_is_locked_and_has_its_points(labs):
    cell = by_id(built())["check_magnitude_mask"]
    graded = cell.metadata.nbgrader
    assert cell.source == "check.magnitude_mask(magnitude_mask)"
    assert (graded.grade, graded.solution, graded.locked, graded.points) == (True, False, True, 3)
    assert cell.metadata.editable is False


def test_a_written_question_asks_for_an_answer(labs):
    cell = by_id(built())["magnitude_reflection"]
    graded = cell.metadata.nbgrader
    assert cell.source == "YOUR ANSWER HERE (Question 1)"  # Validate shows this text and no name
    assert (graded.grade, graded.solution, graded.points) == (True, True, 2)


def test_a_student_notebook_tells_nothing(labs):
    (labs / "course").mkdir()
    (labs / "course" / "seed").write_text("123456789123456789\n")
    text = nbformat.writes(built())
    assert "secret" not in text
    assert "123456789123456789" not in text
    assert "secret" in nbformat.writes(notebooks.source_notebook(LAB))


def test_only_what_nbgrader_needs_is_kept(labs):
    """No outputs, no counts, no editor's metadata: a diff shows what an author changed."""
    notebook = built()
    assert notebook.metadata == notebooks.METADATA
    assert [cell.id for cell in notebook.cells] == [
        "02-001", "02-002", "02-003", "magnitude_mask", "check_magnitude_mask", "02-006", "02-007",
        "magnitude_reflection",
    ]  # fmt: skip
    for cell in notebook.cells:
        assert cell.metadata.keys() <= {"nbgrader", "deletable", "editable"}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
    nbformat.validate(notebook)


# The same bytes, and drift


@pytest.mark.lengthy
def test_another_process_gives_the_same_bytes(labs):
    (path,) = notebooks.build()
    code = (
        "import hashlib, sys; from pathlib import Path;"
        "from grader import course; from grader.author import notebooks;"
        "course.SOLUTIONS = Path(sys.argv[1]); (data,) = notebooks.student_notebooks().values();"
        "print(hashlib.sha256(data).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(course.SOLUTIONS)]
    run = subprocess.run(command, cwd=course.ROOT, env={**os.environ, "PYTHONHASHSEED": "1"}, check=True,
                         capture_output=True, text=True)  # fmt: skip
    assert run.stdout.strip() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert run.stderr == ""


@pytest.mark.thorough
@pytest.mark.lengthy
def test_nbgraders_own_command_gives_the_same_bytes(labs):
    """Who types `nbgrader generate_assignment`, or uses formgrader, releases the same notebook."""
    (path,) = notebooks.build()
    there = course.folder() / "source" / LAB / path.name
    files.write_whole(there, nbformat.writes(notebooks.source_notebook(LAB)).encode())
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", LAB]
    subprocess.run(command, cwd=course.prepare(), check=True, capture_output=True)
    released = (course.folder() / "release" / LAB / path.name).read_text()
    assert released.rstrip("\n") + "\n" == path.read_text()
    assert (course.folder() / "gradebook.db").exists()


def test_drift_sees_one_byte_and_a_missing_and_an_extra_file(labs):
    (path,) = notebooks.build()
    assert notebooks.drift() == []
    good = path.read_bytes()
    path.write_bytes(good.replace(b"Prose.", b"prose."))
    (sentence,) = notebooks.drift()
    assert sentence.startswith(f"notebooks/{LAB}/{LAB}.ipynb is not what solutions/{LAB}.py gives")
    path.write_bytes(good + b"\n")
    assert len(notebooks.drift()) == 1
    path.unlink()
    assert "is missing" in notebooks.drift()[0]
    notebooks.build()
    (path.parent / "old.ipynb").write_text("{}")
    assert (
        notebooks.drift()
        == notebooks.drift(["02"])
        == [f"notebooks/{LAB}/old.ipynb comes from no source: remove it."]
    )


def test_checkpoints_of_jupyter_are_no_drift(labs):
    (path,) = notebooks.build()
    files.write_whole(path.parent / ".ipynb_checkpoints" / path.name, b"{}")
    assert notebooks.drift() == []


def test_building_leaves_no_trace_elsewhere(labs):
    before = Path.cwd()
    notebooks.build()
    assert Path.cwd() == before
    assert not course.folder().exists()
    assert [path.name for path in labs.rglob("*") if path.is_file()] == [f"{LAB}.py", f"{LAB}.ipynb"]


@pytest.mark.lengthy
def test_generate_records_the_points_for_a_class(labs):
    from nbgrader.api import Gradebook

    course.folder().mkdir()
    released = notebooks.generate(LAB, course.folder())
    assert released == course.folder() / "release" / LAB / f"{LAB}.ipynb"
    with Gradebook(course.gradebook_url(), "pruning-labs") as gradebook:
        assert gradebook.find_assignment(LAB).max_score == 5
        cells = gradebook.find_notebook(LAB, LAB)
        assert {cell.name for cell in cells.grade_cells} == {"check_magnitude_mask", "magnitude_reflection"}


# A malformed source

CHECK = '# %% check="magnitude_mask" points=3\ncheck.magnitude_mask(magnitude_mask)\n'
MALFORMED = {
    "unknown exercise": (
        'exercise="magnitude_mask"',
        'exercise="wanda_mosk"',
        "knows no exercise of that name",
    ),
    "unknown check": ('check="magnitude_mask"', 'check="magnitude_mosk"', "knows no exercise of that name"),
    "no check": (CHECK, "", 'it has no check: write `# %% check="magnitude_mask"'),
    "check first": (
        '# %% exercise="',
        CHECK + '\n# %% exercise="',
        "no exercise of that name stands before it",
    ),
    "two checks": (CHECK, CHECK + "\n" + CHECK, "cell 5 is called check_magnitude_mask already"),
    "taken name": (
        'written="magnitude_reflection"',
        'written="magnitude_mask"',
        "called magnitude_mask already",
    ),
    "another check line": (
        "check.magnitude_mask(m",
        "print(); check.magnitude_mask(m",
        "is exactly the one line",
    ),
    "two check lines": ("(magnitude_mask)\n", "(magnitude_mask)\nprint()\n", "is exactly the one line"),
    "no points": (" points=3", "", "it needs points=N"),
    "negative points": ("points=2", "points=-1", "it needs points=N"),
    "points as text": ("points=3", 'points="3"', "it needs points=N"),
    "half points": ("points=3", "points=2.5", "it needs points=N"),
    "points elsewhere": (
        'exercise="magnitude_mask"',
        'exercise="magnitude_mask" points=3',
        "only a check or a wr",
    ),
    "no region": ("    ### BEGIN SOLUTION\n", "", "it has END SOLUTION"),
    "nothing to solve": ("### BEGIN SOLUTION", "# body", "it needs one solution region"),
    "no end": ("    ### END SOLUTION\n", "", "it has BEGIN SOLUTION"),
    "two regions": (
        "### END",
        "### END SOLUTION\n    ### BEGIN SOLUTION\n    ### END",
        "needs one solution region",
    ),
    "region in plain code": (
        'print("plain")',
        "### BEGIN SOLUTION\n1\n### END SOLUTION",
        "only an exercise cell",
    ),
    "region in prose": ("# Prose.", "# BEGIN SOLUTION", "only an exercise cell may hold BEGIN SOLUTION"),
    "misspelt header": (
        'exercise="magnitude_mask"',
        'excercise="magnitude_mask"',
        "its header is none of those",
    ),
    "misspelt answer": ("[markdown] answer", "[markdown] anwser", "its header is none"),
    "written as code": ("[markdown] written", "written", "its header is none"),
    "exercise as prose": ("# %% exercise", "# %% [markdown] exercise", "its header is none"),
    "another function": (
        "def magnitude_mask",
        "def magnitude_masks",
        "must define the function magnitude_mask",
    ),
    "no Python": ("def magnitude_mask(", "def magnitude_mask((", "it is not Python"),
    "strange name": ('written="magnitude_reflection"', 'written="Why rows?"', "a name is made of"),
    "long name": ("magnitude_reflection", "m" * 65, "64 characters at most"),
    "empty answer": ("# Those with the secret small rows.", "#", "must hold the model answer"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_source_gets_one_sentence(labs, case):
    """An author reads which file and cell is wrong, and why; nothing is written."""
    old, new, phrase = MALFORMED[case]
    assert old in SAMPLE
    course.source(LAB).write_text(SAMPLE.replace(old, new, 1))
    with pytest.raises(LabError, match=rf"^solutions/{LAB}.py, cell \d+ \(.+\): ") as found:
        notebooks.build()
    assert phrase in str(found.value)
    assert "\n" not in str(found.value)
    assert not list(course.NOTEBOOKS.iterdir())


def test_what_nbgrader_refuses_is_one_sentence(labs, monkeypatch):
    monkeypatch.setattr(notebooks.DropAnswers, "preprocess", lambda *_: 1 / 0)
    with pytest.raises(LabError) as found:
        notebooks.build()
    assert str(found.value) == (
        f"nbgrader cannot make the student version of {LAB}: ZeroDivisionError: division by zero."
    )


# Where things are


def test_a_lab_by_name_or_number(labs):
    assert course.labs() == [LAB]
    assert [course.lab(name) for name in (LAB, "02", "2")] == [LAB] * 3
    for unknown in ("3", "02_", "sample", "", "../02_sample"):
        with pytest.raises(LabError, match=f"Known: {LAB}"):
            course.lab(unknown)


def test_the_course_seed_is_drawn_once_and_private(labs):
    seed = course.seed()
    path = course.folder() / "seed"
    assert course.seed() == seed == int(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {each.name for each in course.folder().iterdir()} == {
        "seed",
        "nbgrader_config.py",
        "own_config.py",
    }
    path.unlink()
    assert course.seed() != seed
    path.write_text("seven\n")
    with pytest.raises(LabError, match="is damaged"):
        course.seed()


def test_the_gradebook_is_where_the_course_says(labs):
    assert course.gradebook_url() == f"sqlite:///{course.folder()}/gradebook.db"
    with (course.prepare() / course.OWN).open("a") as own:
        own.write('c.CourseDirectory.db_url = "postgresql://grades/llm"\n')
    course.prepare()
    assert course.gradebook_url() == "postgresql://grades/llm"
    assert course.config().CourseDirectory.course_id == "pruning-labs"


# The labs themselves


@pytest.fixture(scope="module")
def students() -> dict[Path, bytes]:
    return notebooks.student_notebooks()


@pytest.mark.lengthy
def test_notebooks_are_what_the_sources_give(students):
    """Who changes a source must rebuild: `python -m grader build`."""
    assert students
    assert notebooks.drift() == []


@pytest.mark.parametrize("lab", course.labs())
def test_no_answer_reaches_a_student(lab, students):
    """No line of a solution, a model answer or an answer cell is in the notebook, and no output."""
    notebook = json.loads(students[course.notebook(lab)])
    cells = source.read(lab)
    shown = ("prose", "code", "experiment")  # to all anyway
    given = "\n".join(cell.text for cell in cells if cell.kind in shown)
    told = {line.strip() for cell in notebook["cells"] for line in "".join(cell["source"]).splitlines()}
    for cell in cells:
        kept = cell.text.splitlines()
        if cell.kind == "exercise":
            marks = [index for index, line in enumerate(kept) if "SOLUTION" in line]
            kept = kept[marks[0] + 1 : marks[1]]
        elif cell.kind not in ("written", "answer"):
            continue
        lines = {line.strip() for line in kept if len(line.strip()) >= 12}
        leaked = {line for line in lines & told if line not in given}
        assert not leaked, f"the notebook gives the answer of {cell.id} away"
    assert all(not cell.get("outputs") for cell in notebook["cells"])


@pytest.mark.parametrize("lab", course.labs())
def test_every_exercise_has_its_place(lab):
    """Each exercise of the lab is there, under a header that says its number, points, minutes and hints."""
    cells = source.read(lab)
    points = {cell.name: cell.points for cell in cells if cell.kind == "check"}
    header = ""
    for cell in cells:
        if cell.kind == "prose":
            header = cell.text if cell.text.startswith("## ") else f"{header}\n{cell.text}"
        elif cell.kind == "exercise":
            star = "" if points[cell.name] else " ★"
            assert header.splitlines()[0] == f"## {EXERCISES[cell.name].number} {cell.name}{star}"
            for said in (
                "**Goal** ",
                f"| **Points** {points[cell.name] or 'none, for the fun of it'} |",
                "| **Minutes** ",
                "Hint 1<",
                "Hint 2<",
            ):
                assert said in header, f"{cell.name}: {said}"
    number = str(int(lab[:2]))
    numbers = {name: each.number for name, each in EXERCISES.items() if each.number.split(".")[0] == number}
    assert list(points) == sorted(numbers, key=numbers.get)
