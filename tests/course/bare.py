"""An environment with the packages of some requirements alone: links to those that are installed here."""

import importlib.metadata
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader.course import ROOT


def project() -> dict:
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def closure(*extras: str, more: tuple[str, ...] = ()) -> set[str]:
    """The names of the distributions that the project with these extras brings along."""
    listed = [*project()["dependencies"], *more]
    for extra in extras:
        listed += project()["optional-dependencies"][extra]
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in listed]
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            key = (canonicalize_name(one.name), extra)
            if key in found or (one.marker and not one.marker.evaluate()):
                continue
            found.add(key)
            for line in _requires(one.name):
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    needed.marker = None
                    waiting.append(needed)
    return {name for name, _ in found}


def _requires(name: str) -> list[str]:
    try:
        return importlib.metadata.requires(name) or []
    except PackageNotFoundError:  # for another Python or system than this one
        return []


def environment(folder: Path, names: set[str]) -> Path:
    """Make a virtual environment with these distributions; its interpreter."""
    venv.create(folder, symlinks=True)
    here = Path(sysconfig.get_path("purelib"))
    there = folder / here.relative_to(sys.prefix)
    for name in names:
        try:
            files = importlib.metadata.files(name) or []
        except PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (there / top).exists():
                (there / top).symlink_to(here / top)
    return folder / "bin" / "python"


def install(python: Path, package: Path) -> None:
    """Install a wheel, or a folder or a zip with a project, and nothing else."""
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, package], check=True)


def run(python: Path, words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run `python -m WORDS` in a folder, with nothing of this checkout on its path."""
    own = {"PATH": f"{python.parent}:{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    command = [str(python), "-m", *words.split()]
    return subprocess.run(command, cwd=folder, env=own | environment, capture_output=True, text=True)
