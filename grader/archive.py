"""A course in one file: another machine, another year or an external examiner opens it.

The zip has course/, the course folder whole with its seed; project/, this project as it judged; and
archive.json, what it judged with.
"""

import json
import os
import platform
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy.engine import make_url

from grader import course
from grader.author import release
from grader.grade import version
from labsupport.errors import LabError
from labsupport.progress import bar

ABOUT = "archive.json"
MACHINES = re.compile(
    r"\.grading.*|\.lock-.*|\.collect-.*|\.release-.*|.*\.underway|__pycache__|nbgrader_config\.py"
)
FOLDERS = ("grader", "labsupport", "solutions", "docs")  # of this project: what `make setup` and `grade` need
BESIDE = (*release.BESIDE, "Makefile", "README.md")
DAMAGED = (  # what reading a zip raises where a byte of it has changed, or where it is no archive of a course
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValueError, msgspec.MsgspecError
)  # fmt: skip
NAMED = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT", "PRUNING_LABS_DEVICE", "PRUNING_LABS_DTYPE")


class About(Struct, frozen=True):
    """What a course was judged with. judges: SHA-256 of both packages; named: settings in the environment."""

    judges: str
    python: str
    torch: str
    transformers: str
    named: dict[str, str]


def about() -> About:
    """What this machine judges with."""
    return About(
        version.sources(), platform.python_version(), metadata.version("torch"),
        metadata.version("transformers"), {name: os.environ[name] for name in NAMED if name in os.environ},
    )  # fmt: skip


def write(target: Path) -> list[str]:
    """Write the course into one zip that only its owner can read; sentences on it. Raises LabError."""
    folder, target = course.folder(), target.absolute()
    if not any((folder / name).exists() for name in ("seed", "release", "submitted")):
        raise LabError(f"There is no course in {folder}.")
    if target.exists() and not target.is_dir() and not is_archive(target):
        raise LabError(f"{target} is there already, and is no archive of a course: name another file.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as aside:
            members = {f"course/{name}": path for name, path in below(folder)}
            members |= {f"project/{name}": path for name, path in project()}
            if "course/gradebook.db" in members:
                members["course/gradebook.db"] = copied(folder / "gradebook.db", Path(aside, "gradebook.db"))
            with (
                open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream,
                zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive,
            ):
                archive.writestr(ABOUT, json.dumps(msgspec.to_builtins(about()), indent=1))
                for name, path in bar(sorted(members.items()), f"writing {target.name}"):
                    if path != target:
                        archive.write(path, in_unicode(name))
        draft.replace(target)
    except (OSError, sqlite3.Error) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise LabError(f"{target} cannot be written: {why}.") from problem
    finally:
        draft.unlink(missing_ok=True)
    notes = [f"{target}: {len(members):,} files, {target.stat().st_size / 2**20:,.1f} MiB"]
    url = make_url(course.gradebook_url())
    if Path(url.database or "") != folder / "gradebook.db":
        notes.append(
            f"The gradebook {url!r} is not in it: points by hand and due dates stay there, and a password in "
            "own_config.py goes with the file."
        )
    return notes


def is_archive(path: Path) -> bool:
    """Whether a file may be replaced by an archive: it is one itself. A device is none."""
    try:
        if not path.is_file():
            return False
        with zipfile.ZipFile(path) as archive:
            return ABOUT in archive.namelist()
    except (OSError, *DAMAGED):
        return False


def below(folder: Path, top: str = "") -> Iterator[tuple[str, Path]]:
    """The files below a folder by their paths in it, without links and what belongs to a machine."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not MACHINES.fullmatch(name)]
        for path in (Path(root, name) for name in names):
            if path.is_file() and not path.is_symlink() and not MACHINES.fullmatch(path.name):
                yield f"{top}{path.relative_to(folder).as_posix()}", path


def in_unicode(name: str) -> str:
    """A path as a zip can hold it: a byte that is no UTF-8, of an old system's file name, as \\xfc."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def project() -> Iterator[tuple[str, Path]]:
    """The files of this project: as much as grades."""
    folders = {name: course.PACKAGES / name for name in ("grader", "labsupport")}
    for name in FOLDERS:
        yield from below(folders.get(name, course.ROOT / name), f"{name}/")
    yield f"grader/{course.CONFIG.name}", course.CONFIG  # named like a course folder's own
    for path in (course.ROOT / name for name in BESIDE):
        if path.is_file():
            yield path.name, path


def copied(database: Path, target: Path) -> Path:
    """A copy of a SQLite database as it is between two changes."""
    with closing(sqlite3.connect(database)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target
