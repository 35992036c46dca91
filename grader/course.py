"""Paths of lab sources, notebooks and the course folder, and the course seed."""

import os
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labsupport import files
from labsupport.errors import LabError

if TYPE_CHECKING:
    from traitlets.config import Config

PACKAGES = Path(__file__).resolve().parent.parent  # the checkout, or where a wheel was installed
WHEEL = PACKAGES / "pruning_labs"  # what a wheel holds of the checkout besides the packages, see setup.py
ROOT = WHEEL if WHEEL.is_dir() else PACKAGES
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
CONFIG = Path(__file__).with_name("nbgrader_config.py")
OWN = "own_config.py"
OWN_TEXT = """\
# Your own settings for nbgrader in this course, for instance
# c.CourseDirectory.db_url = "postgresql://user:password@host/gradebook"
c = get_config()
"""
COURSE_CONFIG = """\
# What nbgrader loads in this course. Your own settings go into own_config.py, beside this file.
# Where one of them cannot be loaded, nothing runs: nbgrader alone would run submissions unprotected.
import os
import sys

os.environ.setdefault("PRUNING_LABS_COURSE", os.path.dirname(os.path.abspath(__file__)))
sys.path.append(PACKAGES)  # where the grader is
try:
    from grader.course import CONFIG

    load_subconfig(str(CONFIG))
except Exception as problem:
    sys.exit(
        f"Nothing was run: {sys.executable} cannot load the settings of this course. "
        f"{type(problem).__name__}: {problem}. Mend own_config.py, or use the nbgrader of the grader's own "
        "Python: " NBGRADER "."
    )
"""


def labs() -> list[str]:
    """The labs that have a source, in order: `02_magnitude_pruning` for solutions/02_magnitude_pruning.py."""
    return sorted(path.stem for path in SOLUTIONS.glob("[0-9][0-9]_*.py"))


def lab(name: str) -> str:
    """The full name of a lab given as `02_magnitude_pruning`, `02` or `2`; LabError for an unknown one."""
    known = labs()
    number = f"{int(name):02d}_" if re.fullmatch("[0-9]{1,2}", name) else None
    for each in known:
        if each == name or (number and each.startswith(number)):
            return each
    raise LabError(f"There is no lab called '{name}'. Known: {', '.join(known) or 'none'}.")


def number(name: str) -> int:
    """The number of a lab, by its full name."""
    return int(name[:2])


def title(name: str) -> str:
    """What people read in place of a lab's full name: "Lab 02: magnitude pruning"."""
    number, words = name.split("_", 1)
    return f"Lab {number}: {words.replace('_', ' ')}"


def source(name: str) -> Path:
    """The source of a lab, by its full name."""
    return SOLUTIONS / f"{name}.py"


def notebook(name: str) -> Path:
    """The student notebook of a lab, by its full name."""
    return NOTEBOOKS / name / f"{name}.ipynb"


def folder() -> Path:
    """The course folder: PRUNING_LABS_COURSE, or `course` in the checkout (of a wheel: in this folder).

    It contains nbgrader's source/, release/, submitted/, autograded/ and feedback/, gradebook.db,
    nbgrader_config.py, own_config.py and the course seed. Raises LabError for a path that cannot be one.
    """
    place = Path(os.environ.get("PRUNING_LABS_COURSE") or workplace() / "course").absolute()
    # nbgrader makes an address of it for the gradebook, and searches below it by patterns
    if odd := re.search(r"[?*\[]", str(place)):
        raise LabError(f"A course folder cannot have a {odd[0]} in its path: {place}.")
    return place


def workplace() -> Path:
    """The folder for what is made: the checkout, or of a wheel the current folder."""
    return Path.cwd() if ROOT == WHEEL else ROOT


def course_config() -> str:
    """The text of a course folder's nbgrader_config.py, with this grader's places."""
    nbgrader = Path(sys.executable).with_name("nbgrader")
    return COURSE_CONFIG.replace("PACKAGES", repr(str(PACKAGES))).replace("NBGRADER", repr(str(nbgrader)))


def prepare() -> Path:
    """Create the course folder, with the settings for nbgrader and formgrader.

    Settings that name the places of a checkout that is gone get those of this one.
    """
    here = {CONFIG.name: course_config(), OWN: OWN_TEXT}
    for name, text in here.items():
        if not (folder() / name).exists():
            files.write_whole(folder() / name, text.encode())
    ours = folder() / CONFIG.name
    if (place := named_in(ours.read_text(encoding="utf-8"))) and not Path(place).exists():
        files.write_whole(ours, course_config().encode())
    return folder()


def named_in(text: str) -> str:
    """The place of the packages that our own text of a course's settings names; "" for another text."""
    pattern = re.escape(COURSE_CONFIG)
    for word in ("PACKAGES", "NBGRADER"):
        pattern = pattern.replace(word, r"'([^'\n]*)'")
    found = re.fullmatch(pattern, text)
    return found[1] if found else ""


def seed() -> int:
    """The course seed for the hidden cases; it is drawn once, and only its owner can read it."""
    path = folder() / "seed"
    if not path.exists():
        prepare()
        files.write_once(path, f"{secrets.randbits(62)}\n".encode())
    text = path.read_text().strip()
    if not re.fullmatch("[0-9]{1,19}", text):
        raise LabError(f"The course seed in {path} is damaged: it must be one whole number.")
    return int(text)


def config() -> "Config":
    """nbgrader's settings for the course: those of grader/nbgrader_config.py, and your own.

    Raises LabError where one of them cannot be loaded.
    """
    from traitlets.config.loader import PyFileConfigLoader

    here = folder() / CONFIG.name
    try:
        return PyFileConfigLoader(str(here if here.exists() else CONFIG)).load_config()
    except SystemExit as problem:
        raise LabError(str(problem)) from problem


def gradebook_url() -> str:
    """The SQLAlchemy URL of nbgrader's gradebook."""
    return config().CourseDirectory.db_url
