"""Opens an archive of a course elsewhere, and says what differs there. archive.py says what is in one."""

import json
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path
from shlex import quote

import msgspec

from grader import course
from grader.archive import ABOUT, DAMAGED, NAMED, About, about
from grader.intake.parse import shown
from labsupport import files
from labsupport.errors import LabError
from labsupport.progress import bar

TOPS = ("course", "project")  # the folders of an archive


def open_(source: Path, target: Path) -> list[str]:
    """Open an archive in a folder that is not there yet; sentences on what `grade` will do. Raises LabError.

    own_config.py of the course is Python, and runs at the next command: as trusted as who sent the file.
    """
    target = target.absolute()
    if target.exists():
        raise LabError(f"{target} is there already: name a folder that is not.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".opening-", dir=target.parent) as draft:
            there = unpack(source, Path(draft))
            files.write_whole(Path(draft, "course", course.CONFIG.name), course.course_config().encode())
            target.mkdir()
            for path in Path(draft).iterdir():
                shutil.move(path, target / path.name)
    except DAMAGED as problem:
        raise LabError(f"{source} is no archive of a course, or is damaged: {problem}.") from problem
    except OSError as problem:
        raise LabError(f"{source} cannot be opened in {target}: {problem.strerror or problem}.") from problem
    return [
        *differences(there, about(), target),
        f"export PRUNING_LABS_COURSE={quote(str(target / 'course'))}",
    ]


def unpack(source: Path, folder: Path) -> About:
    """Unpack an archive; what it was judged with."""
    with zipfile.ZipFile(source) as archive:
        there = msgspec.convert(json.loads(archive.read(ABOUT)), About)
        if odd := strange(archive.infolist()):
            raise ValueError(odd)
        for member in bar(archive.infolist(), f"opening {source.name}"):
            path = archive.extract(member, folder)
            mode = stat.S_IMODE(member.external_attr >> 16)
            if not member.is_dir() and mode:
                os.chmod(path, mode & 0o755)
    return there


def strange(members: list[zipfile.ZipInfo]) -> str:
    """Why these are not files that an archive of a course has; "" if they are."""
    names = [member.filename for member in members]
    for member in members:
        top, *rest = member.filename.split("/")
        if member.filename != ABOUT and (top not in TOPS or not rest or ".." in rest):
            return f"an archive has no '{shown(member.filename)}'"
        if stat.S_ISLNK(member.external_attr >> 16):
            return f"'{shown(member.filename)}' in it is a link"
    if len({*names}) < len(names):
        return "it has a file twice"
    return "" if any(name.startswith("course/") for name in names) else "it has no course"


def differences(there: About, here: About, target: Path) -> list[str]:
    """Sentences on what differs between where a course was judged and here."""
    said = []
    if there.judges != here.judges:
        said.append(
            f"Its judges are not those of this project: for the same scores, run `make setup` in "
            f"{target / 'project'}, and `grade` there. Here, `grade` judges everything again."
        )
    for name in ("torch", "transformers"):
        one, other = getattr(there, name), getattr(here, name)
        if one != other:
            said.append(f"It was judged with {name} {one}, and here is {other}: `grade` judges again.")
    said += [
        f"export {name}={quote(there.named[name])}" if name in there.named else f"unset {name}"
        for name in NAMED
        if there.named.get(name) != here.named.get(name)
    ]
    return said
