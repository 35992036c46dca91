"""The site on the tiny model, and its pages by name."""

import os
import subprocess
import sys
from pathlib import Path

from bs4 import BeautifulSoup

from grader.course import ROOT

LAB = "02_magnitude_pruning"  # for what one lab shows as well as all


def build(folder: Path) -> subprocess.CompletedProcess:
    """`python site/build.py` on the tiny model: all labs."""
    tiny = {**os.environ, "PRUNING_LABS_MODEL": "tiny", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "site/build.py", "--to", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=tiny, capture_output=True, text=True)


def path_of(pages: dict[Path, BeautifulSoup], name: str) -> Path:
    """The file of a page: `index`, `docs/instructor`."""
    (found,) = (path for path in pages if path.as_posix().endswith(f"/html/{name}.html"))
    return found


def one(pages: dict[Path, BeautifulSoup], name: str) -> BeautifulSoup:
    """A page, parsed."""
    return pages[path_of(pages, name)]
