"""Lists the files of an exchange folder or of a learning platform's download, without unpacking.

Bad members of a zip (a path out of the folder, a link, a file that is too large, a duplicate name) are
listed with a reason, and the rest is read. A malicious archive is refused as a whole.
"""

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.intake import crowds
from grader.intake.files import read_file
from grader.intake.parse import LARGEST, Unreadable, shown, too_large
from labsupport.errors import LabError

LONGEST = 1_000  # characters of a path
MOST_BYTES = 8 * 2**30  # unpacked size of a whole download
MOST_RATIO = 500  # unpacked over packed size; notebooks with much output reach 100
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Entry:
    """One file: the parts of its path, a function for its bytes, and a problem of its path, if any."""

    parts: tuple[str, ...]
    read: Callable[[], bytes]  # raises Unreadable
    stray: str = ""

    @property
    def litter(self) -> bool:
        """Whether it is not taken, and only shows that its sender sent something."""
        return littered(self.parts)

    def text(self) -> str:
        """The first 200 bytes as text; "" if the file cannot be read."""
        try:
            return self.read()[:200].decode("utf-8-sig", "replace")
        except Unreadable:
            return ""


@contextmanager
def opened(source: Path) -> Iterator[list[Entry]]:
    """A context with the files of a folder or zip, sorted by path. Raises LabError for other sources."""
    if is_folder(source):
        yield in_folder(source)
    else:
        with archive_of(source) as archive:
            yield in_zip(archive, source)


def is_folder(source: Path) -> bool:
    """Whether a path is a folder. Raises LabError for one that cannot be looked at."""
    try:
        return source.is_dir()
    except OSError as problem:
        raise unreadable(source, problem) from problem


def unreadable(source: Path, problem: OSError) -> LabError:
    """The error for a source that the system does not let us read."""
    return LabError(f"{source} cannot be read: {problem.strerror or problem}.")


def archive_of(source: Path) -> zipfile.ZipFile:
    """Open a zip. Raises LabError for anything else."""
    try:
        if not zipfile.is_zipfile(source):
            if not source.exists():
                raise LabError(f"{source} does not exist.")
            if source.is_file() and begins(source) == b"PK\3\4":
                raise LabError(f"The zip {source.name} is damaged, its end is missing: download it again.")
            raise LabError(f"{source} is neither a folder nor a zip file.")
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as problem:
        raise LabError(f"The zip {source.name} is damaged: {shown(str(problem))}.") from problem
    except OSError as problem:
        raise unreadable(source, problem) from problem


def begins(source: Path) -> bytes:
    """The first four bytes of a file."""
    with source.open("rb") as file:
        return file.read(4)


def littered(parts: tuple[str, ...]) -> bool:
    """Whether a path is a by-product of systems and editors, such as checkpoints."""
    return any((part.startswith(".") and part != "..") or part in LITTER for part in parts)


def in_folder(source: Path) -> list[Entry]:
    """The files of a folder; links are listed, but not followed, and so are folders that cannot be read."""
    entries: list[Entry] = []

    def closed(problem: OSError) -> None:
        if Path(problem.filename) == source:
            raise unreadable(source, problem) from problem
        parts = Path(problem.filename).relative_to(source).parts
        entries.append(unlooked(parts, f"the folder cannot be read: {problem.strerror}"))

    for root, folders, files in os.walk(source, onerror=closed):  # os.walk does not follow links
        here = Path(root).relative_to(source).parts
        links = [name for name in folders if Path(root, name).is_symlink()]
        hidden = [name for name in folders if littered((name,)) and name not in links]
        folders[:] = sorted(name for name in folders if name not in hidden)
        for name in sorted(files) + links + hidden:
            parts = (*here, name)
            if name in hidden:
                entry = unlooked(parts)
            elif name in links:
                entry = unlooked(parts, "a symbolic link is not followed")
            else:
                entry = Entry(parts, lambda parts=parts: read_file(source, *parts))
            if not littered(parts[:1]):
                entries.append(entry)
        crowds.no_more(len(entries), source)
    return thinned(entries, source)


def unlooked(parts: tuple[str, ...], why: str = "") -> Entry:
    """An entry in place of files that are not looked at. why: the problem; "" for a hidden folder."""

    def read() -> bytes:
        raise Unreadable(f"'{shown(parts[-1])}' is not read.")

    return Entry(parts, read, why)


