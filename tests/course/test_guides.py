"""The commands of README and the guides, as they are typed: each is one that the course has."""

import re
import shlex

import pytest

from grader import __main__ as grader_commands
from grader import course
from labsupport import __main__ as commands

PAGES = [course.ROOT / "README.md", *sorted((course.ROOT / "docs").glob("*.md"))]
PARSERS = {"grader": grader_commands.parser, "labsupport": commands.parser}
NAMED = {
    "check",
    "forget",
    "watch",
    "extensions",
    "archive",
    "fetch",
    "release",
    "plan",
}  # spoken of by name alone
TYPED = re.compile(r"python3? -m (grader|labsupport) ([^`\n]+)")


def typed(text: str) -> list[tuple[str, list[str]]]:
    """Every whole command of a page, in a block or between two backquotes: its package and its arguments."""
    text = re.sub(r"`[^`]+`", lambda code: " ".join(code[0].split()), text)  # one line each
    found = []
    for package, rest in TYPED.findall(text):
        words = shlex.split(re.split(r" >>? | && ", rest)[0], comments=True)
        found.append((package, words))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_can_be_typed(page, capsys):
    """Whoever copies a line gets no usage message in return."""
    for package, words in typed(page.read_text(encoding="utf-8")):
        if len(words) == 1 and words[0] in NAMED:
            continue
        try:
            PARSERS[package]().parse_args(words)
        except SystemExit as end:
            assert not end.code, (page.name, package, words, capsys.readouterr().err)


def test_commands_are_found():
    """The pages have some."""
    assert sum(len(typed(page.read_text(encoding="utf-8"))) for page in PAGES) > 50
