"""nbgrader's settings, which the nbgrader_config.py of a course folder loads (see course.py)."""

import os
import sys
from pathlib import Path
from typing import Any

import nbgrader
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, ClearSolutions, GetGrades

from grader import course
from grader.author.notebooks import DropAnswers, NameQuestions
from grader.results import adopting, by_hand
from grader.results.feedback import Standing
from grader.results.gradebook import AdoptNotebook, AdoptVerdicts
from labsupport import waits

here = str(Path(sys.executable).parent)
if here not in os.environ["PATH"].split(os.pathsep):  # nbgrader runs `alembic` by name for a new gradebook
    os.environ["PATH"] = here + os.pathsep + os.environ["PATH"]

os.environ.setdefault("PGCONNECT_TIMEOUT", "10")  # seconds; without these two, nbgrader would wait
os.environ.setdefault("PGOPTIONS", "-c lock_timeout=10s")  # forever for a silent PostgreSQL server or a lock

c = get_config()  # noqa: F821  # pyright: ignore[reportUndefinedVariable]  traitlets puts it there
c.CourseDirectory.course_id = "pruning-labs"
c.CourseDirectory.root = str(course.folder())
c.CourseDirectory.db_url = f"sqlite:///{course.folder() / 'gradebook.db'}"
usual: Any = GenerateAssignment.preprocessors.default()
empty = usual.index(ClearSolutions) + 1
c.GenerateAssignment.preprocessors = [DropAnswers, *usual[:empty], NameQuestions, *usual[empty:]]
c.ExecutePreprocessor.timeout = waits.AT_HOME
c.ExecutePreprocessor.iopub_timeout = waits.IOPUB
adopting.install()
by_hand.watch()
c.Autograde.sanitize_preprocessors = [AdoptNotebook]
c.Autograde.autograde_preprocessors = [AdoptVerdicts, AssignLatePenalties, CheckCellMetadata]
c.GenerateFeedback.preprocessors = [GetGrades, Standing]
c.HTMLExporter.filters = {
    "markdown2html": "grader.results.filters.prose",
    "highlight_code": "grader.results.filters.code",
    "strip_files_prefix": "grader.results.filters.unchanged",
    "rubric": "grader.results.filters.rubric",
    "to_renew": "grader.results.table.to_renew",
}
c.HTMLExporter.extra_template_basedirs = [  # before those of nbgrader, which load scripts from a network
    str(Path(course.__file__).with_name("results") / "templates"),
    str(Path(nbgrader.__file__).with_name("server_extensions") / "formgrader" / "templates"),
]
c.HTMLExporter.extra_template_paths = [  # for our formgrade/index.html.j2, which extends nbgrader's
    str(Path(nbgrader.__file__).with_name("server_extensions"))
]

load_subconfig(str(course.folder() / course.OWN))  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
