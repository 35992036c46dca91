"""The students' zip: the notebooks and the modules that they import, without the grader."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from grader import course
from grader.author import answers, given, notebooks
from labsupport import files
from labsupport.check.judge import EXERCISES
from labsupport.progress import bar

BESIDE = (
    "start.py", "nbgrader_config.py", "environment.yml", "pyproject.toml", "constraints.txt", "LICENSE",
    "LICENSE-TEXTS",
)  # fmt: skip
README = """\
# LLM pruning labs

Notebooks on pruning large language models. You write the functions that say YOUR CODE HERE, and the cell
below each one tells you what is right already and what is not.

## Start

With Python 3.11 to 3.14 (not 3.14.1), in this folder (on Windows: `py start.py`):

    python3 start.py

It makes `.venv` here, installs what the labs need, gets the model (93 MB) and opens JupyterLab. The first
time takes several minutes; interrupted, it goes on where it was. The same command starts the labs on every
other day, offline as well.

You work in `notebooks/`, where `start.py` copies each lab from `labs/` once. A later zip holds newer labs:
unpack it over this folder (let it replace files; `unzip -o students.zip` on Linux and a Mac), and start
again. Nothing in `notebooks/` is touched. To begin a lab again, move yours away and start.

With conda instead: `conda env create --file environment.yml`, `conda activate pruning-labs`,
`python -m labsupport fetch`, `python -c "import start; start.lay_out()"`,
`jupyter lab --notebook-dir notebooks`.

## Hand in

Click **Validate**, or type one of

    .venv/bin/python -m labsupport check notebooks/NN_topic/NN_topic.ipynb
    .venv\\Scripts\\python -m labsupport check notebooks\\NN_topic\\NN_topic.ipynb

and hand in the notebook file, with its name as it is. When it is graded, the checks are asked again, with
other questions. `-m labsupport doctor` in place of `check` says how long a lab takes on your machine.
"""
EPOCH = (2026, 1, 1, 0, 0, 0)  # fixed, so that equal content gives equal bytes


def release(labs: list[str]) -> Path:
    """Enter the labs into the course folder, and write the students' zip there; its path."""
    course.prepare()
    for lab in bar(labs, "releasing"):
        notebooks.generate(lab, course.folder())
    target = course.folder() / "students.zip"
    handed_out = [lab for lab in course.labs() if (course.folder() / "release" / lab).is_dir()]
    files.write_whole(target, students_zip(labs, handed_out))
    return target


def students_zip(labs: list[str], handed_out: Iterable[str] = ()) -> bytes:
    """The students' zip of these labs, with the judges and the files of given/ for the last of them.

    handed_out: labs that students have already, and whose judges and files must stay where an earlier lab is
    handed out again.
    The notebooks are in labs/, and students work in notebooks/: who unpacks a zip over an older one loses
    no work.
    """
    support = course.PACKAGES / "labsupport"
    files = {
        f"labsupport/{path.relative_to(support)}": path.read_bytes()
        for path in support.rglob("*")
        if path.suffix in (".py", ".yaml", ".json", ".html")  # the package and its data, see pyproject.toml
    }
    last = max(map(course.number, [*labs, *handed_out]))
    for name, text in given.withheld(last, grading=False).items():
        files[f"labsupport/given/{name}"] = text.encode()
    for name in EXERCISES.keys() - answers.up_to(last):
        del files[f"labsupport/given/exercises/{name}.py"]
    files |= {name: (course.ROOT / name).read_bytes() for name in BESIDE}
    files |= {
        f"labs/{path.stem}/{path.name}": data for path, data in notebooks.student_notebooks(labs).items()
    }
    files["README.md"] = README.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(
                zipfile.ZipInfo(f"pruning-labs/{name}", EPOCH), files[name], zipfile.ZIP_DEFLATED
            )
    return stream.getvalue()