def thinned(entries: list[Entry], source: Path) -> list[Entry]:
    """The files by path, with one entry in place of each folder that alone has too many."""
    crowded = crowds.crowded([entry.parts for entry in entries], source)
    left = [entry for entry in entries if not any(entry.parts[: len(each)] == each for each in crowded)]
    left += [unlooked(folder, crowds.WHY.format(count)) for folder, count in crowded.items()]
    return sorted(left, key=lambda entry: entry.parts)


def in_zip(archive: zipfile.ZipFile, source: Path) -> list[Entry]:
    """The files of a zip. Raises LabError if the archive is malicious."""
    members = archive.infolist()
    packed = source.stat().st_size
    crowds.no_more(len(members), source)
    if sum(member.compress_size for member in members) > packed:
        raise LabError(f"The zip {source.name} is malicious: its files overlap.")
    if by_windows(members):
        for member in members:
            member.filename = member.filename.replace("\\", "/")
    places = Counter(place(member.filename) for member in members)
    entries, declared, hidden = [], 0, set()
    for member in members:
        parts = PurePosixPath(named(member)).parts or ("(no name)",)
        if member.filename.endswith("/") or littered(parts[:1]):
            continue
        if litter := next((end for end in range(1, len(parts)) if littered(parts[end - 1 : end])), 0):
            if parts[:litter] not in hidden:
                entries.append(unlooked(parts[:litter]))
            hidden.add(parts[:litter])
            continue
        why = trap(member)
        if not why and places[place(member.filename)] > 1:
            why = "another file of the zip has this name, but for upper and lower case at most"
        declared += 0 if why else member.file_size
        entries.append(
            Entry(parts, lambda member=member, why=why: unpacked(archive, member, why), astray(member))
        )
    if declared > MOST_BYTES:
        raise LabError(f"The zip {source.name} unpacks to {declared / 2**30:,.0f} GiB; the limit is "
                       f"{MOST_BYTES / 2**30:.0f} GiB.")  # fmt: skip
    return thinned(entries, source)


def by_windows(members: list[zipfile.ZipInfo]) -> bool:
    """Whether the paths of a zip have backslashes between their parts: old Windows tools write all so."""
    return all(member.create_system == 0 and "/" not in member.orig_filename for member in members)


def named(member: zipfile.ZipInfo) -> str:
    """The path of a member. macOS writes UTF-8 without saying so, which zipfile reads as code page 437."""
    try:
        return member.filename.encode("cp437" if not member.flag_bits & 0x800 else "utf-8").decode("utf-8")
    except UnicodeError:
        return member.filename


def place(filename: str) -> str:
    """The path of a member on a case-insensitive disk."""
    return unicodedata.normalize("NFC", filename).casefold().rstrip("/")


def astray(member: zipfile.ZipInfo) -> str:
    """The problem of a member's path, or ""."""
    name = member.filename
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "the path is absolute"
    if "\\" in name or "\0" in member.orig_filename:  # zipfile cuts `filename` at a null byte
        return "the path holds a backslash or a null byte"
    if ".." in name.split("/"):
        return "the path leads out of the zip with '..'"
    if not PurePosixPath(name).parts:
        return "it has no name"
    return "the path is too long" if len(name) > LONGEST else ""


def trap(member: zipfile.ZipInfo) -> str:
    """The reason not to unpack a member, or ""."""
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a special file"
    if member.flag_bits & 1:
        return "it is encrypted"
    if member.file_size > LARGEST:
        return f"it has {member.file_size / 2**20:,.0f} MiB; the limit is {LARGEST / 2**20:.0f} MiB"
    if member.file_size > max(2**20, MOST_RATIO * member.compress_size):
        return f"it unpacks to more than {MOST_RATIO} times its packed size, as a zip bomb does"
    return ""


def unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, why: str = "") -> bytes:
    """A member's bytes, limited to the size of a notebook, independent of its declared size."""
    if why:
        raise Unreadable(f"'{shown(member.filename)}' in the zip is not read: {why}.")
    try:
        with archive.open(member) as file:
            raw = file.read(LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError):
        raise Unreadable(f"'{shown(member.filename)}' is damaged in the zip.") from None
    if len(raw) > LARGEST:
        raise Unreadable(too_large(member.filename, len(raw)))
    return raw
