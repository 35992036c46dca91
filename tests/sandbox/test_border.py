"""The border: while a lab is graded, no judge and none of its answers is anywhere a submission can look."""

from pathlib import Path

import nbformat
import pytest

import labsupport
from grader import course
from grader.author import source
from grader.author.given import withheld
from grader.grade.submission import check_points
from grader.grade.taken import lent
from grader.sandbox import zygote_client
from grader.sandbox.limits import Limits
from grader.sandbox.run import run_notebook
from labsupport.check.judge import EXERCISES
from tests.sample import few
from tests.sandbox.test_sandbox import notebook, texts

pytestmark = pytest.mark.sandbox

LOOK = """
import gc, os, sys, labsupport
from labsupport import check
gc.unfreeze()  # a zygote freezes what it has loaded, and get_objects() leaves that out
root = os.path.dirname(labsupport.__file__)
print(sorted(name for name in sys.modules if ".judge" in name), os.listdir(root + "/check/judge"))
owned = [str(getattr(each, "__module__", "")) for each in gc.get_objects() if callable(each)]
print(sorted({name for name in owned if name.startswith("labsupport.check.judge")}))
print([name for _, _, names in os.walk(root + "/given") for name in names if name.endswith(".pyc")])
"""
GIVEN = """
import importlib
for name in ("perplexity", "masks", "input_norms", "wanda", "blocks", "lora"):
    try:
        importlib.import_module("labsupport.given." + name)
        print(name, "is here")
    except Exception as problem:
        print(problem)
"""
JUDGE = """
try:
    from labsupport.check.judge import EXERCISES
    print(EXERCISES)
except ImportError:
    print("no judge")
"""
OLD = {
    "cutting", "patterns", "perplexity", "masks", "input_norms", "wanda", "macs", "plans", "blocks", "lora",
    "packing", "outliers",
}  # fmt: skip
EVERY = OLD | {"sparsegpt", "depth", "distillation"}
HERE = {  # what a lab has of given/ while it is graded
    0: {"cutting", "patterns"},
    1: {"patterns"},
    2: {"cutting", "perplexity"},
    3: {"cutting", "patterns", "perplexity", "masks"},
    4: {"cutting", "perplexity", "input_norms"},
    5: {"cutting", "patterns", "perplexity", "masks", "input_norms", "wanda", "outliers"},
    6: OLD - {"lora", "packing"},
    7: OLD - {"packing"},
    8: OLD - {"macs", "plans", "packing"},
    9: OLD,
    10: EVERY - {"depth", "distillation"},
    11: EVERY,
    12: EVERY,
}
REACH = """
import gc, importlib, inspect, os, pkgutil, sys, warnings
import torch, labsupport
warnings.simplefilter("ignore")
gc.unfreeze()
names = [each.name for each in pkgutil.walk_packages(labsupport.__path__, "labsupport.", lambda _: None)]
for name in [*names, "grader", "grader.author.reference", "solutions", "runner", "zygote"]:
    try:
        importlib.import_module(name)
    except BaseException:
        pass
frame, reachable = sys._getframe(), []
while frame:
    reachable += [*frame.f_globals.values(), *frame.f_locals.values()]
    frame = frame.f_back
reachable += [each for module in list(sys.modules.values()) for each in vars(module or os).values()]
"""  # what of ours can be imported, and what frames and modules hold
SEARCH = (
    REACH
    + """
ours = ("labsupport", "grader", "runner", "zygote", "reference")
found = {id(each): each for each in gc.get_objects() + reachable
         if inspect.isfunction(each) and str(each.__module__).split(".")[0] in ours}
right = []
for each in [*found.values(), control]:
    try:
        if probe(each):
            right.append(each.__qualname__)
    except BaseException:
        pass
files = [os.path.join(root, name) for root, _, names in os.walk("/") if not root.startswith("/proc")
         for name in names if name in HIDDEN and not root.endswith("/ask/own")]
texts = {path: open(path, errors="replace").read() for path in files}
files = [path for path, text in texts.items()
         if "Not here." not in text and ("labsupport" in text or "made from solutions" in text)]
print(len(found) > 150, right, files)
"""
)
PROBES = {  # lab -> an exercise's right answer, and whether a function answers one question
    1: """
def control(ids, length):
    return ids[: len(ids) // length * length].view(-1, length)
def probe(f):
    return torch.equal(f(torch.arange(10), 3), torch.arange(9).view(3, 3))
""",
    4: """
def control(score, sparsity):
    return score > score.kthvalue(round(sparsity * score.shape[1]), dim=1, keepdim=True).values
def probe(f):
    score = torch.tensor([[1.0, 4, 2, 3], [5, 1, 7, 6]])
    return torch.equal(f(score, 0.25), score > 1)
""",
    8: """
def control(rows, columns, tokens):
    return rows * columns * tokens
def probe(f):
    return f(2, 3, 5) == 30
""",
}
BORROWED = {  # lab -> imports that answered its exercises once
    1: ["given.perplexity.perplexity", "given.cutting.cut", "structured._loss"],
    2: ["given.masks.kept", "given.masks.magnitude_masks", "given.patterns.upper_half"],
    3: ["given.input_norms.input_norms"],
    4: ["given.masks.kept", "given.wanda.n_of_m_masks", "given.patterns.upper_half"],
    5: ["given.blocks.shrink_mlp", "given.plans.plan", "structured.plan", "planning.plan"],
    6: ["given.lora.recover", "recovery.adapters", "recovery.backward"],
    8: ["planning.linear_macs", "cost.attention_macs", "cost.packed", "given.macs.attention_macs"],
}  # fmt: skip
BORROW = """
import importlib
for place in {}:
    module, _, name = place.rpartition(".")
    try:
        getattr(importlib.import_module("labsupport." + module), name)
        print(place, "is here")
    except (Exception,):
        pass
"""


