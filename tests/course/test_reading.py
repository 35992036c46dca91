"""What stands around the exercises of a lab: guesses, where to read on, and the way to the next lab."""

import ast
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
    end = text[text.index("## Read on\n") :]
    papers = re.findall(r"\[arXiv:(\d{4}\.\d{5})\]\(https://arxiv\.org/abs/(\d{4}\.\d{5})\)", end)
    assert papers and all(shown == linked for shown, linked in papers)
    assert "**Open question.**" in end and "**Next:**" in end
    links = re.findall(r"\]\((\.\./.+?\.ipynb)\)", end)
    after = course.labs()[course.labs().index(lab) + 1 :][:1]  # the last lab has none
    found = [(course.notebook(lab).parent / link).resolve() for link in links]
    assert found == [course.notebook(each) for each in after]


NO_PREPRINT = ("McNemar 1947", "B. Hassibi", "D. Jurafsky", "Y. Zhang")  # before arXiv, a book, ICLR alone
SOFTWARE = ("lm-evaluation-harness", "The PyTorch documentation")  # with their own addresses


@pytest.mark.parametrize("lab", LABS)
def test_every_paper_that_is_named_is_in_the_list(lab):
    """By its first author: Sun of "Sun et al. 2024b" in the text, Frantar of "Frantar and Alistarh 2023"."""
    text = prose(lab)
    named = set(re.findall(r"(\w+) et al\. (?:19|20)\d\d", text))
    named |= set(re.findall(r"(\w+) and \w+ (?:19|20)\d\d", text))
    end = text[text.index("## Read on\n") :]
    assert named and {name for name in named if name not in end} == set()


@pytest.mark.parametrize("lab", LABS)
def test_every_paper_of_the_list_has_its_id(lab):
    """Who wants to read one need not search for it."""
    text = prose(lab)
    end = text[text.index("## Read on\n") : text.index("**Open question.**")]
    items = re.findall(r"^- (.+(?:\n  .+)*)", end, re.MULTILINE)
    known = (*NO_PREPRINT, *SOFTWARE)
    without = [each for each in items if "arXiv:" not in each and not any(name in each for name in known)]
    assert items and without == []


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_opens_with_why(lab):
    """What a phone's memory holds, in gigabytes, and what it reads or writes in a second, come first."""
    first = next(cell.text for cell in source.read(lab) if cell.kind == "prose").split("| | |")[0]
    assert "phone" in first and re.search(r"\d GB", first)
    assert re.search(r"\d (?:GB|tokens) a\s+second|writes \d+", first)


@pytest.mark.parametrize("lab", LABS)
def test_something_is_left_to_try(lab):
    """After the first figure with a guess, the reader is asked what another number would give."""
    cells = source.read(lab)
    first = next(place for place, cell in enumerate(cells) if "guess = None" in cell.text)
    assert any("**What if**" in cell.text for cell in cells[first:] if cell.kind == "prose")


WITHOUT_NUMBERS = {"mask_patterns", "masks_side_by_side"}  # pictures of masks: there is nothing to count
COMPUTED = re.compile(r"print\(.{0,150}?(f\"|columns|join|format|side)", re.DOTALL)


@pytest.mark.parametrize("lab", LABS)
def test_below_a_figure_stands_what_came_out(lab):
    """Computed from the numbers, so that it is true of every model, and printed before the next figure."""
    codes = [cell.text for cell in source.read(lab) if cell.kind == "experiment"]
    drawn = [place for place, code in enumerate(codes) if re.search(r"\bplots\.\w+\(", code)]
    for place, until in zip(drawn, [*drawn[1:], len(codes)], strict=True):
        figures = set(re.findall(r"\bplots\.(\w+)\(", codes[place]))
        said = [code for code in codes[place:until] if COMPUTED.search(code)]
        assert said or figures <= WITHOUT_NUMBERS, codes[place]


def pruned_in_place(code: str) -> list[str]:
    """The calls that prune `model` outside of `with linears.masked(model, ...)` and of functions with one."""
    healed, calls = [], []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.With) and any("linears.masked(model" in ast.unparse(i) for i in node.items):
            healed.append(node)
        prunes = isinstance(node, ast.Call) and node.args and PRUNES.search(ast.unparse(node.func))
        if prunes and ast.unparse(node.args[0]) == "model":
            calls.append(node)
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    healed += [each for each in functions if "with linears.masked(model" in ast.unparse(each)]
    lines = {line for each in healed for line in range(each.lineno, each.end_lineno + 1)}
    return [ast.unparse(call) for call in calls if call.lineno not in lines]


PRUNES = re.compile(r"(^|\.)(apply_masks|prune_\w+|drop_blocks|recover|distill)$")


@pytest.mark.parametrize("lab", course.labs())
def test_no_experiment_leaves_the_model_pruned(lab):
    """The next cell, or the same one again after an interrupt, would measure another model without a word."""
    for cell in source.read(lab):
        if cell.kind == "experiment":
            assert pruned_in_place(cell.text) == []


def test_a_model_that_is_pruned_for_good_is_seen():
    assert pruned_in_place("prune_magnitude(model, 0.5)\nfound = perplexity(model, windows)")
    assert not pruned_in_place("with linears.masked(model, everything):\n    prune_sparsegpt(model, b, 0.5)")


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
    said, button = (cell.text for cell in source.read(lab)[-2:])
    assert button == "closing.button()" and "Press the button below" in said
    assert "whose tab you closed does so by itself after half an hour" in " ".join(said.split())


def test_the_kernel_of_a_closed_lab_ends_after_half_an_hour():
    """That of an open one stays: whoever thinks for an hour finds all names as they were."""
    file = course.ROOT / "labsupport" / "jupyter" / "jupyter_server_config.json"
    kernels = json.loads(file.read_text())["MappingKernelManager"]
    assert kernels["cull_idle_timeout"] == 30 * 60 and not kernels["cull_connected"]
