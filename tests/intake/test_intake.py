"""Whatever a student hands in is graded as far as it is work, or refused by name; nothing else happens."""

import copy
import json
import os
import socket

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.nbgraderformat import MetadataValidator

from grader import course
from grader.intake import files, parse, restore
from grader.intake.admit import Admitted, Refused, admit
from grader.intake.align import longest_rising
from grader.intake.files import choose
from grader.intake.restore import import_cell

LAB = "02_magnitude_pruning"
EXERCISES = ("magnitude_mask", "prune_magnitude", "global_magnitude_masks")
POINTS = (3, 4, 2)


def graded(grade_id, points=0, *, solution, locked):
    return {
        "nbgrader": {
            "schema_version": 3,
            "grade_id": grade_id,
            "grade": bool(points),
            "solution": solution,
            "locked": locked,
            "task": False,
            **({"points": points} if points else {}),
        }
    }


def stub(name):
    lines = (f"def {name}(weight, sparsity):", '"""Which weights stay."""', "# YOUR CODE HERE")
    return "\n    ".join((*lines, "raise NotImplementedError()"))


def release():
    cells = [
        new_markdown_cell("# 02  Magnitude pruning", id="02-001"),
        new_code_cell("import torch\nfrom labsupport import check", id="02-002"),
    ]
    for name, points in zip(EXERCISES, POINTS, strict=True):
        cells += [
            new_markdown_cell(f"## {name}\n\nWhy it works.", id=f"text-{name}"),
            new_code_cell(stub(name), id=name, metadata=graded(name, solution=True, locked=False)),
            new_code_cell(
                f"check.{name}({name})",
                id=f"check_{name}",
                metadata=graded(f"check_{name}", points, solution=False, locked=True),
            ),
            new_code_cell(f"{name}(torch.ones(2, 2), 0.5)", id=f"look-{name}"),
        ]
    cells += [
        new_markdown_cell("## Question\n\nWhy?", id="question"),
        new_markdown_cell(
            "YOUR ANSWER HERE",
            id="reflection",
            metadata=graded("reflection", 3, solution=True, locked=False),
        ),
        new_markdown_cell("That was all.", id="end"),
    ]
    metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return new_notebook(cells=cells, metadata=metadata)


RELEASE = release()
GRADED = [cell.metadata.nbgrader.grade_id for cell in RELEASE.cells if "nbgrader" in cell.metadata]


def written(name):
    return f"def {name}(weight, sparsity):\n    return weight.abs() > sparsity  # {name}"


def submission():
    """A notebook as a student saves it: written, executed, with outputs and a scratch cell."""
    notebook = release()
    for number, cell in enumerate(notebook.cells):
        if cell.id in EXERCISES:
            cell.source = written(cell.id)
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text="all 9 parts pass")]
    at(notebook, "reflection").source = "Because the largest weights carry the most."
    notebook.cells.insert(5, new_code_cell("1 + 1", id="scratch"))
    return notebook


def at(notebook, identity):
    return next(cell for cell in notebook.cells if cell.get("id") == identity)


def raw(notebook) -> bytes:
    return json.dumps(notebook).encode()


def admitted(notebook) -> Admitted:
    result = admit(notebook if isinstance(notebook, bytes) else raw(notebook), RELEASE)
    assert isinstance(result, Admitted), result
    sound(result.notebook)
    return result


def refused(data: bytes) -> str:
    result = admit(data, RELEASE)
    assert isinstance(result, Refused), result
    assert result.status == "UNREADABLE"
    assert result.reason.endswith((".", "?"))
    assert "\n" not in result.reason
    return result.reason


def sound(notebook):
    """What must hold for every notebook that is graded."""
    found = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert [cell.metadata.nbgrader.grade_id for cell in found] == GRADED
    for cell in found:
        released = at(RELEASE, cell.id)
        assert cell.metadata == released.metadata
        assert cell.cell_type == released.cell_type
        if cell.metadata.nbgrader.locked:
            assert cell.source == released.source
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert notebook.metadata == RELEASE.metadata
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    nbformat.writes(notebook).encode()  # can be written to a file


def sources(notebook):
    return [cell.source for cell in notebook.cells]


# Honest notebooks


def test_an_untouched_release_comes_through_unchanged():
    """Else every student would be flagged for nothing."""
    result = admitted(RELEASE)
    assert result.flags == ()
    assert nbformat.writes(result.notebook) == nbformat.writes(RELEASE)


