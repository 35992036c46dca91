"""A strict parser of notebook files; every malformed file raises Unreadable with a sentence.

Values that are not JSON, too deep or ambiguous become `Odd`. Where one is read, the file is unreadable; in an
output or in metadata that nobody reads it is a flag.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nbformat

LARGEST = 50 * 2**20  # bytes of a notebook file
MOST_VALUES = 2_000_000  # lists, objects and keys in its JSON; each takes twenty times its size
MOST_SOURCE = 10 * 2**20  # characters in its cells, without outputs
MOST_CELLS = 5_000
KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number",
         bool: "true or false", type(None): "missing or null"}  # fmt: skip


DEEPEST = 100  # levels of lists and objects; a cell's source stands on the fourth
LONGEST_NUMBER = 4000  # digits
TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class Odd:
    """A value that is not read: `problem` is a sentence about the file, or the end of one."""

    problem: str


class Unreadable(Exception):
    """The reason, in one sentence, why a file is not a notebook."""


@dataclass(frozen=True)
class Cell:
    """The data of a student's cell for grading; outputs and other metadata are not read."""

    index: int
    kind: str  # code, markdown or raw
    source: str
    claims: dict = field(default_factory=dict)  # its nbgrader metadata, used for alignment only
    identity: str = ""  # its nbformat cell id
    attachments: dict = field(default_factory=dict)

    @cached_property
    def plain(self) -> str:
        """The source for comparison."""
        return plain(self.source)


def plain(source: str) -> str:
    """A source for comparison: stripped, and with one kind of line ending."""
    return source.replace("\r\n", "\n").strip()


def shown(text: str, most: int = 60) -> str:
    """A student's text for use in a sentence: one printable line of limited length."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def brief(value) -> str:
    """A JSON value for use in a sentence."""
    if isinstance(value, Odd):
        return "no value of JSON"
    return KINDS[type(value)] if isinstance(value, dict | list) else shown(json.dumps(value), 40)


def too_large(name: str, size: int) -> str:
    """The sentence on a file that is too large."""
    return (f"{shown(name)} has {size / 2**20:,.0f} MiB; the limit is {LARGEST / 2**20:.0f} MiB: "
            "clear its outputs and submit it again.")  # fmt: skip


def read_notebook(raw: bytes) -> tuple[list[Cell], dict, list[str]]:
    """Cells, metadata and flags of a notebook of format 3 or 4. Raises Unreadable with the problem."""
    content, flags = parsed(raw)
    data = a(dict, content, "The file")
    if "nbformat" not in data:
        raise Unreadable(" ".join(["The file is JSON, but it has no 'nbformat': it is no notebook.", *flags]))
    major = a(int, data["nbformat"], "The notebook's nbformat")
    minor = a(int, data.get("nbformat_minor", 0), "The notebook's nbformat_minor")
    if major not in (3, 4):
        raise Unreadable(f"The notebook has format {brief(major)}; formats 3 and 4 can be read.")
    metadata = a(dict, data.get("metadata", {}), "The notebook's metadata")
    cells = []
    if major == 3:
        flags.append("The notebook has the old format 3 and was brought to format 4.")
        for sheet in a(list, data.get("worksheets"), "The notebook's worksheets"):
            cells += a(list, a(dict, sheet, "A worksheet").get("cells"), "A worksheet's cells")
    else:
        cells = a(list, data.get("cells"), "The notebook's cells")
        if minor > nbformat.current_nbformat_minor:
            flags.append(
                f"The notebook has format 4.{brief(minor)}, newer than known here; its cells could be read."
            )
    if not cells:
        raise Unreadable("The notebook has no cells.")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has {len(cells):,} cells; the limit is {MOST_CELLS:,}.")
    found = [read_cell(cell, index) for index, cell in enumerate(cells)]
    if sum(len(cell.source) for cell in found) > MOST_SOURCE:
        raise Unreadable(f"The notebook's cells hold more than {MOST_SOURCE / 2**20:.0f} MiB of text.")
    return found, metadata, flags


def parsed(raw: bytes) -> tuple[Any, list[str]]:
    """The JSON of a file with `Odd` for what is no plain JSON, and a flag for each kind of it."""
    if len(raw) > LARGEST:
        raise Unreadable(too_large("The file", len(raw)))
    if not raw.strip():
        raise Unreadable("The file is empty.")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]:
        raise Unreadable("The file is UTF-16 text or binary; a notebook is UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Unreadable(f"The file is not UTF-8 text: byte {problem.start + 1:,} is wrong.") from None
    if text.lstrip().startswith("<"):
        raise Unreadable("The file is HTML or XML, not a notebook: was the page saved instead of the file?")
    if text.count("{") + text.count("[") + text.count('":') > MOST_VALUES:
        raise Unreadable("The file holds millions of values: clear its outputs and submit it again.")
    odd: dict[str, Odd] = {}

    def note(problem: str) -> Odd:
        return odd.setdefault(problem, Odd(problem))

    hooks: dict[str, Any] = {
        "object_pairs_hook": lambda pairs: without_repeats(pairs, note),
        "parse_constant": lambda name: note(f"The file holds {name}, which is not JSON"),
        "parse_int": lambda digits: (
            int(digits)
            if len(digits) <= LONGEST_NUMBER
            else note("The file holds a number with thousands of digits")
        ),
    }
    try:
        try:
            content = json.loads(text, **hooks)
        except RecursionError:
            note("The file's JSON is nested too deeply to be a notebook")
            content = json.loads(flattened(text), **hooks)
    except json.JSONDecodeError as problem:
        if text.lstrip().startswith("{") and not text.rstrip().endswith("}"):
            long = f"{len(raw):,} byte{'s' * (len(raw) != 1)}"
            raise Unreadable(f"The file was cut off: it ends after {long} in the middle.") from None
        raise Unreadable(f"The file is not JSON: {problem.msg} in line {problem.lineno:,}.") from None
    if type(content) is not dict and odd:
        raise Unreadable(f"{next(iter(odd))}.")
    return content, [f"{problem}; no code of the notebook depends on it." for problem in odd]


def flattened(text: str) -> str:
    """A JSON text with null for every list and object deeper than DEEPEST."""
    kept, depth, start = [], 0, 0
    for token in TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept += [text[start : token.start()], "null"]
        elif token[0] in "]}":
            if depth == DEEPEST + 1:
                start = token.end()
            depth -= 1
    return "".join(kept) + (text[start:] if depth <= DEEPEST else "")


def without_repeats(pairs: list[tuple], note: Callable[[str], Odd]) -> dict | Odd:
    """The dict of a JSON object, or `Odd` if a key stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        return note(f"The key '{shown(twice)}' stands twice in one object")
    return found


