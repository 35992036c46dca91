"""A wheel holds, besides the packages, what the grader makes a course from: in the folder pruning_labs."""

from glob import glob
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MORE = [
    "solutions/*.py", "notebooks/*/*.ipynb", "start.py", "nbgrader_config.py", "environment.yml", "Makefile",
    "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "LICENSE-TEXTS",
]  # fmt: skip


class WithLabs(build_py):
    """The packages as they are, and of a wheel these files too."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in (name for pattern in MORE for name in sorted(glob(pattern))):
            target = Path(self.build_lib, "pruning_labs", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(name, str(target))


setup(cmdclass={"build_py": WithLabs})
