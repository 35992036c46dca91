"""Tables and pages come at once: what prints them imports neither torch nor transformers."""

import os
import subprocess
import sys

import pytest

RUN = """
import sys
from grader.__main__ import main
for words in (["grades", "02", "--csv", sys.argv[1]], ["report", "02"], ["report"]):
    assert main(words) == 0, words
    heavy = {"torch", "transformers"} & sys.modules.keys()
    assert not heavy, (words, heavy)
"""


@pytest.mark.lengthy
def test_tables_and_reports_import_no_torch(tmp_path):
    """An instructor who looks something up waits for no gigabyte of libraries."""
    (tmp_path / "submitted" / "ann" / "02_magnitude_pruning").mkdir(parents=True)
    environment = os.environ | {"PRUNING_LABS_COURSE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "grades.csv")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