def a(kind: type, value, what: str):
    """Return `value` if it has this JSON type; otherwise raise Unreadable."""
    if isinstance(value, Odd):
        raise Unreadable(f"{value.problem}.")
    if type(value) is not kind:
        raise Unreadable(f"{what} is {KINDS[type(value)]} where {KINDS[kind]} should stand.")
    return value


def read_cell(raw, index: int) -> Cell:
    """Parse one cell of format 3 or 4."""
    what = f"Cell {index + 1}"
    cell = a(dict, raw, what)
    kind = a(str, cell.get("cell_type"), f"{what}'s cell_type")
    source = cell.get("source", cell.get("input"))
    if type(source) is list:
        source = "".join(a(str, line, f"A line of cell {index + 1}") for line in source)
    source = (
        a(str, source, f"{what}'s source").encode("utf-8", "replace").decode()
    )  # a lone surrogate becomes ?
    if kind == "heading":  # format 3
        kind, source = "markdown", f"## {source}"
    if kind not in ("code", "markdown", "raw"):
        raise Unreadable(f"{what} has the type '{shown(kind)}', which is not code, markdown or raw.")
    claims = a(dict, cell.get("metadata", {}), f"{what}'s metadata").get("nbgrader")
    for claim in (claims, *(claims.values() if type(claims) is dict else ())):
        if isinstance(claim, Odd):
            raise Unreadable(f"{claim.problem}.")
    identity = cell.get("id")
    return Cell(
        index,
        kind,
        source,
        claims=claims if type(claims) is dict else {},
        identity=identity if type(identity) is str else "",
        attachments=pasted_images(cell.get("attachments")) if kind != "code" else {},
    )


def pasted_images(found) -> dict:
    """Images pasted into a markdown cell, {name: {type: base64}}; other attachments are dropped."""

    def is_image(bundle) -> bool:
        return type(bundle) is dict and all(
            re.fullmatch(r"image/[a-z+.-]+", kind) and type(data) is str and data.isascii()
            for kind, data in bundle.items()
        )

    if type(found) is not dict:
        return {}
    return {name: bundle for name, bundle in found.items() if name.isprintable() and is_image(bundle)}
