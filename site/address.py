"""The project's public address, `urls.Source` of pyproject.toml, in README.md and CITATION.cff.

`python site/address.py` writes it there, or takes it away where pyproject.toml has none. The site takes it
from pyproject.toml each time that it is built.
"""

import argparse
import re
import tomllib
from pathlib import Path

from grader.course import ROOT
from labsupport import __version__, files

README = re.compile(r"^The project's address: .+\n", re.MULTILINE)
CITATION = re.compile(r"^repository-code: .+\n", re.MULTILINE)


def main(arguments: list[str] | None = None) -> None:
    """Write it into both files."""
    reader = argparse.ArgumentParser(prog="python site/address.py", description=__doc__)
    reader.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    reader.parse_args(arguments)
    for path, change in ((ROOT / "README.md", readme), (ROOT / "CITATION.cff", citation)):
        files.write_whole(path, change(path.read_text(encoding="utf-8"), address()).encode())


def address(project: Path = ROOT / "pyproject.toml") -> str:
    """The address, "" while there is none."""
    return tomllib.loads(project.read_text(encoding="utf-8"))["project"].get("urls", {}).get("Source", "")


def readme(text: str, address: str) -> str:
    """README with the address in its last line."""
    return README.sub("", text) + (f"The project's address: <{address}>\n" if address else "")


def citation(text: str, address: str) -> str:
    """CITATION.cff with the address."""
    return CITATION.sub("", text) + (f'repository-code: "{address}"\n' if address else "")


if __name__ == "__main__":
    main()
