"""Likeness: no independent answer is accused, every disguised copy is found, and nothing acts on the page."""

import ast
import itertools
import re
import shutil

import nbformat
import pytest

from grader import __main__ as command
from grader import course
from grader.author import notebooks, source
from grader.grade import class_run
from grader.grade.journal import Record
from grader.intake.align import is_exercise
from grader.results import gradebook, report
from grader.results.similarity import identical, likeness, pairs, programs
from grader.results.similarity.programs import Author
from grader.status import Status
from labsupport.check.judge import EXERCISES
from tests.results.disguises import DISGUISES, rename
from tests.results.test_report import Page
from tests.sample import few

LAB = "02_magnitude_pruning"
LAB_EXERCISES = ("magnitude_mask", "prune_magnitude", "global_magnitude_masks")
ANSWERS = course.ROOT / "tests" / "wrong_answers"
HEAD = "def magnitude_mask(weight, sparsity):\n"
INDEPENDENT = [  # right answers to LAB_EXERCISES
    ("right_kthvalue", "right_in_place", "right_threshold"),
    ("right_topk", "right_by_product", "right_split"),
    ("right_numpy", "right_new_parameter", None),
]


@pytest.fixture
def course_folder(tmp_path, monkeypatch):
    """A course folder with the lab's notebook released, and nobody in it."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    released = tmp_path / "course" / "release" / LAB / f"{LAB}.ipynb"
    released.parent.mkdir(parents=True)
    shutil.copy(course.notebook(LAB), released)
    return tmp_path / "course"


def right_answers(exercise):
    """The right answers to an exercise, by name: the source of each, and its helpers."""
    defined = programs.definitions((ANSWERS / f"{exercise}.py").read_text("utf-8"))
    found = {}
    for name, definition in defined.items():
        if name.startswith("right_") and definition.is_function:
            text = programs.program_text(name, defined, ())
            helpers = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
            found[name] = re.sub(rf"\b{name}\b", exercise, text), helpers - {"_checked"}
    return found


def written_by(name, exercise, text):
    return programs.author(name, [text], [exercise], [exercise])


def solution(exercise):
    lab = course.lab(str(EXERCISES.lab(exercise)))
    own = source.read(lab)
    return next(cell.text for cell in own if cell.kind == "exercise" and cell.name == exercise)


# Who is accused


@pytest.mark.lengthy
@pytest.mark.parametrize("exercise", EXERCISES)
def test_independent_right_answers_are_not_alike(exercise):
    """Two answers without a common helper, and each answer and the solution."""
    answers = right_answers(exercise) | {"the solution": (solution(exercise), {exercise})}
    for (one, (text, mine)), (other, (another, theirs)) in itertools.combinations(answers.items(), 2):
        if not mine & theirs:
            both = [written_by(one, exercise, text), written_by(other, exercise, another)]
            assert pairs.pairs(both, set(), 9) == ([], 0)


@pytest.mark.thorough
@pytest.mark.lengthy
def test_independent_right_answers_are_not_alike_the_judges():
    for exercise in EXERCISES:
        authors = [written_by(name, exercise, text) for name, (text, _) in right_answers(exercise).items()]
        authors += [Author(name, False, {exercise: one}, {}) for name, one in programs.course_functions()]
        found = [(pair.one.name, pair.other.name) for pair in pairs.pairs(authors, set(), 10**6)[0]]
        assert [pair for pair in found if pair[1] not in right_answers(exercise)] == []


@pytest.mark.lengthy
@pytest.mark.parametrize("disguise", few(DISGUISES, of=DISGUISES[::4]))
def test_every_disguised_copy_is_found(disguise):
    """Of every right answer that is long enough to tell a copy from a coincidence."""
    tried = 0
    for exercise in EXERCISES:
        for name, (text, _) in right_answers(exercise).items():
            original = written_by(name, exercise, text)
            if len(original.programs[exercise].prints) >= pairs.LEAST:
                tried += 1
                copied = disguise(text, (exercise,))
                assert copied != text
                found, _ = pairs.pairs([original, written_by("copy", exercise, copied)], set(), 9)
                assert [(pair.one.name, pair.other.name) for pair in found] == [(name, "copy")], copied
    assert tried > 50


@pytest.mark.thorough
@pytest.mark.lengthy
def test_some_at_a_time_are_all(monkeypatch):
    """However many are compared together, the pairs and their order are the same; what is cut is counted."""
    authors = []
    for exercise in list(EXERCISES)[:20]:
        for name, (text, _) in right_answers(exercise).items():
            authors += [written_by(f"{exercise}-{name}-{copy}", exercise, text) for copy in "ab"]
    every, none_more = pairs.pairs(authors, set(), 10**6)
    monkeypatch.setattr(pairs, "TOGETHER", 1)
    assert pairs.pairs(authors, set(), 10**6) == (every, none_more) == (every, 0)
    assert pairs.pairs(authors, set(), 2) == (every[:2], len(every) - 2)
    assert len(every) > 10


# A class


def notebook(sources):
    """A notebook of the lab with these sources as answers, by exercise."""
    found = nbformat.reads(course.notebook(LAB).read_text("utf-8"), as_version=4)
    for cell in found.cells:
        if is_exercise(cell) and cell.metadata.nbgrader.grade_id in sources:
            cell.source = sources[cell.metadata.nbgrader.grade_id]
    return nbformat.writes(found).encode()


def hand_in(student, sources):
    raw = sources if isinstance(sources, bytes) else notebook(sources)
    path = course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)


def independent(number):
    """The answers of a student who worked alone, by exercise."""
    names = zip(LAB_EXERCISES, INDEPENDENT[number], strict=True)
    return {exercise: right_answers(exercise)[name][0] for exercise, name in names if name}


def found(lab=LAB):
    return [(pair.one.name, pair.other.name) for pair in likeness.likeness(lab).pairs]


@pytest.mark.lengthy
def test_a_copied_notebook_is_found_in_a_class(course_folder):
    for number in range(len(INDEPENDENT)):
        hand_in(f"alone-{number}", independent(number))
    assert found() == []
    for disguise in DISGUISES:
        sources = independent(1)
        hand_in("copy", {exercise: disguise(text, LAB_EXERCISES) for exercise, text in sources.items()})
        assert found() == [("alone-1", "copy")], disguise.__name__
        shutil.rmtree(course_folder / "submitted" / "copy")


@pytest.mark.lengthy
def test_a_helper_in_another_cell_belongs_to_the_function(course_folder):
    """The function alone has one line; what it calls stands in a cell of the student's own."""
    long = right_answers("prune_magnitude")["right_by_product"][0]
    short = {"prune_magnitude": "def prune_magnitude(model, sparsity):\n    return work(model, sparsity)"}
    elsewhere = nbformat.reads(notebook(short).decode(), as_version=4)
    elsewhere.cells.insert(1, nbformat.v4.new_code_cell(f"%time\n{long}".replace("prune_magnitude", "work")))
    hand_in("ann", {"prune_magnitude": long})
    hand_in("ben", nbformat.writes(elsewhere).encode())
    assert found() == [("ann", "ben")]


