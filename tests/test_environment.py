"""One list of requirements: conda, make and pip install the same, at the versions of constraints.txt."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader.course import ROOT

REQUIREMENTS = ["--constraint constraints.txt", "--editable .[dev]"]


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_conda_installs_what_make_installs():
    """environment.yml and the Makefile have the same requirement lines."""
    pip = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    make = re.search(r"^INSTALL := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert pip == REQUIREMENTS
    assert make == " ".join(REQUIREMENTS)


def test_everything_is_pinned():
    """Each requirement of the project has one exact version, which it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = constraints()
    for line in project["dependencies"] + project["optional-dependencies"]["dev"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), line


def test_constraints_name_no_place():
    """constraints.txt holds names and versions: no address, no path, no local build."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line


def test_the_fixed_names_are_there():
    """What the course is built from, and where things are, is what was ordered."""
    needed = {"torch", "transformers", "datasets", "jupyterlab", "nbgrader", "matplotlib", "tqdm"}
    assert needed <= constraints().keys()
    for name in ("notebooks", "labsupport", "solutions", "grader", "environment.yml", "README.md"):
        assert (ROOT / name).exists()
