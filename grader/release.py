"""What students get: one zip with the notebooks and what they import, and nothing that grades them."""

import io
import zipfile
from pathlib import Path

from grader import build, course

BESIDE = ("environment.yml", "pyproject.toml", "constraints.txt")
README = """\
# LLM pruning labs

Notebooks on pruning large language models. You write the functions that say YOUR CODE HERE, and the cell
below each one tells you what is right already and what is not.

With Python 3.11 or newer:

    python3 -m venv .venv
    .venv/bin/pip install --constraint constraints.txt --editable .
    .venv/bin/python -m labsupport fetch        # the model, 93 MB, once
    .venv/bin/jupyter lab --notebook-dir notebooks

or with conda: `conda env create --file environment.yml`, then `conda activate pruning-labs` and the last
two commands without `.venv/bin/`. `python -m labsupport doctor` says how long a lab takes on your machine.

Hand in the notebook file, with its name as it is. The checks are asked again, with other questions.
"""
EPOCH = (2026, 1, 1, 0, 0, 0)  # the same content gives the same bytes


def release(labs: list[str]) -> Path:
    """Enter the labs into the course folder, and write the students' zip there; its path."""
    course.prepare()
    for lab in labs:
        build.generate(lab, course.folder())
    target = course.folder() / "students.zip"
    course.write_whole(target, students_zip(labs))
    return target


def students_zip(labs: list[str]) -> bytes:
    """The zip for students of these labs."""
    support = course.ROOT / "labsupport"
    files = {f"labsupport/{path.relative_to(support)}": path.read_bytes() for path in support.rglob("*.py")}
    files |= {name: (course.ROOT / name).read_bytes() for name in BESIDE}
    files |= {
        f"notebooks/{path.stem}/{path.name}": data for path, data in build.student_notebooks(labs).items()
    }
    files["README.md"] = README.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(
                zipfile.ZipInfo(f"pruning-labs/{name}", EPOCH), files[name], zipfile.ZIP_DEFLATED
            )
    return stream.getvalue()