@pytest.mark.lengthy
def test_the_courses_own_code_is_found(course_folder):
    """A copy of the solution, and an answer made of a function from given/."""
    cells = notebooks.solved_notebook(LAB).cells
    own = {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if is_exercise(cell)}
    hand_in("ann", {exercise: rename(text, LAB_EXERCISES) for exercise, text in own.items()})
    given = (course.ROOT / "labsupport" / "given" / "masks.py").read_text("utf-8")
    renamed = given[given.index("def kept") :].replace("kept", "magnitude_mask").replace("score", "weight")
    hand_in("ben", {"magnitude_mask": renamed})
    assert set(found()) == {("ann", f"solutions/{LAB}.py"), ("ben", "given/masks.py")}
    html = report.write(LAB, course_folder / "report.html").read_text("utf-8")
    assert "the course's own <bdi>given/masks.py</bdi>" in html


@pytest.mark.lengthy
def test_what_half_of_the_class_wrote_accuses_nobody(course_folder):
    """The same answer from 7 of 12, in different names; a copy of a rare one is found all the same."""
    for number in range(7):
        sources = independent(0)
        renamed = {name: text.replace("every", f"all_{number}") for name, text in sources.items()}
        hand_in(f"usual-{number}", renamed)
    for number in range(3):
        hand_in(f"nothing-{number}", {})
    hand_in("rare", independent(1))
    hand_in("copy", {name: rename(text, LAB_EXERCISES) for name, text in independent(1).items()})
    assert found() == [("copy", "rare")]


@pytest.mark.lengthy
@pytest.mark.parametrize("size", [1, 12])
def test_untouched_notebooks_are_not_alike(course_folder, size):
    """They are byte-identical too, and nobody's work."""
    for number in range(size):
        hand_in(f"student-{number}", course.notebook(LAB).read_bytes())
    assert likeness.likeness(LAB) == likeness.Likeness([], [], 0, [])


def test_one_student_is_alike_nobody(course_folder):
    hand_in("ann", independent(0))
    assert likeness.likeness(LAB) == likeness.Likeness([], [], 0, [])


def test_no_submission_and_no_release(course_folder):
    assert likeness.likeness(LAB) == likeness.Likeness([], [], 0, [])
    assert likeness.likeness("04_wanda_pruning") == likeness.Likeness([], [], 0, [])


# Byte-identical notebooks


