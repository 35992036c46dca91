"""Tables and pages come at once: what prints them imports neither torch nor another library of seconds."""

import os
import subprocess
import sys

import pytest

RUN = """
import sys
from grader.__main__ import main
folder = sys.argv[1]
for words in (
    ["collect", "02", folder], ["grades", "02", "--csv", folder + "/grades.csv"], ["report", "02"],
    ["report"], ["feedback", "02"],
):
    assert main(words) == {"collect": 1, "feedback": 2}.get(words[0], 0), words  # nothing is there yet
    loaded = {name for name, module in sys.modules.items() if module}
    heavy = {"torch", "transformers", "datasets", "matplotlib", "pandas", "sklearn", "rfc3987_syntax"}
    assert not heavy & loaded, (words, heavy & loaded)
"""


@pytest.mark.lengthy
def test_tables_and_reports_import_nothing_heavy(tmp_path):
    """An instructor who looks something up waits for no gigabyte of libraries."""
    (tmp_path / "downloads").mkdir()
    (tmp_path / "submitted" / "ann" / "02_magnitude_pruning").mkdir(parents=True)
    environment = os.environ | {"PRUNING_LABS_COURSE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "downloads")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
