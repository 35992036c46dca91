"""The labs' own experiments are not run again for the grade, unless something that runs may need them."""

import ast
from pathlib import Path

import nbformat
import pytest

import labsupport
from grader import course
from grader.author import notebooks
from grader.grade import experiments, journal, names
from grader.grade.class_run import grade_class
from grader.grade.opaque import opaque
from grader.intake.admit import admit
from tests.grade.test_hostile import hand_in
from tests.hostile.submissions import ENTRIES, FILE, LAB, find

LABS = course.labs()


def tagged(notebook) -> list[int]:
    return [i for i, cell in enumerate(notebook.cells) if experiments.TAG in cell.metadata.get("tags", [])]


@pytest.fixture
def handed_in():
    """Lab 02 with its answers, and the release of it: the same cells, for what is asked here."""
    return notebooks.solved_notebook(LAB), notebooks.solved_notebook(LAB)


@pytest.mark.parametrize("lab", LABS)
def test_no_answer_needs_an_experiment(lab):
    """What is handed in with the lab's own answers is spared every experiment, and no other cell."""
    solved, released = notebooks.solved_notebook(lab), nbformat.read(course.notebook(lab), as_version=4)
    assert tagged(solved)
    assert experiments.spared(solved, released) == tagged(solved)


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize(("more", "spares"), [("import numpy as np  # mine", True), ("import os", False)])
def test_a_line_more_among_the_imports(lab, more, spares):
    """The imports that the lab makes itself count as the lab's also where a student adds one to them."""
    solved, released = notebooks.solved_notebook(lab), nbformat.read(course.notebook(lab), as_version=4)
    next(cell for cell in solved.cells if cell.cell_type == "code").source += f"\n{more}"
    notebook = admit(nbformat.writes(solved).encode(), released).notebook
    assert experiments.spared(notebook, released) == (tagged(notebook) if spares else [])


@pytest.mark.parametrize(
    "deep", ["1" + " + 1" * 1500, "1" + "".join(" + 1" for _ in range(500)), "-" * 1500 + "1"]
)
def test_a_cell_nested_too_deeply_has_all_of_them_run(handed_in, deep):
    """It cost its student the grade: GRADER_ERROR, at every try."""
    solved, released = handed_in
    solved.cells.append(nbformat.v4.new_code_cell(f"x = {deep}"))
    assert experiments.spared(solved, released) == []


def test_megabytes_of_cells_are_not_parsed(handed_in, monkeypatch):
    solved, released = handed_in
    solved.cells += [nbformat.v4.new_code_cell("x = 1\n" * 15_000) for _ in range(2)]
    monkeypatch.setattr(experiments, "without_imports", lambda *_: pytest.fail("it was parsed"))
    assert experiments.spared(solved, released) == []


@pytest.mark.parametrize("guess", ["40", "3 * 24.5", "'high'"])
def test_a_guess_costs_no_run(handed_in, guess):
    """Who fills in a guess has no experiment run again for it."""
    solved, released = handed_in
    asked = [cell for cell in solved.cells if "guess = None" in cell.source]
    assert asked
    for cell in asked:
        cell.source = cell.source.replace("guess = None", f"guess = {guess}")
    others = [index for index in tagged(released) if solved.cells[index] not in asked]
    assert experiments.spared(solved, released) == others


@pytest.mark.parametrize("lab", LABS)
def test_students_get_the_same_tags(lab):
    released = nbformat.read(course.notebook(lab), as_version=4)
    found = [cell.source for cell in released.cells if experiments.TAG in cell.metadata.get("tags", [])]
    source = notebooks.source_notebook(lab)
    assert found == [source.cells[index].source for index in tagged(source)]