@pytest.mark.lengthy
def test_identical_notebooks_are_said_when_graded_and_in_the_report(course_folder, monkeypatch, capsys):
    """Also when their functions are too short to be compared, and only a written answer is the same."""
    written = nbformat.reads(course.notebook(LAB).read_text("utf-8"), as_version=4)
    prose = next(c for c in written.cells if c.cell_type == "markdown" and "nbgrader" in c.metadata)
    prose.source = "Large weights matter more."
    groups = {
        ("ann", "ben"): notebook({"magnitude_mask": f"{HEAD}    return weight > 0"}),
        ("cleo", "dan", "eve"): nbformat.writes(written).encode(),
        ("fay", "gil"): course.notebook(LAB).read_bytes(),
        ("hal", "ida"): b"",
    }  # fmt: skip
    for students, raw in groups.items():
        for student in students:
            hand_in(student, raw)
    everybody = [Record(each, LAB, "", "v", Status.GRADED) for students in groups for each in students]
    monkeypatch.setattr(class_run, "grade_class", lambda *_arguments: everybody)
    monkeypatch.setattr(gradebook, "hand_over", lambda *_arguments: None)
    assert command.main(["grade", "02"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "identical" in line]
    assert said == ["  Byte-identical notebooks: ann, ben", "  Byte-identical notebooks: cleo, dan, eve"]
    html = report.write(LAB, course_folder / "report.html").read_text("utf-8")
    text = Page(html).text
    assert "Byte-identical notebooks: ann, ben" in text and "fay, gil" not in text and "hal, ida" not in text
    assert identical.groups(LAB, {"eve"}) == [["cleo", "dan", "eve"]]


# The pages


MARKUP = '</pre></div><script>alert(1)</script><img src=x onerror="alert(2)">\u202e\x1b'
HOSTILE = {
    "null": f"{HEAD}    return '\0'",
    "unfinished": "def magnitude_mask(weight, sparsity:\n    return (",
    "deep": f"{HEAD}    return {'(' * 3000}weight{')' * 3000}",
    "chain": f"{HEAD}    return weight{'.T' * 5000}",
    "signs": f"{HEAD}    return {'-' * 9000}1",
    "sum": f"{HEAD}    return 1{'+1' * 5000}",
    "number": f"{HEAD}    return 0x{'f' * 15000}",
    "branches": HEAD + "".join(f"{' ' * depth}if sparsity:\n" for depth in range(1, 95)) + " " * 95 + "pass",
    "names": HEAD + "".join(f"    a{each + 1} = a{each}.T\n" for each in range(900)) + "    return a900",
    "circle": f"{HEAD}    a = b.T\n    b = a.T\n    return weight",
    "lines": HEAD + "    weight = weight\n" * 100_000,
    "elifs": "if 0:\n    pass\n" + "elif 1:\n    pass\n" * 1000 + f"{HEAD}    return weight",
}


@pytest.mark.lengthy
def test_code_that_cannot_be_compared_is_said_and_stops_nobody(course_folder):
    """The others are compared, and the report is written."""
    for kind, text in HOSTILE.items():
        hand_in(kind, {"magnitude_mask": text})
    hand_in("ann", independent(1))
    hand_in("ben", independent(1))
    text = Page(report.write(LAB, course_folder / "report.html").read_text("utf-8")).text
    assert len(list((course_folder / "report_pairs").iterdir())) == 1
    for kind in ("null", "unfinished", "deep", "chain", "lines", "number"):
        assert f"{kind}: magnitude_mask is not compared: " in text


@pytest.mark.lengthy
def test_nothing_that_a_student_wrote_acts_on_a_page(course_folder):
    """Markup in code, in a name and in a comment; a later report has no page of an earlier one."""
    text = right_answers("prune_magnitude")["right_by_product"][0]
    marked = f"{text}\n    # {MARKUP}\n    return {MARKUP!r}"
    for student in ("ann", "<b>ben & co"):
        hand_in(student, {"prune_magnitude": marked})
    folder = course_folder / "report_pairs"
    folder.mkdir()
    (folder / "7.html").write_text("an earlier report")
    html = report.write(LAB, course_folder / "report.html").read_text("utf-8")
    assert [path.name for path in folder.iterdir()] == ["1.html"]
    assert 'href="report_pairs/1.html"' in html
    side = Page((folder / "1.html").read_text("utf-8"))
    allowed = "html head meta title style body nav main h1 h2 h3 p a bdi div pre mark"
    assert side.open == [] and {tag for tag, _ in side.elements} <= set(allowed.split())
    assert [link["href"] for link in side.all("a")] == ["../report.html#alike"]
    assert "<script>alert(1)</script>" in side.text and "<b>ben & co" in side.text
    assert "\u202e" not in side.text and "\x1b" not in side.text
    assert any(
        "masks[name] = " in line for line in re.findall("<mark>(.*?)</mark>", (folder / "1.html").read_text())
    )


def test_a_ring_is_not_a_thousand_pages(course_folder, monkeypatch):
    """The strongest pairs are shown, and how many there are besides."""
    monkeypatch.setattr(likeness, "MOST", 4)
    for number in range(4):
        hand_in(f"ring-{number}", independent(1))
    assert "and 2 pairs less alike" in report.write(LAB, course_folder / "report.html").read_text("utf-8")
    assert len(list((course_folder / "report_pairs").iterdir())) == 4
