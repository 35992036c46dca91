"""CSV files as spreadsheets save them: any of three separators, several encodings, titles in any case."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from labsupport import files
from labsupport.errors import LabError

LARGEST = 20 * 2**20  # bytes
WESTERN = "’‘´–—\xa0"  # signs of Windows-1252 in names
FORMULA = "=+-@\t\r\n＝＋－＠"  # a cell that begins with one of these is code to a spreadsheet
IGNORABLE = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # marks


def table(path: Path, called: str = "") -> list[list[str]]:
    """The rows of cells, the titles first, without space and invisible marks around a cell.

    called: what messages call the file, by default its path. Raises LabError.
    """
    called = called or str(path)
    try:
        raw = path.read_bytes()
        text = decoded(raw)
    except OSError as problem:
        raise LabError(f"{called} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise LabError(f"{called} is not UTF-8: save it as 'CSV UTF-8'.") from problem
    if len(raw) > LARGEST:
        raise LabError(f"{called} has {len(raw) / 2**20:,.0f} MiB; the limit is {LARGEST / 2**20:.0f} MiB.")
    text = re.sub(r"\A\s*sep=(.)\s*?(\r\n|\r|\n)", "", text).lstrip("\r\n")  # a line for spreadsheets
    head = (re.sub('"[^"]*"', "", text[:100_000]).splitlines() or [""])[0]
    rows, end, long = [], 0, 0  # end: of the last row, in lines of the file; long: the first with more cells
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        for cells in reader:
            rows.append(cells)
            long = long or (end + 1) * any(map(str.strip, cells[len(rows[0]) :]))
            end = reader.line_num
    except csv.Error as problem:
        raise LabError(
            f"{called} is not a CSV file in line {end + 1}, where a quotation mark may be missing: {problem}."
        ) from problem
    if long:
        raise LabError(
            f"{called} has more cells in line {long} than titles: the titles must be the first line, and a "
            "cell that holds the separator needs quotation marks around it."
        )
    return [[plain(cell) for cell in cells] for cells in rows]


def plain(cell: str) -> str:
    """The text of a cell: without space and marks around it, and of ="007", an id kept from a spreadsheet."""
    cell = cell.strip().strip(IGNORABLE).strip()
    inside = re.fullmatch('="([^"]*)"', cell)
    return inside[1] if inside else cell


def harmless(cell: str) -> str:
    """The cell with a sign in front where a spreadsheet would calculate it."""
    formula = cell.lstrip(" ")[:1] in FORMULA and bool(cell.strip(" "))
    return f"'{cell}" if formula else cell


def titles_of(rows: list[list[str]]) -> list[str]:
    """The titles of a table's columns, in lower case and with _ for what is no letter or digit."""
    return [re.sub(r"\W+", "_", title.casefold()).strip("_") for title in rows[0]] if rows else []


def once(rows: list[list[str]], title: str, called: object) -> None:
    """Raise LabError where two columns have a title: nobody knows which of them counts."""
    if titles_of(rows).count(title) > 1:
        raise LabError(f"{called} has two columns '{title}': remove one of them, or give it another title.")


def lines(rows: list[list[str]], wanted: Iterable[str]) -> list[dict[str, str]]:
    """The lines of a table as the wanted cells by title, "" for those that are missing."""
    named = [dict(zip(titles_of(rows), cells, strict=False)) for cells in rows[1:]]
    return [{title: line.get(title, "") for title in wanted} for line in named]


def write_lines(path: Path, titles: Collection[str], lines: Iterable[dict[str, str]]) -> None:
    """Write lines, cells by title, as a CSV, atomically. Raises OSError."""
    write(path, [titles, *([line.get(title, "") for title in titles] for line in lines)])


def write(path: Path, rows: Iterable[Iterable[str]], encoding: str = "utf-8") -> None:
    """Write rows of cells as a CSV, atomically. Raises OSError.

    encoding: utf-8-sig for people, whose spreadsheets read UTF-8 only with a mark in front.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_whole(path, text.getvalue().encode(encoding))


def decoded(raw: bytes) -> str:
    """The text of a CSV as spreadsheets save it: UTF-8, UTF-16, or Windows-1252.

    Raises UnicodeDecodeError for other bytes. What is no Latin name in Windows-1252, as two accented letters
    in a row, is of another code page.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    if b"\0" in raw[:2]:
        return raw.decode("utf-16-le" if raw[1:2] == b"\0" else "utf-16-be")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252")
        beyond = re.findall(r"[^\0-\x7f]+", text)
        if any(len(run) > 1 or (not run.isalpha() and run not in WESTERN) for run in beyond):
            raise
        return text