READS = [  # `half` is bound by an experiment, and `model` by the set-up, whose model experiments prune
    "print(half)",
    "def more():\n    return [by_kind for _ in range(2)]",
    "half += [1]",
    "del half",
    "f'{half}'",
    "f'{1:{half}}'",
    "(x := half)",
    "x: half = 1",
    "def f(a: half): pass",
    "def f() -> half: pass",
    "def f(a=half): pass",
    "lambda a=half: a",
    "(lambda: half)()",
    "class A:\n    half = half",
    "class A:\n    half += 1",
    "class A(half): pass",
    "class A:\n    def f(self):\n        return half",
    "@half\ndef f(): pass",
    "[half for _ in (1,)]",
    "[half for half in half]",
    "{k: v for k, v in half.items() if k}",
    "try:\n    half\nexcept NameError:\n    pass",
    "for half[0] in range(2): pass",
    "with half: pass",
    "assert half",
    "def f():\n    global half\n    half = 1",
    "match half:\n    case _: pass",
    "async def f():\n    await half",
    "print(model)",  # an experiment may have pruned it in place
    "state = model.state_dict()",
    "def f(m):\n    return model.model.layers",
    "dense.clear()",
]
REFLECTS = [
    "globals()['half']",
    "locals()",
    "vars()",
    "dir()",
    "eval('half')",
    "exec('print(half)')",
    "e = eval",
    "[*map(eval, ['half'])]",
    "compile('half', '', 'eval')",
    "getattr(torch, 'x' + 'y')",
    "import builtins",
    "import builtins as b\nb.eval('half')",
    "__builtins__",
    "__import__('__main__').half",
    "print.__self__",
    "import __main__",
    "import __main__ as m\nm.half",
    "from __main__ import half as h",
    "from __main__ import *",
    "from math import *",
    "from . import x",
    "import sys",
    "import sys as s\ns.modules['__main__']",
    "from sys import modules",
    "torch.sys.modules",
    "from torch import sys as s",
    "import collections\ncollections._sys",
    "import inspect",
    "import gc",
    "import importlib",
    "import pickle",
    "import dill",
    "import shelve",
    "import os",
    "import pathlib",
    "import ctypes",
    "import operator",
    "import threading",
    "import atexit",
    "import IPython",
    "from IPython import get_ipython",
    "get_ipython()",
    "get_ipython().user_ns['half']",
    "In[3]",
    "Out",
    "_",
    "__",
    "_3",
    "_i3",
    "_ih",
    "_oh[3]",
    "for _ in range(3): pass\nprint(_)",
    "who",  # automagic
    "%who",
    "%store half",
    "%time 1",
    "%%capture out\n1",
    "!ls",
    "half?",
    "?half",
    "def f(): pass\nf.__globals__",
    "def f(): pass\nf.__code__",
    "def f(): yield\nf().gi_frame",
    "(i for i in ()).gi_frame.f_globals",
    "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__.tb_frame",
    "'{0.__globals__}'.format(torch.no_grad)",
    "'{0.x}'.format(torch)",
    "object.__subclasses__()",
    "class A:\n    def __del__(self): pass",
    "class A:\n    def __getattr__(self, name): pass",
    "torch.load('x')",
    "torch.save(1, 'x')",
    "open('x')",
    "import numpy as np\nnp.fromfile('x')",
    "import matplotlib.pyplot as plt",
    "plots.plt.gcf()",
    "import typing\ntyping.get_type_hints(torch.nn.Module)",
    "torch.jit.script(torch.nn.ReLU())",
    "from labsupport.check.ask.client import earlier\nearlier(magnitude_mask, 'half')",
    "from labsupport.check.ask import client as c\nc.earlier(magnitude_mask, 'half')",
    "import labsupport.check.ask.client as c\nc.earlier(magnitude_mask, 'half')",
    "check.ask.client.earlier(magnitude_mask, 'half')",
    "from labsupport.given.exercises import yours\nyours('half')()",
    "from labsupport.given import exercises as e\ne.yours('half')()",
    "from functools import singledispatchmethod as s",
    "def broken(:",
    "(" * 5000 + "1" + ")" * 5000,
    "-" * 50_000 + "1",
    "+".join(["a"] * 40_000),
    "\ud800",
    "x = 1\n" * 100_000,
]
KEEPS = [  # what a function does may depend on how often experiments have called it
    "seen = []\ndef f(x):\n    seen.append(x)",
    "count = 0\ndef f():\n    global count\n    count += 1",
    "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n    return f",
    "def f(x, memo={}): pass",
    "def f(x, *, memo=[]): pass",
    "def f(): pass\nf.calls = 0",
    "def f():\n    f.calls += 1",
    "linears.apply_masks = None",
    "def f():\n    torch.mine = 1",
    "class A:\n    seen = []",
    "import functools\n@functools.cache\ndef f(x): return x",
    "def twice(f): return f\n@twice\ndef g(): pass",
    "import itertools\nnumbers = itertools.count()\ndef f(): return next(numbers)",
    "import functools\nmagnitude_mask = functools.partial(print)",
    "torch.manual_seed(0)",
    "torch.initial_seed()",
    "torch.get_rng_state()",
    "def f(n):\n    return torch.rand(n)",
    "def f(x):\n    x.normal_()",
    "torch.set_default_dtype(torch.float64)",
    "torch.nn.modules.module.register_module_forward_hook(print)",
]
SPARED = [
    "import numpy as np\nprint(settings)",  # the imports run anyway
    "def mine(masks, half):\n    name = masks\n    return name, half",  # names of its own
    "class Mine:\n    half = 1",
    "[half for half in range(2)]",
    "{half: half for half in range(2)}",
    "{half for half in range(2) if half}",
    "def f(x):\n    return [half for half in x]",
    "def f(x):\n    half = {}\n    half[1] = x\n    half.update(x)\n    half += 1\n    return half",
    "EPS = 1e-8\nSHAPE = (2, -3)\ndef f(x):\n    return x + EPS",
    "def f(x):\n    return torch.rand(3, generator=torch.Generator().manual_seed(1))",
    "@torch.no_grad()\ndef f(m):\n    m.eval()\n    return m.training",
    "class Layer(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        self._a = 1",
    "magnitude_mask(torch.ones(2, 2), 0.5)",
    "from collections.abc import Callable\nimport itertools",
    "type(1).__name__",
    "assert True",
]


