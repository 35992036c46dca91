"""The part of a check that never enters the sandbox: the judges, one file each, labNN/NAME.py."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labsupport.check.judge.kit.exercise import Exercise


class Exercises(Mapping[str, "Exercise"]):
    """Every exercise by name, in the order of the labs; each judge is imported on first access."""

    def __init__(self, folder: Path):
        files = sorted(folder.glob("lab[0-9][0-9]/[a-z]*.py"))
        self._modules = {path.stem: f"{__name__}.{path.parent.name}.{path.stem}" for path in files}

    def __getitem__(self, name: str) -> "Exercise":
        return import_module(self._modules[name]).EXERCISE

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def lab(self, name: str) -> int:
        """The number of the lab that an exercise belongs to."""
        return int(self._modules[name].split(".")[-2].removeprefix("lab"))


EXERCISES = Exercises(Path(__file__).parent)
