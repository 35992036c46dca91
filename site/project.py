"""The whole project as an archive, for who teaches: the site offers it beside the students' zip."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from grader.course import ROOT
from labsupport import __version__
from labsupport.errors import LabError

NAME = f"pruning_labs-{__version__}.tar.gz"
MADE = {".git", ".venv", "course", "build"}  # at the top of a checkout; tests/course is no such folder
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


def left_out(folder: str, names: list[str]) -> set[str]:
    """What of a folder is not copied."""
    return CACHES(folder, names) | (MADE & set(names) if Path(folder) == ROOT else set())


def archive(folder: Path) -> None:
    """Write the sdist there: MANIFEST.in says what it holds. A copy is packed: the checkout stays clean."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        copy = shutil.copytree(ROOT, Path(place, "project"), ignore=left_out)
        uv = Path(sys.executable).with_name("uv")
        build = [
            uv,
            "build",
            "--sdist",
            "--quiet",
            "--offline",
            "--no-build-isolation",
            "--python",
            sys.executable,
        ]
        ran = subprocess.run([*build, "--out-dir", place, copy], capture_output=True, text=True)
        if ran.returncode:
            raise LabError(f"The project cannot be packed: {ran.stderr.strip().splitlines()[-1]}")
        shutil.copy(Path(place, NAME), folder)
