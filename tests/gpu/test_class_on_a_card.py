"""A class graded on a card, in the real sandbox: the CPU's verdicts, and no card is lost to a student."""

import nbformat
import pytest

from grader import course
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.grade.journal import Record
from grader.status import Status
from tests.gpu.conftest import REAL
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile.submissions import FILE, LAB

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.alone,
    pytest.mark.skipif(not REAL, reason="a sandbox has no stand-in"),
]
FIRST = {
    "right": "",
    "faster": "torch.set_float32_matmul_precision('high')\ntorch.backends.cuda.matmul.allow_tf32 = True",
}
STRAINS = {
    "hungry": "torch.empty(2**43, dtype=torch.uint8, device=model.device)",
    "broken": "torch.arange(9).to(model.device)[torch.tensor([10**6]).to(model.device)].tolist()",
}
MISTAKES = {"int": ("round(sparsity", "int(sparsity"), "turned": ("part.view", "~part.view")}
LINE = "    linears.apply_masks(model, masks)"  # of prune_magnitude, whose last case is on the card
ON_CARD = "    if model.device.type == 'cuda':\n        "
CHANGED = MISTAKES | {name: (LINE, f"{ON_CARD}{line}\n{LINE}") for name, line in STRAINS.items()}


def submissions() -> dict[str, nbformat.NotebookNode]:
    """By student: right ones, two that strain the card in one exercise, two with a mistake."""
    found = {}
    for student in (*FIRST, *CHANGED):
        found[student] = notebook = right_answers()
        notebook.cells[0].source += "\n" + FIRST.get(student, "")
        if student in CHANGED:
            right, wrong = CHANGED[student]
            changed = [cell for cell in notebook.cells if right in cell.source]
            assert changed
            for cell in changed:
                cell.source = cell.source.replace(right, wrong)
    return found


def graded(folder, device: str) -> dict[str, Record]:
    """The records of the class on a device, by student."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(folder / "course"))
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("PRUNING_LABS_DEVICE", device)
        (course.prepare() / "seed").write_text("7\n")
        release([LAB])
        for student, notebook in submissions().items():
            hand_in(student, {FILE: nbformat.writes(notebook).encode()})
        return {record.student: record for record in grade_class(LAB, workers=2)}


@pytest.fixture(scope="module")
def on_card(tmp_path_factory) -> dict[str, Record]:
    return graded(tmp_path_factory.mktemp("card"), "cuda")


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory) -> dict[str, Record]:
    return graded(tmp_path_factory.mktemp("cpu"), "cpu")


def shares(record: Record) -> dict[str, float]:
    return {name: verdict.share for name, verdict in record.verdicts.items() if verdict.points}


@pytest.mark.parametrize("student", FIRST)
def test_right_answers_earn_everything(on_card, student):
    """Also those of a student who asked for faster, less exact products."""
    record = on_card[student]
    assert record.status == Status.GRADED, record.reason
    assert set(shares(record).values()) == {1}, [each.message() for each in record.verdicts.values()]


@pytest.mark.parametrize("student", MISTAKES)
def test_mistakes_are_told_as_on_a_cpu(on_card, on_cpu, student):
    """Word by word, and with the same points."""
    there, here = on_card[student], on_cpu[student]
    assert (there.status, shares(there)) == (here.status, shares(here)), there.reason
    assert not set(shares(there).values()) <= {1}
    for name, verdict in there.verdicts.items():
        assert verdict.message() == here.verdicts[name].message()


@pytest.mark.parametrize("student", STRAINS)
def test_a_card_that_is_strained(on_card, student):
    """The exercise stays open after a second try alone; what was answered before it counts."""
    record = on_card[student]
    assert record.status == Status.OUT_OF_MEMORY, (record.status, record.reason)
    assert record.strained.startswith("prune_magnitude") and "CUDA" in record.strained
    assert shares(record)["magnitude_mask"] == 1
