"""Prose of a submission: can what it becomes as HTML act, or ask another machine for anything?"""

import html
import re

import pytest
from nbconvert.filters import markdown2html

from grader.grade.sanitize import tame

CALL = "alert(1)"
SCRIPT_LINKS = [
    f"[here](javascript:{CALL})",
    f"[here](JavaScript:{CALL})",
    f"[here](javascript\\:{CALL})",
    f"[here](javascript&#58;{CALL})",
    f"[here](javascript&#58{CALL})",
    f"[here](javascript&colon;{CALL})",
    f"[here](javascript&amp;#58;{CALL})",
    f"[here](javascript\\&#58;{CALL})",
    f"[here](&#106;avascript:{CALL})",
    f"[here](java\tscript:{CALL})",
    f"[here](java\rscript:{CALL})",
    f"[here](java&Tab;script:{CALL})",
    f"[here](\x01javascript:{CALL})",
    f"[here][there]\n\n[there]: javascript:{CALL}",
    f"[here][there]\n\n[there]: javascript&#58;{CALL}",
    f"<javascript:{CALL}>",
]


def addresses(page: str) -> list[str]:
    """Where links and pictures lead, as a browser reads addresses."""
    found = re.findall(r"""(?:href|src)\s*=\s*["']?([^"'>]*)""", page)
    return [re.sub(r"[\t\r\n]", "", html.unescape(each)).lstrip("\0\1 ").lower() for each in found]


@pytest.mark.parametrize("prose", SCRIPT_LINKS)
def test_no_link_runs_a_script(prose):
    """Whoever grades clicks on what looks like a link."""
    assert not any(each.startswith("javascript:") for each in addresses(markdown2html(tame(prose))))


def test_the_links_would_run():
    """Most of them do lead to a script where nothing tames them."""
    untamed = [addresses(markdown2html(prose)) for prose in SCRIPT_LINKS]
    run = [found for found in untamed if any(each.startswith("javascript:") for each in found)]
    assert len(run) >= len(SCRIPT_LINKS) / 2


@pytest.mark.parametrize("prose", ["![seen](http://elsewhere/a.png)", "![seen][a]\n\n[a]: http://elsewhere/a.png",
                                   "[![seen](http://elsewhere/a.png)](http://elsewhere)"])  # fmt: skip
def test_no_picture_is_asked_for(prose):
    """A picture from elsewhere tells who opened the page, and when."""
    assert "<img" in markdown2html(prose) and "<img" not in markdown2html(tame(prose))


def test_plain_prose_stays():
    """Who sets no traps finds the answer as it was written."""
    prose = "Drop $k$ of $n$: *small* & **large**, [source](https://example.org), `x[0]`!"
    assert tame(prose) == prose