@pytest.mark.parametrize("path", sorted(course.NOTEBOOKS.glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_the_real_releases_come_through_unchanged(path):
    data = path.read_bytes()
    result = admit(data, nbformat.reads(data.decode(), 4))
    assert result.flags == ()
    assert nbformat.writes(result.notebook).encode() + b"\n" == data


def test_a_students_work_is_kept_without_flags():
    """Sources, scratch cells and their places stay; outputs, which anybody can forge, go."""
    result = admitted(submission())
    assert result.flags == ()
    assert sources(result.notebook) == sources(submission())


def test_the_same_bytes_give_the_same_notebook():
    """The journal is keyed by what is graded: a random cell id would grade everything twice."""
    notebook = submission()
    for cell in notebook.cells:
        cell.pop("id")
    notebook.nbformat_minor = 4
    assert nbformat.writes(admitted(notebook).notebook) == nbformat.writes(admitted(notebook).notebook)


def test_the_release_is_never_changed():
    before = copy.deepcopy(RELEASE)
    admitted(submission())
    assert before == RELEASE


def test_changed_prose_and_imports_stay_as_the_student_has_them():
    notebook = submission()
    at(notebook, "02-002").source += "\nimport math"
    at(notebook, "text-prune_magnitude").source += "\n\nmy notes"
    result = admitted(notebook)
    assert result.flags == ()
    assert sources(result.notebook) == sources(notebook)


def test_execution_tags_of_own_cells_are_dropped():
    """A tag such as raises-exception would change how a cell is run."""
    notebook = submission()
    at(notebook, "scratch").metadata = {"tags": ["raises-exception"], "nbgrader": {"grade_id": "mine"}}
    assert all("tags" not in cell.metadata for cell in admitted(notebook).notebook.cells)


def test_images_in_a_written_answer_are_kept():
    notebook = submission()
    at(notebook, "reflection").attachments = {
        "plot.png": {"image/png": "iVBORw0KGgo="},
        "x": {"text/html": "<b>"},
    }
    assert at(admitted(notebook).notebook, "reflection").attachments == {
        "plot.png": {"image/png": "iVBORw0KGgo="}
    }


def test_an_answer_below_the_place_for_it_is_flagged():
    """The place itself is as released, which counts 0 without anybody's look."""
    notebook = submission()
    place = notebook.cells.index(at(notebook, "reflection"))
    notebook.cells[place].source = at(RELEASE, "reflection").source
    assert not [flag for flag in admitted(notebook).flags if "stands below it" in flag]
    notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell("Because they carry the most."))
    assert [flag for flag in admitted(notebook).flags if "stands below it" in flag]
    notebook.cells[place].source = "My answer."
    assert not [flag for flag in admitted(notebook).flags if "stands below it" in flag]


# The lab's import cell

IMPORTS = at(RELEASE, "02-002").source
PUT_BACK = "The lab's import cell was missing or changed: it is as released again and runs first."


def code_cells(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_a_deleted_import_cell_is_put_back_first():
    """Without it no exercise would run."""
    notebook = submission()
    notebook.cells.remove(at(notebook, "02-002"))
    result = admitted(notebook)
    assert result.flags == (PUT_BACK,)
    assert sources(result.notebook) == sources(submission())
    assert result.numbers == (1, 0, *range(2, len(notebook.cells) + 1))


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize(
    ("source", "flags"),
    [
        (f"%matplotlib widget\n{IMPORTS}\nimport math", 0),
        (f"{IMPORTS}\n%load_ext autoreload", 0),
        (f"{IMPORTS}\nimport math as", 0),
        (f"import google.colab\n{IMPORTS}", 0),
        (f"{IMPORTS}s", 0),  # "from labsupport import checks"
        (IMPORTS.replace("from", "form"), 1),
        ("import torch", 1),
        (f"def f():\n    {IMPORTS.replace(chr(10), chr(10) + '    ')}", 1),
        (f"{IMPORTS}\n" + "(" * 5000 + ")" * 5000, 0),
    ],
)
def test_a_changed_import_cell_runs_below_the_labs_own(source, flags, stripped):
    """One that fails in its first line would leave out all the others."""
    notebook = submission()
    cell = at(notebook, "02-002")
    cell.source = source
    if stripped:
        cell["id"] = "other"
    result = admitted(notebook)
    assert result.flags == (PUT_BACK,) * flags
    assert code_cells(result.notebook)[:2] == [IMPORTS, source]
    assert result.numbers[:3] == (1, 0, 2)


def test_a_lab_whose_first_cell_is_a_magic():
    """An instructor's own lab may begin so: its submissions are admitted as they are."""
    released = release()
    at(released, "02-002").source = "%matplotlib inline\nimport torch"
    assert import_cell(released.cells) is None
    assert isinstance(admit(raw(submission()), released), Admitted)


def test_an_import_cell_as_text_is_put_back():
    notebook = submission()
    at(notebook, "02-002").cell_type = "markdown"
    assert code_cells(admitted(notebook).notebook)[0] == IMPORTS


def test_an_import_cell_that_was_moved_runs_first():
    notebook = submission()
    cell = at(notebook, "02-002")
    notebook.cells.remove(cell)
    notebook.cells.append(cell)
    result = admitted(notebook)
    assert result.flags == ()
    assert code_cells(result.notebook).count(IMPORTS) == 1
    assert sources(result.notebook) == sources(submission())
    assert result.numbers[1] == len(notebook.cells)


def test_the_import_cell_runs_before_a_students_first_cell():
    notebook = submission()
    notebook.cells.insert(0, new_code_cell("import google.colab", id="colab"))
    result = admitted(notebook)
    assert result.flags == ()
    assert code_cells(result.notebook)[:2] == [IMPORTS, "import google.colab"]
    assert result.numbers[:3] == (3, 1, 2)


def test_megabytes_below_the_imports_are_not_parsed(monkeypatch):
    """Their syntax tree would take all memory of the grader: the import cell runs first instead."""
    notebook = submission()
    notebook.cells[1].source = f"{IMPORTS}\n{'x=1;' * (restore.LONGEST // 4)}"
    parse = restore.ast.parse
    monkeypatch.setattr(restore.ast, "parse", lambda text: parse(text[: restore.LONGEST - 1]))
    result = admitted(notebook)
    assert code_cells(result.notebook)[:2] == [IMPORTS, notebook.cells[1].source]


@pytest.mark.parametrize("lab", course.labs())
def test_every_lab_begins_with_imports(lab):
    """Otherwise nothing would be put back."""
    released = nbformat.read(course.notebook(lab), as_version=4)
    assert import_cell(released.cells) is not None


def test_cells_are_numbered_as_submitted():
    """What is told to a student names a cell by its place in the notebook that was handed in."""
    notebook = submission()
    notebook.cells.remove(at(notebook, "check_magnitude_mask"))
    result = admitted(notebook)
    place = [cell.id for cell in result.notebook.cells].index("check_magnitude_mask")
    assert result.numbers[place] == 0
    for number, cell in zip(result.numbers, result.notebook.cells, strict=True):
        assert number == 0 or cell.source == notebook.cells[number - 1].source


# Cells lost, doubled, moved


def test_a_deleted_check_is_put_back_right_after_its_exercise():
    notebook = submission()
    notebook.cells.remove(at(notebook, "check_prune_magnitude"))
    result = admitted(notebook)
    assert result.flags == ("Cell check_prune_magnitude was missing and was put back as released.",)
    assert sources(result.notebook) == sources(submission())


def test_deleted_exercise_and_check_are_put_back_as_released():
    notebook = submission()
    for identity in ("prune_magnitude", "check_prune_magnitude"):
        notebook.cells.remove(at(notebook, identity))
    result = admitted(notebook)
    assert at(result.notebook, "prune_magnitude").source == stub("prune_magnitude")
    assert at(result.notebook, "magnitude_mask").source == written("magnitude_mask")
    ids = [cell.id for cell in result.notebook.cells]
    assert ids.index("text-prune_magnitude") + 1 == ids.index("prune_magnitude")
    assert len(result.flags) == 2


def test_the_first_exercise_is_put_back_after_the_imports():
    """Its stub names torch in its signature: before the import it would raise."""
    notebook = submission()
    for identity in ("text-magnitude_mask", "magnitude_mask", "check_magnitude_mask"):
        notebook.cells.remove(at(notebook, identity))
    ids = [cell.id for cell in admitted(notebook).notebook.cells]
    assert ids.index("02-002") < ids.index("magnitude_mask")


def test_a_cell_is_put_back_between_its_neighbours_wherever_its_text_went():
    notebook = submission()
    notebook.cells.remove(at(notebook, "prune_magnitude"))
    text = at(notebook, "text-prune_magnitude")
    notebook.cells.remove(text)
    notebook.cells.append(text)
    ids = [cell.id for cell in admitted(notebook).notebook.cells]
    assert ids.index("prune_magnitude") < ids.index("check_prune_magnitude")


def test_without_any_neighbour_before_it_a_cell_is_put_back_before_the_next():
    """Not at the very top: whatever the student imports there must come first."""
    notebook = submission()
    del notebook.cells[: notebook.cells.index(at(notebook, "check_magnitude_mask"))]
    notebook.cells.insert(0, new_code_cell("import torch as t", id="own"))
    ids = [cell.id for cell in admitted(notebook).notebook.cells]
    assert ids[:4] == ["02-002", "cell-1", "magnitude_mask", "check_magnitude_mask"]


def test_a_put_back_stub_does_not_undo_a_function_written_elsewhere():
    """Two exercises merged into one cell are both work that counts."""
    notebook = submission()
    at(notebook, "magnitude_mask").source += "\n\n" + written("prune_magnitude")
    notebook.cells.remove(at(notebook, "prune_magnitude"))
    result = admitted(notebook)
    assert "NotImplementedError" not in at(result.notebook, "prune_magnitude").source
    assert "another cell defines prune_magnitude" in " ".join(result.flags)


def test_an_exercise_merged_into_a_check_cell_is_not_lost():
    notebook = submission()
    at(notebook, "check_magnitude_mask").source += "\n\n" + written("prune_magnitude")
    notebook.cells.remove(at(notebook, "prune_magnitude"))
    assert written("prune_magnitude") in at(admitted(notebook).notebook, "prune_magnitude").source


@pytest.mark.parametrize("stub_first", [True, False])
def test_of_a_doubled_exercise_the_written_one_is_graded(stub_first):
    notebook = submission()
    twin = copy.deepcopy(at(RELEASE, "magnitude_mask"))
    notebook.cells.insert(notebook.cells.index(at(notebook, "magnitude_mask")) + (not stub_first), twin)
    result = admitted(notebook)
    assert at(result.notebook, "magnitude_mask").source == written("magnitude_mask")
    assert "magnitude_mask is there 2 times" in " ".join(result.flags)


def test_of_two_written_ones_the_last_is_graded():
    notebook = submission()
    twin = copy.deepcopy(at(notebook, "magnitude_mask"))
    twin.source += "\n# the second"
    notebook.cells.insert(6, twin)
    result = admitted(notebook)
    assert at(result.notebook, "magnitude_mask").source.endswith("# the second")
    assert written("magnitude_mask") in sources(result.notebook)


def test_a_check_cell_twice_is_graded_once():
    notebook = submission()
    notebook.cells.append(copy.deepcopy(at(notebook, "check_magnitude_mask")))
    result = admitted(notebook)
    assert "check_magnitude_mask is there 2 times" in " ".join(result.flags)


def test_an_inserted_cell_with_a_checks_source_is_not_graded():
    notebook = submission()
    notebook.cells.insert(3, new_code_cell("check.magnitude_mask(magnitude_mask)", id="fake"))
    result = admitted(notebook)
    assert result.flags == ()
    assert result.notebook.cells[3].metadata == {}


def test_moved_cells_return_to_the_releases_order():
    notebook = submission()
    moved = at(notebook, "global_magnitude_masks")
    notebook.cells.remove(moved)
    notebook.cells.insert(2, moved)
    result = admitted(notebook)
    assert result.flags == ("Cell global_magnitude_masks stood out of order and was moved back.",)
    assert at(result.notebook, "global_magnitude_masks").source == written("global_magnitude_masks")


# Metadata and types


def test_an_edited_check_is_restored():
    notebook = submission()
    at(notebook, "check_magnitude_mask").source = "print('all parts pass')"
    assert admitted(notebook).flags == (
        "Cell check_magnitude_mask had been edited and is as released again.",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("points", 100), ("points", -1), ("points", "9"), ("points", [1]), ("grade", False), ("locked", False),
     ("solution", True), ("task", True), ("grade", {"a": 1})],
)  # fmt: skip
def test_changed_metadata_is_restored_and_flagged(key, value):
    notebook = submission()
    at(notebook, "check_magnitude_mask").metadata["nbgrader"][key] = value
    (flag,) = admitted(notebook).flags
    assert flag.startswith("Cell check_magnitude_mask had its nbgrader metadata changed")
    assert key in flag


@pytest.mark.parametrize("identity", ["magnitude_mask", "check_magnitude_mask", "reflection"])
@pytest.mark.parametrize("keep_cell_id", [True, False])
def test_a_renamed_grade_id_is_recognised(identity, keep_cell_id):
    notebook = submission()
    cell = at(notebook, identity)
    source = cell.source
    cell.metadata["nbgrader"]["grade_id"] = "mine"
    if not keep_cell_id:
        cell["id"] = "other"
    result = admitted(notebook)
    assert at(result.notebook, identity).source == source
    assert len(result.flags) == 1
    assert "recognised by its" in result.flags[0]


@pytest.mark.parametrize("kind", ["markdown", "raw"])
@pytest.mark.parametrize("identity", ["magnitude_mask", "check_magnitude_mask"])
def test_a_code_cell_turned_into_another_is_code_again(identity, kind):
    notebook = submission()
    cell = at(notebook, identity)
    cell.cell_type = kind
    del cell["outputs"], cell["execution_count"]
    result = admitted(notebook)
    assert at(result.notebook, identity).source == cell.source
    assert result.flags == (f"Cell {identity} had become a {kind} cell and is a code cell again.",)


def test_a_notebook_without_any_metadata_is_recognised_by_source_and_place():
    """Some platforms and editors strip everything but the sources."""
    notebook = submission()
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.metadata = {}
        cell.pop("id")
    result = admitted(notebook)
    for name in EXERCISES:
        assert at(result.notebook, name).source == written(name)
    assert at(result.notebook, "reflection").source == "Because the largest weights carry the most."
    assert sources(result.notebook) == sources(submission())


def test_a_renamed_function_without_metadata_is_recognised_by_likeness():
    notebook = submission()
    cell = at(notebook, "magnitude_mask")
    cell.source = stub("my_mask").replace("raise NotImplementedError()", "return weight")
    cell["id"], cell.metadata = "other", {}
    assert "def my_mask" in at(admitted(notebook).notebook, "magnitude_mask").source


def test_a_name_in_prose_does_not_become_the_exercise():
    notebook = submission()
    notebook.cells.insert(2, new_markdown_cell("```\ndef magnitude_mask(weight):\n```", id="prose"))
    cell = at(notebook, "magnitude_mask")
    cell["id"], cell.metadata = "other", {}
    assert at(admitted(notebook).notebook, "magnitude_mask").source == written("magnitude_mask")


def test_an_unknown_kernel_is_replaced():
    notebook = submission()
    notebook.metadata = {
        "kernelspec": {"name": "julia-1.9", "display_name": "Julia"},
        "language_info": {"name": "julia"},
    }
    assert len(admitted(notebook).flags) == 2


@pytest.mark.parametrize("kernelspec", [[], "python", 3, {"name": ["x"]}, {"name": {}}])
def test_a_kernelspec_of_any_type_is_replaced(kernelspec):
    notebook = submission()
    notebook.metadata = {"kernelspec": kernelspec}
    assert len(admitted(notebook).flags) == 1


# Formats and damage


def test_a_newer_minor_format_is_read_and_flagged():
    notebook = submission()
    notebook.nbformat_minor = 99
    assert "4.99" in admitted(notebook).flags[0]


def test_format_3_is_brought_up():
    old = nbformat.convert(submission(), 3)
    result = admitted(raw(old))
    assert "format 3" in result.flags[0]
    assert at(result.notebook, "magnitude_mask").source == written("magnitude_mask")


def changed(path, value):
    """The submission as JSON with one value replaced."""
    data = json.loads(raw(submission()))
    target = data
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    return json.dumps(data).encode()


STRANGE = {
    "NaN": b'{"x": NaN}',
    "Infinity": b'[{"x": Infinity}]',
    "-Infinity": b"-Infinity",
    "thousands of digits": b"9" * 5000,
    "stands twice": b'{"x": 1, "x": [2, "}"]}',
    "nested too deeply": b'{"x": "]", "y": '
    + b'{"a": [' * 50_000
    + b'"[\\"{"'
    + b"]}" * 50_000
    + b', "z": "{"}',
    "": b'{"\\ud800": "\\udfff", "x": 1e999}',
}


@pytest.mark.parametrize("phrase", STRANGE)
@pytest.mark.parametrize("place", ["output", "metadata of a cell", "metadata"])
def test_what_nobody_reads_may_be_odd(phrase, place):
    """NaN, a huge number, deep or ambiguous JSON in an output costs nobody a grade: it is a flag."""
    data = json.loads(raw(submission()))
    expected = admit(json.dumps(data).encode(), RELEASE)
    code = next(cell for cell in data["cells"] if cell["cell_type"] == "code")
    if place == "output":
        result = {"output_type": "display_data", "metadata": {}, "data": {"application/json": "HERE"}}
        code["outputs"] = [result, *code.get("outputs", [])]
    else:
        (data if place == "metadata" else code)["metadata"]["plugin"] = "HERE"
    result = admit(json.dumps(data).encode().replace(b'"HERE"', STRANGE[phrase]), RELEASE)
    assert isinstance(result, Admitted), result
    assert result.notebook == expected.notebook
    more = [flag for flag in result.flags if flag not in expected.flags]
    assert len(more) == bool(phrase)
    assert all(phrase in flag for flag in more)


@pytest.mark.parametrize("phrase", ["NaN", "Infinity", "thousands of digits", "stands twice"])
@pytest.mark.parametrize("key", ["source", "cell_type", "metadata"])
def test_what_is_read_may_not_be_odd(phrase, key):
    """Where a source, a type or metadata should stand, the same is UNREADABLE, and the reason says why."""
    data = json.loads(raw(submission()))
    data["cells"][-1][key] = "HERE"
    odd = {**STRANGE, "NaN": b"NaN", "Infinity": b"Infinity"}[phrase]
    result = admit(json.dumps(data).encode().replace(b'"HERE"', odd), RELEASE)
    assert isinstance(result, Refused)
    assert phrase in result.reason


GOOD = raw(submission())


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (GOOD[:900], "cut off"),
        (GOOD[:-1], "cut off"),
        (GOOD + b"}", "not JSON"),
        (b"<!DOCTYPE html><html>Log in</html>", "HTML"),
        (b"PK\x03\x04\x14\x00\x00", "UTF-16 text or binary|not UTF-8|not JSON"),
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "UTF-16"),
        (GOOD.replace(b"Because", "Wegen größer".encode("latin-1")), "not UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[" + b"[]," * 2_000_001 + b"[]]", "millions of values"),
        (b'{"nbformat": 4, "cells": ' + b"9" * 5000 + b"}", "thousands of digits"),
        (GOOD.replace(b'"nbformat": 4', b'"nbformat": 4, "nbformat": 4'), "'nbformat' stands twice"),
        (GOOD.replace(b'"points": 3', b'"points": NaN', 1), "NaN"),
        (GOOD.replace(b'"points": 3', b'"points": -Infinity', 1), "-Infinity"),
        (b"null", "missing or null where an object"),
        (b"[]", "a list where an object"),
        (b'"text"', "text where an object"),
        (b"{}", "no 'nbformat'"),
        (b'{"nbformat": 4}', "cells is missing"),
        (changed(["nbformat"], 5), "format 5"),
        (changed(["nbformat"], 2), "format 2"),
        (changed(["nbformat"], True), "true or false where a whole number"),
        (changed(["nbformat"], "4"), "text where a whole number"),
        (changed(["nbformat_minor"], 5.5), "a number where a whole number"),
        (changed(["metadata"], []), "metadata is a list"),
        (changed(["cells"], {}), "cells is an object"),
        (changed(["cells"], []), "no cells"),
        (changed(["cells"], [{"cell_type": "raw", "source": ""}] * 5_001), "5,001 cells"),
        (changed(["cells", 3], None), "Cell 4 is missing or null"),
        (changed(["cells", 3, "source"], 7), "Cell 4's source is a whole number"),
        (changed(["cells", 3, "source"], ["a", 7]), "A line of cell 4 is a whole number"),
        (changed(["cells", 3, "metadata"], []), "Cell 4's metadata is a list"),
        (changed(["cells", 3, "cell_type"], 1), "Cell 4's cell_type is a whole number"),
        (changed(["cells", 3, "cell_type"], "video"), "'video'"),
        (raw(new_notebook(cells=[new_code_cell("1 + 1")])), "No exercise of this lab"),
        (b'{"nbformat": 3, "worksheets": 1}', "worksheets is a whole number"),
        (b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code"}]}]}', "source is missing"),
        (b" " * (parse.LARGEST + 1), "MiB"),
        (changed(["cells", 3, "source"], "#" * (parse.MOST_SOURCE + 1)), "10 MiB of text"),
        (b'{"a": {' + b'"": 1, ' * 2_000_001 + b"}}", "millions of values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_notebook_is_refused_with_the_reason(data, phrase):
    """A student who uploaded the wrong thing learns what it was, and gets no 0 for it."""
    reason = refused(data)
    assert any(each in reason for each in phrase.split("|")), reason


@pytest.mark.parametrize(
    "value", [[], "x", 3, None, {"grade_id": 5}, {"grade_id": ["x"]}, {"grade_id": {"a": {}}}]
)
def test_nbgrader_metadata_of_any_type_is_restored(value):
    admitted(changed(["cells", 3, "metadata", "nbgrader"], value))


@pytest.mark.parametrize(
    "value", [[], "x", 3, {"a": 1}, {"a": {"image/png": 1}}, {"\ud800": {"image/png": ""}}]
)
def test_attachments_of_any_type_are_dropped(value):
    admitted(changed(["cells", 2, "attachments"], value))


def test_half_a_surrogate_pair_can_be_written_to_a_file():
    """JSON may hold one; a file cannot, and one emoji cut in two must not stop the class."""
    result = admitted(changed(["cells", 3, "source"], "def magnitude_mask(w, s): return '\ud83d'"))
    assert at(result.notebook, "magnitude_mask").source == "def magnitude_mask(w, s): return '?'"


def test_a_byte_order_mark_is_no_reason_to_refuse():
    assert admitted(b"\xef\xbb\xbf" + GOOD).flags == ()


def test_names_in_sentences_are_plain():
    """A flag goes into a terminal, a CSV and a page: no control characters, and not too long."""
    reason = refused(changed(["cells", 3, "cell_type"], "\x1b[2J\ud800<script>" + "x" * 10_000))
    assert reason.isprintable()
    assert len(reason) < 200


# Which file


def folder(tmp_path, **files):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    "name", [f"{LAB} (1).ipynb", f"{LAB}-Copy1.ipynb", f"Copy of {LAB}.ipynb", "02_Magnitude_Pruning.ipynb"]
)
def test_the_only_copy_is_taken_and_flagged(tmp_path, name):
    data, flags = choose(folder(tmp_path, **{name: b"x"}), LAB)
    assert data == b"x"
    assert name in flags[0]


def test_the_notebook_itself_goes_before_copies(tmp_path):
    data, flags = choose(folder(tmp_path, **{f"{LAB}.ipynb": b"x", f"{LAB} (1).ipynb": b"y"}), LAB)
    assert data == b"x"
    assert flags == (f"Not graded, because {LAB}.ipynb lies beside it: {LAB} (1).ipynb.",)


def test_of_copies_the_highest_number_is_taken(tmp_path):
    files = {f"{LAB} ({n}).ipynb": str(n).encode() for n in (1, 2, 10)}
    data, flags = choose(folder(tmp_path, **files), LAB)
    assert data == b"10"
    assert f"{LAB} (1).ipynb" in flags[0]


def test_modules_beside_the_notebook_are_not_taken_along(tmp_path):
    names = ("torch.py", "labsupport.py", "sitecustomize.py")
    data, flags = choose(
        folder(tmp_path, **{f"{LAB}.ipynb": b"x", "timestamp.txt": b"", **dict.fromkeys(names, b"")}), LAB
    )
    assert data == b"x"
    assert all(name in flags[0] for name in names)
    assert "timestamp" not in flags[0]


def test_other_files_alone_are_no_submission(tmp_path):
    result = choose(folder(tmp_path, **{"essay.pdf": b"", "03_wanda.ipynb": b"", ".hidden.ipynb": b""}), LAB)
    assert result == Refused(
        "NOT_SUBMITTED", f"There is no {LAB}.ipynb: the folder holds only 03_wanda.ipynb, essay.pdf."
    )


def test_nothing_at_all_is_no_submission(tmp_path):
    assert choose(tmp_path, LAB).status == "NOT_SUBMITTED"
    assert choose(tmp_path / "absent", LAB).status == "NOT_SUBMITTED"


def test_a_link_is_not_followed(tmp_path):
    """It could show the student a file of the instructor's."""
    real, sent = tmp_path / "real", tmp_path / "sent"
    real.mkdir(), sent.mkdir()
    (real / f"{LAB}.ipynb").write_text("somebody else's")
    (sent / f"{LAB}.ipynb").symlink_to(real / f"{LAB}.ipynb")
    (tmp_path / "linked").symlink_to(real)
    for place in (sent, tmp_path / "linked"):
        result = choose(place, LAB)
        assert result.status == "UNREADABLE"
        assert "symbolic link" in result.reason
    with pytest.raises(parse.Unreadable, match="symbolic link"):  # on the way, as after a swap
        files.read_file(tmp_path, "linked", f"{LAB}.ipynb")


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "device"])
@pytest.mark.timeout(10)
def test_what_is_no_plain_file_is_refused_at_once(tmp_path, kind, monkeypatch):
    """Opening a pipe would wait for ever, and the class with it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"{LAB}.ipynb"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(path.name)
    else:
        monkeypatch.setattr(files.stat, "S_ISREG", lambda mode: False)
        path.write_bytes(b"x")
    result = choose(tmp_path, LAB)
    assert result.status == "UNREADABLE"
    assert "plain file" in result.reason


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / f"{LAB}.ipynb").open("wb") as file:
        file.truncate(parse.LARGEST + 1)
    assert "MiB" in choose(tmp_path, LAB).reason


def test_a_file_that_cannot_be_opened_is_refused(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    folder(tmp_path, **{f"{LAB}.ipynb": b"x"})
    monkeypatch.setattr(files.os, "open", fail)
    assert "Permission denied" in choose(tmp_path, LAB).reason


# Anything at all

KEYS = st.sampled_from(["nbgrader", "grade_id", "points", "source", "metadata", "id", "name", "x"])
ODD = st.sampled_from(["\ud800", "code", "check_magnitude_mask", "\n" * 50])
NUMBERS = st.integers(-5, 10**20) | st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def places(data, path=()):
    """Every path to a value."""
    found = [path] if path else []
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        found += places(value, (*path, key))
    return found


@st.composite
def mutilated(draw):
    """A submission after up to eight accidents or attacks, as bytes."""
    data = json.loads(GOOD)
    for _ in range(draw(st.integers(0, 8))):
        cells = data.get("cells")
        if isinstance(cells, list) and len(cells) > 1 and draw(st.integers(0, 3)):
            one, other = (draw(st.integers(0, len(cells) - 1)) for _ in range(2))
            act = draw(st.sampled_from(["drop", "double", "swap", "blend", "strip", "empty"]))
            if act == "drop":
                del cells[one]
            elif act == "double":
                cells.insert(other, copy.deepcopy(cells[one]))
            elif act == "swap":
                cells[one], cells[other] = cells[other], cells[one]
            elif isinstance(cells[one], dict) and isinstance(cells[other], dict):
                if act == "blend":
                    key = draw(st.sampled_from(["source", "metadata", "id", "cell_type"]))
                    cells[one][key] = copy.deepcopy(cells[other].get(key))
                elif act == "strip":
                    cells[one]["metadata"] = {}
                    cells[one].pop("id", None)
                else:
                    cells[one]["source"] = ""
        else:
            path = draw(st.sampled_from(places(data)))
            target = data
            for part in path[:-1]:
                target = target[part]
            target[path[-1]] = draw(JSON)
        if not isinstance(data.get("cells"), list | dict):
            break
    found = json.dumps(data).encode()
    return found[: draw(st.integers(0, len(found)))] if draw(st.integers(0, 19)) == 13 else found


@pytest.mark.lengthy
@given(mutilated())
def test_nothing_makes_intake_raise_or_lose_a_graded_cell(data):
    """No submission may stop the class, drop a check, be graded twice for one, or set its own points."""
    result = admit(data, RELEASE)
    if isinstance(result, Refused):
        assert refused(data)
        return
    sound(result.notebook)
    assert (
        sum(cell.metadata.get("nbgrader", {}).get("points", 0) for cell in result.notebook.cells)
        == sum(POINTS) + 3
    )
    assert all(flag.isprintable() and flag.endswith(".") for flag in result.flags)
    assert nbformat.writes(admit(data, RELEASE).notebook) == nbformat.writes(result.notebook)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode())
    | JSON.map(lambda j: json.dumps(j).encode())
)
def test_no_bytes_make_intake_raise(data):
    refused(data)


@given(st.lists(st.integers(0, 8), max_size=8, unique=True))
def test_as_many_cells_as_possible_stay(values):
    """Only the cells that are out of order move."""
    rising = longest_rising([(value, value) for value in values])
    kept = [value for value in values if value in rising]
    assert kept == sorted(kept)
    subsets = ([v for i, v in enumerate(values) if chosen >> i & 1] for chosen in range(2 ** len(values)))
    assert len(kept) == max(len(subset) for subset in subsets if subset == sorted(subset))
