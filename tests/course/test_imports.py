"""What the commands load: those that compute nothing start without torch, which takes seconds."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.lengthy

LIGHT = [
    "grader.__main__", "grader.author.notebooks", "grader.author.release", "grader.intake.collect",
    "grader.results.gradebook", "grader.results.lms_export", "grader.results.report", "grader.results.table",
    "labsupport.check", "labsupport.__main__", "labsupport.steps.report",
]  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_no_torch(module):
    """Neither torch nor transformers is loaded by its import."""
    code = f"import sys, {module}; print(*sorted({{'torch', 'transformers'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