EVERYWHERE = (
    REACH
    + """
files = {each.__code__.co_filename for each in gc.get_objects() + reachable
         if inspect.isfunction(each)}
print(len(files) > 500, sorted(file for file in files if any(part in file for part in HIDDEN)))
OTHERS = {"labsupport", "grader", "solutions", "notebooks", "tests", "site"}
found = set()
for root, folders, files in os.walk("/"):
    if root.endswith(("-packages", "/python3")):
        folders[:] = [name for name in folders if name in OTHERS]
    if root == "/":
        folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
    for name in files:
        path = os.path.join(root, name)
        kind = name.endswith((".py", ".ipynb", ".txt", ".md", ".json"))
        if kind and os.path.isfile(path) and os.path.getsize(path) < 2**22:
            text = open(path, errors="replace").read().replace('\\\\"', '"')
            found |= {(exercise, path) for exercise, lines in ANSWERS.items()
                      if all(line in text for line in lines)}
print(sorted(found))
"""
)


def own_lines(lab: str) -> dict[str, list[str]]:
    """The lines that each answer of a lab holds and its release does not, by exercise."""
    released = "\n".join(cell.source for cell in nbformat.read(course.notebook(lab), as_version=4).cells)
    found = {}
    for cell in source.read(lab):
        if cell.kind == "exercise":
            lines = [line.strip() for line in cell.text.splitlines()]
            lines = [line for line in lines if len(line) > 9 and "###" not in line]
            found[cell.name] = [line for line in lines if line not in released]
    return found


