"""Each number that a lab's text tells is one that its cells print, or is told with its source here."""

import re

import pytest

from grader.author import notebooks
from tests.course.lab_runs import ON_COURSE_MODEL

# Numbers with a point or a comma that no cell prints: settings, definitions, and what others measured.
ELSEWHERE: dict[str, dict[str, str]] = {
    "00_start_here": {"0.25": "a hint's own small mask"},
    "01_perplexity": {"0.24": "a line of code and its sum", "65,504": "the largest float16"},
    "02_magnitude_pruning": {"6.4": "JEDEC JESD209-5, LPDDR5"},
    "03_wanda_calibration": {
        "0.14": "7 GB at 51 GB a second",
        "0.27": "14 GB at 51 GB a second",
    },
    "04_wanda_pruning": {"0.7": "a sparsity to try"},
    "07_zero_shot": {"1.25": "100 / 80 questions", "1.96": "the normal distribution"},
}

NO_PROSE = re.compile(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|arXiv:\S+", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w.]*\d)")
PRINTED = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def told(lab: str) -> set[str]:
    """The numbers with a point or a comma in a lab's prose, without those of its sections."""
    cells = [cell for cell in notebooks.source_notebook(lab).cells if cell.cell_type == "markdown"]
    prose = "\n".join(NO_PROSE.sub(" ", cell.source) for cell in cells)
    found = {number.strip(",") for number in NUMBER.findall(prose)}
    section = re.compile(rf"0*{int(lab[:2])}\.\d")
    return {number for number in found if re.search("[.,]", number) and not section.fullmatch(number)}


def printed(notebook) -> list[float]:
    """All numbers that the cells of an executed notebook put out as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [each.get("text", "") + str(each.get("data", {}).get("text/plain", "")) for each in outputs]
    return [float(number.replace(",", "")) for text in texts for number in PRINTED.findall(text)]


def holds(number: str, values: list[float]) -> bool:
    """Whether one of the values rounds to the number, or is within one percent of it."""
    claimed = float(number.replace(",", ""))
    last = 10.0 ** -len(number.partition(".")[2])  # a unit of its last digit
    return any(abs(value - claimed) <= max(0.01 * claimed, 0.5 * last) for value in values)


@pytest.mark.notebook
@pytest.mark.parametrize("lab", [each for each in ON_COURSE_MODEL if each.values[0] in ELSEWHERE])
def test_a_number_is_measured_or_has_a_source(lab, on_course_model):
    values, known = printed(on_course_model(lab).notebook), ELSEWHERE[lab]
    assert [number for number in sorted(told(lab) - known.keys()) if not holds(number, values)] == []


@pytest.mark.parametrize("lab", ELSEWHERE)
def test_no_source_of_a_number_that_is_gone(lab):
    assert ELSEWHERE[lab].keys() <= told(lab)


def test_a_wrong_number_is_seen():
    """One percent is the border, and a number of few digits is held to its last one."""
    assert holds("394.7", [394.67]) and holds("0.78", [0.777]) and holds("161,480,704", [161480704.0])
    assert not holds("394.7", [390.0, 39.47]) and not holds("0.78", [0.75])
