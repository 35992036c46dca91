"""The reference numbers that a lab shows beside the student's own are what comes out of it."""

import re

import pytest

from labsupport.table import columns
from tests.course.lab_runs import ON_COURSE_MODEL
from tests.course.test_labs import text

WITHIN = 0.01  # of the reference
# Where a table's first column says one of these, the numbers may differ by more, and the lab says why.
LOOSER = {
    "07_zero_shot": {"": 0.06},  # two of 80 questions, on which two choices are nearly equal
    "09_sparsegpt": {"SparseGPT": 0.03, "SparseGPT, 2:4": 0.06},  # depend on the processor's vectors
    "10_depth": {"gone, then by": 0.03},  # rounding repeated through a training
    "11_on_device": {"2 bits": 0.05},  # a model so far gone
    "06_recovery": {"": 0.02},  # after a training
}
WITH_REFERENCES = [each for each in ON_COURSE_MODEL if each.values[0][:2] not in ("00", "12")]


def pairs(output: str) -> list[tuple[str, float, float]]:
    """(row, measured, reference) of all tables in a text: one column is called reference, or "NAME (ours)".

    The measured one is that on its left, or the one called NAME.
    """
    lines, found = output.splitlines(), []
    for number, line in enumerate(lines):
        if not (number and re.fullmatch(r"-+(  -+)+", line)):
            continue
        spans = [match.span() for match in re.finditer("-+", line)]

        def cells(row: str, spans=spans) -> list[str]:
            return [row[first:last].strip() for first, last in spans]

        head = cells(lines[number - 1])
        places = {place: place - 1 for place, name in enumerate(head) if name == "reference"}
        ours = {place: name.removesuffix(" (ours)") for place, name in enumerate(head)}
        places |= {place: head.index(name) for place, name in ours.items() if name != head[place]}
        for row in lines[number + 1 :]:
            if not row.strip():
                break
            each = cells(row)
            values = [
                (each[mine].replace(",", ""), each[theirs].replace(",", ""))
                for theirs, mine in places.items()
            ]
            found += [(each[0], float(mine), float(theirs)) for mine, theirs in values if theirs != "-"]
    return found


def apart(lab: str, found: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Those of which measurement and reference differ by more than this lab may."""

    def limit(row: str) -> float:
        return max((share for part, share in LOOSER.get(lab, {}).items() if part in row), default=WITHIN)

    return [(row, mine, theirs) for row, mine, theirs in found if abs(mine - theirs) > limit(row) * theirs]


@pytest.mark.notebook
@pytest.mark.parametrize("lab", WITH_REFERENCES)
def test_the_references_are_what_comes_out(lab, on_course_model):
    outputs = [text(each) for cell in on_course_model(lab).notebook.cells for each in cell.get("outputs", [])]
    found = [pair for output in outputs for pair in pairs(output)]
    assert found and apart(lab, found) == []


def test_a_wrong_reference_is_seen():
    """One that is a percent off, wherever its column stands; a dash is none."""
    header = ["", "yours", "reference", "a", "b", "a (ours)", "b (ours)"]
    table = columns(
        header, [["10 %", "23.95", "24.30", "1,000", "3", "1,001", "4"], ["x", "1", "-", "2", "2", "2", "-"]]
    )
    found = pairs(f"said before\n{table}\n\nsaid after")
    assert found == [
        ("10 %", 23.95, 24.3), ("10 %", 1000, 1001), ("10 %", 3, 4), ("x", 2, 2),
    ]  # fmt: skip
    assert apart("01_perplexity", found) == [("10 %", 23.95, 24.3), ("10 %", 3, 4)]
    assert apart("11_on_device", [("2 bits", 104, 100), ("3 bits", 104, 100)]) == [("3 bits", 104, 100)]
