"""What stands around the exercises of a lab: guesses, where to read on, and the way to the next lab."""

import json
import re

import pytest

from grader import course
from grader.author import source

LABS = course.labs()[1:]


def prose(lab: str) -> str:
    return "\n\n".join(cell.text for cell in source.read(lab) if cell.kind == "prose")


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_ends_with_what_to_read_and_a_way_on(lab):
    """Every paper of the list can be opened, a question stays open, and the link leads to the next lab."""
    text = prose(lab)
    end = text[text.index("## Read on") :]
    papers = re.findall(r"\[arXiv:(\d{4}\.\d{5})\]\(https://arxiv\.org/abs/(\d{4}\.\d{5})\)", end)
    assert papers and all(shown == linked for shown, linked in papers)
    assert "**Open question.**" in end and "**Next:**" in end
    links = re.findall(r"\]\((\.\./.+?\.ipynb)\)", end)
    after = course.labs()[course.labs().index(lab) + 1 :][:1]  # the last lab has none
    found = [(course.notebook(lab).parent / link).resolve() for link in links]
    assert found == [course.notebook(each) for each in after]


@pytest.mark.parametrize("lab", LABS)
def test_every_paper_that_is_named_is_in_the_list(lab):
    """By its first author: "Sun et al. 2024b" in the text is "Sun" in the list."""
    text = prose(lab)
    named = set(re.findall(r"(\w+) et al\. 20\d\d", text))
    end = text[text.index("## Read on") :]
    assert named and {name for name in named if name not in end} == set()


@pytest.mark.parametrize("lab", LABS)
def test_a_guess_is_asked_before_its_figure(lab):
    """Nothing is guessed for the reader, and each guess is drawn before the next one is asked."""
    codes = [cell.text for cell in source.read(lab) if cell.kind == "experiment"]
    order = [code for code in codes if re.search(r"\bguess\b", code)]
    asked = ["guess = None  # your guess: " in code for code in order]
    assert asked == [True, False] * (len(order) // 2) and order
    assert all("guess)" in code for code in order[1::2])


@pytest.mark.parametrize("lab", LABS)
def test_hints_are_folded_and_closed(lab):
    """A fold that stays open shows the next hint with it."""
    text = prose(lab)
    assert text.count("<details>") == text.count("</details>") > 0


@pytest.mark.parametrize("lab", course.labs())
def test_a_lab_ends_with_how_its_memory_is_given_back(lab):
    """Six labs whose kernels stay are more than a machine of 8 GB has."""
    last = source.read(lab)[-1].text
    assert "Choose *Kernel*, then *Shut Down Kernel*" in last
    assert "whose tab you closed does so by itself after half an hour" in last


def test_the_kernel_of_a_closed_lab_ends_after_half_an_hour():
    """That of an open one stays: whoever thinks for an hour finds all names as they were."""
    file = course.ROOT / "labsupport" / "jupyter" / "jupyter_server_config.json"
    kernels = json.loads(file.read_text())["MappingKernelManager"]
    assert kernels["cull_idle_timeout"] == 30 * 60 and not kernels["cull_connected"]
