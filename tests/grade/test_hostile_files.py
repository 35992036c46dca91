"""Hostile files of lab 12 through the real sandbox and the real examiner, beside an honest one."""

import inspect

import nbformat
import pytest

from grader import course
from grader.author import notebooks
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.sandbox.run import Limits
from tests.hostile import files

pytestmark = pytest.mark.alone

LIMITS = Limits(cell_seconds=60, total_seconds=300, memory=3 * 2**30, processes=160, output=4 * 2**20)
HONEST = """
def smallest_file(model, batches, seconds):
    return {name: weight.detach() for name, weight in model.named_parameters()}
"""
PATCHED = """
from labsupport import container
honest = container.encode
container.encode = lambda tensors, config: hostile(honest(tensors, config))
"""


def notebook(name: str | None) -> bytes:
    """What is handed in: the whole model as it is, or a client that sends an entry's bytes in its place."""
    found = notebooks.source_notebook(files.LAB)
    found.cells = [
        cell for cell in found.cells if "nbgrader" in cell.metadata or "import torch" in cell.source
    ]
    cell = next(
        each for each in found.cells if each.metadata.get("nbgrader", {}).get("grade_id") == "smallest_file"
    )
    cell.source = HONEST
    if name:
        source = inspect.getsource(files).replace('LAB = "12_challenge"', "")
        bank = f"{source}\nhostile, _ = FILES[{name!r}]\n{PATCHED}"
        found.cells.insert(0, nbformat.v4.new_code_cell(bank))
    return nbformat.writes(found).encode()


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_seed):
    """The class, graded once: records by student."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(tmp_path_factory.mktemp("class") / "course"))
        (course.prepare() / "seed").write_text(course_seed)
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        release([files.LAB])
        for name in (None, *files.FILES):
            folder = course.folder() / "submitted" / (name or "honest").replace("_", "-") / files.LAB
            folder.mkdir(parents=True)
            (folder / f"{files.LAB}.ipynb").write_bytes(notebook(name))
        yield {record.student: record for record in grade_class(files.LAB, workers=2, limits=LIMITS)}


@pytest.mark.parametrize("name", files.FILES)
def test_a_file_is_refused_by_its_sentence(graded, name):
    """Its author gets no point and a reason; the grader goes on."""
    record = graded[name.replace("_", "-")]
    verdict = record.verdicts["smallest_file"]
    assert record.status == "GRADED", record.reason
    assert verdict.share == 0 and verdict.place is None
    assert files.FILES[name][1] in " ".join(verdict.message().split())


def test_an_honest_file_is_measured_beside_them(graded):
    """The whole model in float32 is right, and large."""
    verdict = graded["honest"].verdicts["smallest_file"]
    assert (
        "the examiner can read the file" in verdict.message()
        and "no weight of it has codes" in verdict.message()
    )
