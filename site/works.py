"""The works that the labs cite: the list of the sources page, and the reading list."""

import re
from dataclasses import dataclass, field

from grader.author import source

ADDRESS = re.compile(r"\[([^]]+)\]\((https?://[^)\s]+)\)")
INITIALS = re.compile(r"^(?:[A-Z]\.[ -]?)+")


@dataclass
class Work:
    """A cited work. name: authors, year and title, in Markdown; shown: the text of its link."""

    address: str
    shown: str
    name: str
    labs: list[str] = field(default_factory=list)  # their numbers


def cited(labs: list[str]) -> list[Work]:
    """Every work with an address that a lab cites, in the order of first authors."""
    works: dict[str, Work] = {}
    for lab in labs:
        for item in items(lab):
            start = 0
            for link in ADDRESS.finditer(item):
                name = item[start : link.start()].strip(" (),:;")
                name += ")" * (name.count("(") - name.count(")"))
                work = works.setdefault(link[2], Work(link[2], link[1], name))
                work.name, start = max(work.name, name, key=len), link.end()
        for address in ADDRESS.finditer(prose(lab)):
            work = works.setdefault(address[2], Work(address[2], address[1], ""))
            work.labs += [lab[:2]] * (lab[:2] not in work.labs)
    return sorted(works.values(), key=lambda work: INITIALS.sub("", work.name or work.shown).casefold())


def sources(labs: list[str]) -> str:
    """The list of the sources page."""
    return "\n".join(
        f"- {work.name}{': ' if work.name else ''}[{work.shown}]({work.address}). Lab {', '.join(work.labs)}."
        for work in cited(labs)
    )


def reading(labs: list[str]) -> str:
    """The page of what to read on, lab by lab, with the question that each lab leaves open."""
    lines = [
        "# Reading list",
        "",
        "What to read after each lab, and the question that it leaves open. In a seminar each participant "
        "takes one of these papers ([syllabus](docs/syllabus.md)).",
    ]
    for lab in labs:
        if found := items(lab):
            title = " ".join(source.read(lab)[0].text.splitlines()[0].lstrip("# ").split())
            lines += ["", f"## {title}", "", *(f"- {item}" for item in found), "", question(lab)]
    return "\n".join(lines) + "\n"


def items(lab: str) -> list[str]:
    """The items of a lab's list "Read on", each as one line."""
    _, _, end = prose(lab).partition("## Read on\n")
    listed = re.split(r"^- ", end.partition("\n\n**")[0], flags=re.MULTILINE)[1:]
    return [" ".join(item.split()) for item in listed]


def question(lab: str) -> str:
    """The open question of a lab, "" where it has none."""
    found = re.search(r"\*\*Open question\.\*\*.+?(?=\n\n|\Z)", prose(lab), re.DOTALL)
    return found[0] if found else ""


def prose(lab: str) -> str:
    """All that a lab says outside its cells of code."""
    return "\n\n".join(cell.text for cell in source.read(lab) if cell.kind == "prose")
