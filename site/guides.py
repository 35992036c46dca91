"""The guides of docs/ and the files beside README as pages of the site."""

import re
import shutil
from pathlib import Path

from grader.course import ROOT

BESIDE = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")


def lay_out(pages: Path) -> list[str]:
    """Copy them, so that their links to one another hold; their names in the order of docs/index.md."""
    (pages / "docs").mkdir(parents=True)
    for guide in (ROOT / "docs").glob("*.md"):
        shutil.copy(guide, pages / "docs")
    for name in BESIDE:
        shutil.copy(ROOT / name, pages)
    listed = re.findall(r"\]\(([\w./-]+)\.md\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    return ["docs/index", *(name.removeprefix("../") if "/" in name else f"docs/{name}" for name in listed)]