@pytest.fixture(scope="module", params=["cold", "warm"])
def started(request):
    """How the sandbox starts: afresh, or as a fork of a zygote made for lab 02."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        mine = zygote_client.Zygote()
        patch.setattr(zygote_client, "zygote", mine)
        if request.param == "warm":
            mine.ready(2)
        yield request.param
        mine.stop()


def run(started: str, lab: int, *sources: str) -> list[str]:
    cold = started == "cold"
    outcome = run_notebook(notebook(*sources), None, Limits(cell_seconds=60), cold=cold, lab=lab)
    assert outcome.status == "FINISHED", outcome.reason
    return texts(outcome)


def test_no_judge_is_in_memory_or_on_disk(started):
    """Not by import, not as a file, not as an object that a fork inherited."""
    look, judge = run(started, 2, LOOK, JUDGE)
    assert look == "[] []\n[]\n[]\n"
    assert judge == "no judge\n"


def test_a_lab_has_what_it_is_given(started):
    """What is missing says from which lab on it is given."""
    (said,) = run(started, 2, GIVEN)
    assert said.splitlines() == [
        "perplexity is here",
        "labsupport.given.masks is given from lab 03 on.",
        "labsupport.given.input_norms is given from lab 04 on.",
        "labsupport.given.wanda is given from lab 05 on.",
        "labsupport.given.blocks is given from lab 06 on.",
        "labsupport.given.lora is given from lab 06 on.",
    ]


@pytest.mark.parametrize("lab", HERE)
def test_what_is_withheld(lab):
    """At home a lab has what is given by then; under grading nothing that answers its own exercises."""
    graded, home = withheld(lab, grading=True), withheld(lab, grading=False)
    assert {f"{name}.py" for name in EVERY - HERE[lab]} == graded.keys()
    assert home.keys() <= graded.keys()
    assert all("is given from lab" in text for text in home.values())
    assert all("raise LabError" in text for text in graded.values())


@pytest.mark.parametrize("lab", few(HERE, of=[11]))
def test_no_answer_of_the_lab_is_anywhere(lab, monkeypatch):
    """For every exercise: no function in memory, and no file, but of the one that is taken openly.

    Where that is a starred one, not that one either: it could hold the answer of one with points.
    """
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    answers = own_lines(course.lab(str(lab)))
    assert answers.keys() == {name for name in EXERCISES if EXERCISES.lab(name) == lab}
    assert all(answers.values())
    taken = list(answers)[-1]
    hidden = ["labsupport/check/judge/", "labsupport/given/exercises/", "/grader/", "/solutions/"]
    hidden += [f"labsupport/given/{name}" for name in withheld(lab, grading=True)]
    cell = f"HIDDEN, ANSWERS = {hidden!r}, {answers!r}\n{EVERYWHERE}"
    points = check_points(nbformat.read(course.notebook(course.lab(str(lab))), as_version=4))
    outcome = run_notebook(
        notebook(cell), None, Limits(cell_seconds=300), lab=lab, taken=lent({taken: {taken}}, points)
    )
    assert outcome.status == "FINISHED", outcome.reason
    memory, disk = texts(outcome)[0].splitlines()
    folder = f"{Path(labsupport.__file__).parent}/given/exercises"
    loaded = [f"{folder}/__init__.py", f"{folder}/{taken}.py"]
    assert memory == f"True {loaded}"
    assert disk == str([(taken, f"{folder}/{taken}.py")] if points[taken] else [])


@pytest.mark.parametrize("lab", few(PROBES, of=[4]))
def test_no_function_in_reach_answers(lab):
    """Imported, in memory or in a frame; and no file of a judge or an answer is on any disk."""
    names = {f"{name}.py" for name in EXERCISES if EXERCISES.lab(name) == lab}
    (said,) = run("cold", lab, f"HIDDEN = {names!r}\n" + "import torch\n" + PROBES[lab] + SEARCH)
    assert said.splitlines()[-1] == "True ['control'] []"


def test_the_container_drops_no_blocks_for_lab_10():
    """What reads lab 12's files has no drop_blocks of its own."""
    code = """
from labsupport import container, models
model = models.tiny()
try:
    container.restore(model, container.File([1], [], {}))
except Exception as problem:
    print(problem)
print(len(model.model.layers))
"""
    (said,) = run("cold", 10, code)
    assert said == "labsupport.given.depth is given from lab 11 on.\n2\n"


@pytest.mark.parametrize("lab", few(BORROWED, of=[2, 3]))
def test_what_answered_once_is_gone(lab):
    """By none of its former names."""
    assert run("cold", lab, BORROW.format(BORROWED[lab])) == [""]
