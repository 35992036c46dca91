"""One list of requirements: conda, make and pip install the same, at the versions of constraints.txt."""

import importlib.metadata
import re
import runpy
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from grader.course import ROOT

REQUIREMENTS = ["--constraint constraints.txt", "--editable .[course,dev]"]
BEFORE_312 = {"overrides"}  # jupyter-server wants it there alone


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pythons() -> list[str]:
    """Every release of Python that pyproject.toml admits, those to come included."""
    admits = SpecifierSet(project()["requires-python"])
    every = [f"3.{minor}.{patch}" for minor in range(20) for patch in range(30)]
    return [version for version in every if version in admits]


def test_conda_installs_what_make_installs():
    """environment.yml and the Makefile have the same requirement lines."""
    pip = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    make = re.search(r"^INSTALL := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert pip == REQUIREMENTS
    assert make == " ".join(REQUIREMENTS)


def test_everything_is_pinned():
    """Each requirement of the project has one exact version, which it allows."""
    pinned = constraints()
    for line in sum(project()["optional-dependencies"].values(), project()["dependencies"]):
        requirement = Requirement(line)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), line


def test_every_pin_admits_every_python():
    """Whoever has a Python that pyproject.toml admits can install: one pin that wanted 3.11.5 kept everybody
    on Debian 12, whose own Python is 3.11.2, from `make demo`. Read from what the pinned packages say."""
    every = pythons()
    assert {"3.11.0", "3.11.2", "3.12.0", "3.13.5", "3.14.0", "3.14.2"} <= set(every)
    unread, refused = set(), []
    for name, pinned in constraints().items():
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            unread.add(name)
            continue
        if Version(distribution.version).public != pinned:
            unread.add(name)
        wants = SpecifierSet(distribution.metadata.get("Requires-Python") or "")
        left_out = [version for version in every if version not in wants]
        if left_out:
            refused.append(f"{name} {distribution.version} wants Python {wants}: not {', '.join(left_out)}")
    assert not refused, "\n".join(refused)
    if unread & {"sphinx", "jupyterhub"}:
        pytest.skip("not all extras are installed, so their pins are not read: make .venv/site .venv/hub")
    assert unread == (BEFORE_312 if sys.version_info >= (3, 12) else set()), "not here in the pinned version"


def test_the_pins_are_resolved_for_every_python():
    """`make pins`, and so .ci/run, leaves out no Python and no system: a pin without a wheel ends it."""
    makefile = (ROOT / "Makefile").read_text()
    resolved = re.search(r"^PYTHONS := (.+)$", makefile, re.MULTILINE)[1].split()
    assert resolved == [version for version in pythons() if version.endswith(".0")]
    systems = re.search(r"^SYSTEMS := (.+)$", makefile, re.MULTILINE)[1]
    assert all(
        each in systems for each in ("x86_64-many", "aarch64-many", "aarch64-apple", "x86_64-pc-windows")
    )
    assert f"MACOSX_DEPLOYMENT_TARGET={runpy.run_path(str(ROOT / 'start.py'))['OLDEST_MACOS']}.0" in makefile


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
