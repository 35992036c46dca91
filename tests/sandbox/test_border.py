"""The border: while a lab is graded, no judge and none of its answers is anywhere a submission can look."""

import pytest

from grader.author.given import withheld
from grader.sandbox import zygote_client
from grader.sandbox.limits import Limits
from grader.sandbox.run import run_notebook
from tests.sandbox.test_sandbox import notebook, texts

pytestmark = pytest.mark.sandbox

LOOK = """
import gc, os, sys, labsupport
from labsupport import check
root = os.path.dirname(labsupport.__file__)
print(sorted(name for name in sys.modules if ".judge" in name), os.listdir(root + "/check/judge"))
owned = [str(getattr(each, "__module__", "")) for each in gc.get_objects() if callable(each)]
print(sorted({name for name in owned if name.startswith("labsupport.check.judge")}))
print([name for _, _, names in os.walk(root + "/given") for name in names if name.endswith(".pyc")])
"""
GIVEN = """
import importlib
for name in ("perplexity", "masks", "input_norms", "wanda", "blocks", "recover"):
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
HERE = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6}  # how many of GIVEN's six a lab has


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
        "labsupport.given.recover is given from lab 06 on.",
    ]


@pytest.mark.parametrize("lab", HERE)
def test_what_is_withheld(lab):
    """At home a lab has what is given by then; while it is graded, nothing that defines its own exercises."""
    graded, home = withheld(lab, grading=True), withheld(lab, grading=False)
    assert 6 - len(graded) == HERE[lab]
    assert home.keys() == graded.keys() - ({"recover.py"} if lab == 6 else set())
    assert all("raise LabError" in text for text in graded.values())
