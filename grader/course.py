"""Paths of lab sources, notebooks and the course folder, and the course seed."""

import os
import re
import secrets
from pathlib import Path

from traitlets.config.loader import Config, PyFileConfigLoader

from labsupport import files
from labsupport.errors import LabError

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
CONFIG = Path(__file__).with_name("nbgrader_config.py")
OWN_CONFIG = """\
# nbgrader's settings for this course. Your own go below, for instance
# c.CourseDirectory.db_url = "postgresql://user:password@host/gradebook"
import os

os.environ.setdefault("PRUNING_LABS_COURSE", os.path.dirname(__file__))  # this folder is the course
from grader.course import CONFIG

load_subconfig(str(CONFIG))
c = get_config()
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


def source(name: str) -> Path:
    """The source of a lab, by its full name."""
    return SOLUTIONS / f"{name}.py"


def notebook(name: str) -> Path:
    """The student notebook of a lab, by its full name."""
    return NOTEBOOKS / name / f"{name}.ipynb"


def folder() -> Path:
    """The course folder: PRUNING_LABS_COURSE, or `course` in the checkout.

    It contains nbgrader's source/, release/, submitted/, autograded/ and feedback/, gradebook.db,
    nbgrader_config.py and the course seed.
    """
    return Path(os.environ.get("PRUNING_LABS_COURSE") or ROOT / "course").absolute()


def prepare() -> Path:
    """Create the course folder, with the settings for nbgrader and formgrader."""
    own = folder() / CONFIG.name
    if not own.exists():
        files.write_whole(own, OWN_CONFIG.encode())
    return folder()


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


def config() -> Config:
    """nbgrader's settings from the course folder, which include those of grader/nbgrader_config.py."""
    own = folder() / CONFIG.name
    return PyFileConfigLoader(str(own if own.exists() else CONFIG)).load_config()


def gradebook_url() -> str:
    """The SQLAlchemy URL of nbgrader's gradebook."""
    return config().CourseDirectory.db_url