@pytest.mark.lengthy
@pytest.mark.parametrize("more", READS + REFLECTS + KEEPS)
def test_whatever_may_read_an_experiment_has_all_of_them_run(handed_in, more):
    notebook, released = handed_in
    notebook.cells.append(nbformat.v4.new_code_cell(more))
    assert experiments.spared(notebook, released) == []


@pytest.mark.lengthy
@pytest.mark.parametrize("more", SPARED)
def test_what_reads_none_changes_nothing(handed_in, more):
    notebook, released = handed_in
    notebook.cells.append(nbformat.v4.new_code_cell(more))
    assert experiments.spared(notebook, released) == tagged(released)


NESTED = "[[x for x in z] for z in y]"


@pytest.mark.parametrize("text", ["[x for x in y]", "{x for x in y}", "{x: 1 for x in y}", NESTED])
def test_a_comprehension_has_names_of_its_own(text):
    """In any Python: from 3.12 on one without a scope of its own would bind x in the cell."""
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp)
    parts = ast.walk(names.Apart().visit(ast.parse(text)))
    assert not any(isinstance(part, kinds) for part in parts)
    assert (names.bound(text), names.read(text)) == (set(), {"y"})


LOOKS = ("__main__", "__globals__", "user_ns", "f_globals", "get_ipython", "_getframe")


def test_what_reads_the_notebook_for_us_counts_too():
    """Each function of labsupport that looks up names of the notebook, by any way to import it."""
    root, found = Path(labsupport.__file__).parent, []
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        module = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        if ".judge" in module:  # no sandbox has one
            continue
        for node in ast.walk(ast.parse(text)):
            source = ast.get_source_segment(text, node) or "" if isinstance(node, ast.FunctionDef) else ""
            if any(word in source for word in LOOKS):
                package, _, last = module.rpartition(".")
                assert opaque(f"import {module} as m\nm.{node.name}"), (module, node.name)
                assert opaque(f"from {module} import {node.name}"), (module, node.name)
                assert opaque(f"from {package} import {last} as m\nm.{node.name}"), (module, node.name)
                found.append(node.name)
    assert {"earlier", "yours"} <= {*found}


def test_an_answer_that_reads_one_has_all_of_them_run(handed_in):
    """It worked in the student's notebook, so it works here."""
    notebook, released = handed_in
    cell = find(notebook, "global_magnitude_masks")
    cell.source = cell.source.replace("    every =", "    half\n    every =")
    assert experiments.spared(notebook, released) == []


def test_a_changed_experiment_is_run(handed_in):
    """One that needs nothing of the others runs alone; one that does brings them all."""
    notebook, released = handed_in
    *others, last, button = tagged(released)
    notebook.cells[last].source += "\nprint('mine')"
    assert experiments.spared(notebook, released) == []  # the table reads what the others make
    notebook.cells[last].source = "print('mine')"
    assert experiments.spared(notebook, released) == [*others, button]


@pytest.mark.lengthy
@pytest.mark.thorough
def test_through_the_sandbox(empty_course):
    """The score is that of a notebook whose cells all run, and the page says which did not."""
    lean, whole = notebooks.solved_notebook(LAB), notebooks.solved_notebook(LAB)
    whole.cells.append(nbformat.v4.new_code_cell("print(half.keys())"))
    hand_in("lean", {FILE: nbformat.writes(lean).encode()})
    hand_in("whole", {FILE: nbformat.writes(whole).encode()})
    grade_class(LAB)
    records = {record.student: record for record in journal.records(LAB)}
    pages = {name: nbformat.reads(record.notebook, as_version=4) for name, record in records.items()}
    assert records["lean"].score() == records["whole"].score() == records["whole"].points() > 0
    assert records["lean"].status == records["whole"].status == "GRADED"
    said = {
        name: [i for i, cell in enumerate(page.cells)
               if any(experiments.NOT_RUN in each.get("text", "") for each in cell.get("outputs", []))]
        for name, page in pages.items()
    }  # fmt: skip
    assert said == {"lean": tagged(lean), "whole": []}
    assert [pages["lean"].cells[i].source for i in said["lean"]] == [
        lean.cells[i].source for i in tagged(lean)
    ]
    assert "q_proj" in pages["whole"].cells[-1].outputs[0].text


BOTH_WAYS = ("honest-ben", "check-is-a-variable", "function-above-its-stub")


@pytest.mark.thorough
def test_scores_are_the_same_with_and_without(empty_course):
    """Every verdict is that of `--all-cells`, for hostile submissions whose experiments are skipped."""
    released = nbformat.read(course.notebook(LAB), as_version=4)
    for student in BOTH_WAYS:
        files = ENTRIES[student].files(notebooks.solved_notebook(LAB))
        assert experiments.spared(admit(files[FILE], released).notebook, released)
        hand_in(student, files)
    lean = {record.student: record.verdicts for record in grade_class(LAB)}
    for path in journal.folder(LAB).glob("*.json"):
        path.unlink()
    whole = grade_class(LAB, all_cells=True)
    assert {record.student: record.verdicts for record in whole} == lean
    assert not [record.student for record in whole if experiments.NOT_RUN in record.notebook]
