"""What the commands load: those that compute nothing start without torch, which takes seconds."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.lengthy

LIGHT = [
    "grader.__main__", "grader.author.notebooks", "grader.author.release", "grader.intake.collect",
    "grader.results.gradebook", "grader.results.lms_export", "grader.results.report", "grader.results.table",
    "labsupport.check", "labsupport.__main__", "labsupport.steps.report", "labsupport.given.plans",
]  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_no_torch(module):
    """Neither torch nor transformers is loaded by its import."""
    code = f"import sys, {module}; print(*sorted({{'torch', 'transformers'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


PLAN = """
import sys
from labsupport.__main__ import main
assert main(["plan", "tinyllama-1.1b-chat", "--ratio", "0.3"]) == 0
assert not {"torch", "transformers", "numpy"} & sys.modules.keys()
"""
HELP = """
import sys
from importlib import import_module
before = set(sys.modules)
main = import_module(sys.argv[1]).main
try:
    main(["--help"])
except SystemExit as end:
    assert not end.code
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module and name not in before}
others = loaded - sys.stdlib_module_names
assert others == {"labsupport", sys.argv[1].partition(".")[0]}, others
"""


def test_plan_computes_without_torch():
    """A model's size after pruning is arithmetic: it comes at once."""
    subprocess.run([sys.executable, "-c", PLAN], capture_output=True, check=True)


@pytest.mark.parametrize("module", ["labsupport.__main__", "grader.__main__"])
def test_help_needs_nothing_of_others(module):
    """Whoever asks what there is waits for no package but the standard library's."""
    done = subprocess.run([sys.executable, "-c", HELP, module], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
