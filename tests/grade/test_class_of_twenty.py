"""Five hostile submissions among twenty: the fifteen others get exactly what each gets alone."""

import pytest

from grader.grade.class_run import grade_class
from grader.sandbox.run import Limits
from tests.grade.mixed import another_course, comparable
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile import submissions
from tests.hostile.submissions import ENTRIES, LAB

pytestmark = [pytest.mark.alone, pytest.mark.slow]

LIMITS = Limits(cell_seconds=45, total_seconds=300, memory=3 * 2**30, processes=160, output=4 * 2**20)
CONNECTIONS = """
import os, socket
held = []
for _ in range(3000):
    try:
        one = socket.socket(socket.AF_UNIX)
        one.connect(os.environ["PRUNING_LABS_SOCKET"])
        held.append(one)
    except OSError:
        pass
"""
SHORT_MASK = """
import json, torch
from safetensors.torch import save
claimed = {"tensor": "0", "dtype": "torch.bool", "shape": [2**33]}
head = json.dumps({"dict": {"value": claimed, "error": None, "changed": {"list": []}}}).encode()
body = save({"0": torch.zeros(1, dtype=torch.uint8)})
data = struct.pack("<QQ", len(head), len(body)) + head + body
for _ in range(50): say(struct.pack("<Q", len(data)) + data)
"""
OTHERS = """
honest-ada honest-ben sys-exit-in-a-function exits-at-once asks-for-input noisy-on-stderr mask-as-float
check-cell-deleted check-cell-twice scratch-cells-that-fail syntax-error-in-an-exercise metadata-stripped
claims-another-perplexity downloaded-twice html-page
"""


def hostile() -> dict[str, dict]:
    """Five submissions, each of which has stopped or slowed a class before."""
    first = submissions.with_first_cell
    return {
        "0-connections": first(right_answers(), CONNECTIONS),
        "0-short-mask": first(right_answers(), submissions.SAY + SHORT_MASK),
        "5-no-end": ENTRIES["loop-that-swallows-interrupts"].files(right_answers()),
        "5-all-memory": ENTRIES["takes-all-memory"].files(right_answers()),
        "9-pieces": first(right_answers(), "while True: display(1)"),
    }


def others() -> dict[str, dict]:
    """Fifteen submissions of every ordinary kind: right, mistaken, unfinished, crashed, unreadable."""
    names = enumerate(OTHERS.split())
    return {f"{place}-{name}": ENTRIES[name].files(right_answers()) for place, name in names}


def graded(files: dict[str, dict], workers: int) -> dict[str, dict]:
    with another_course():
        for student, handed_in in files.items():
            hand_in(student, handed_in)
        return comparable(grade_class(LAB, workers=workers, limits=LIMITS))


def test_fifteen_of_twenty():
    """Status, verdicts, messages, flags and notebook of each are those of a class of its own."""
    bad, good = hostile(), others()
    assert (len(bad), len(good)) == (5, 15)
    together = graded(good | bad, workers=2)
    assert len(together) == 20
    for student, files in good.items():
        alone = graded({student: files}, workers=1)[student]
        for name, value in alone.items():
            assert together[student][name] == value, (student, name)
    for student in bad:
        assert together[student]["status"] != "GRADER_ERROR", student
