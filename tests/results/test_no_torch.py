"""Tables and pages come at once: what prints them imports neither torch nor another library of seconds."""

import os
import subprocess
import sys

import pytest

RUN = """
import sys
from grader.__main__ import main
table = sys.argv[1] + ".csv"
with open(table, "w") as file:
    file.write("student_id,days,team\\nann,1,1\\n")
for words in (
    ["grades", "02", "--csv", sys.argv[1]], ["grades", "02", "--csv", sys.argv[1], "--layout", "canvas"],
    ["report", "02"], ["report"], ["extensions", "02", table], ["teams", "02", table],
    ["essays", "02", "--to", table + "2"], ["collect", "02", sys.argv[2]],
    ["feedback", "02"], ["forget", "ann"],
):
    assert main(words) == {"forget": 1, "feedback": 2}.get(words[0], 0), words
    loaded = {name for name, module in sys.modules.items() if module}
    heavy = {"torch", "transformers", "datasets", "matplotlib", "pandas", "sklearn", "rfc3987_syntax"}
    assert not heavy & loaded, (words, heavy & loaded)
"""


@pytest.mark.lengthy
def test_tables_and_reports_import_nothing_heavy(tmp_path):
    """An instructor who looks something up waits for no gigabyte of libraries."""
    for place in ("course/submitted", "inbound"):
        (tmp_path / place / "ann" / "02_magnitude_pruning").mkdir(parents=True)
        (tmp_path / place / "ann" / "02_magnitude_pruning" / "02_magnitude_pruning.ipynb").write_text("{}")
    environment = os.environ | {"PRUNING_LABS_COURSE": str(tmp_path / "course")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "grades.csv"), str(tmp_path / "inbound")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
