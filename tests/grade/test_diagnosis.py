"""What stopped a check is found in the executed notebook: the cell as submitted, its error, the line."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from grader.grade import diagnosis
from grader.grade.journal import Judged
from grader.grade.stops import Error, Place, Stop, Why
from labsupport.check.judge.kit.verdict import Ending, Line, Mark, Verdict

NAME = "magnitude_mask"
WRITTEN = f"def {NAME}(weight):\n    return helper(weight)"
LACKING = "NameError", f"name '{NAME}' is not defined", 1


def failed(name: str, text: str = "", line: int = 0):
    """The output of an error, as IPython writes it."""
    where = f"\x1b[32mCell\x1b[39m\x1b[32m In[7]\x1b[39m\x1b[32m, line {line}\x1b[39m" if line else ""
    return new_output("error", ename=name, evalue=text, traceback=["---", where, f"{name}: {text}"])


def code(source: str, *error, grade_id: str = "", ran: bool = True):
    outputs = [failed(*error)] if error else []
    metadata = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return new_code_cell(source, outputs=outputs, execution_count=7 if ran else None, metadata=metadata)


def found(status: Ending, *cells, own=WRITTEN, own_error=(), check_error=(), between=(), ran=True):
    """The diagnosis of a notebook: title, these cells, heading, exercise, cells between, check."""
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# 02  Magnitude pruning"),
            *cells,
            new_markdown_cell("Some text.\n\n## 2.1 magnitude_mask\n\nMore."),
            code(own, *own_error, grade_id=NAME),
            *between,
            code(f"check.{NAME}({NAME})", *check_error, grade_id=f"check_{NAME}", ran=ran),
            new_markdown_cell("## The end"),
        ]
    )
    nbformat.validate(notebook)
    numbers = tuple(range(1, len(notebook.cells) + 1))
    verdict = Verdict(exercise=NAME, number="2.1", status=status, lines=[], share=0.0)
    return diagnosis.of(notebook, numbers, NAME, verdict)


def undefined(*cells, **more):
    return found(Ending.UNASKED, *cells, check_error=LACKING, **more)


HERE = Place(3, "2.1 magnitude_mask")


def test_the_cell_that_defines_the_function_ended_in_an_error():
    stop = undefined(own="x = 1\n" + WRITTEN, own_error=("ValueError", "odd", 1))
    assert stop == Stop(Why.BROKEN, NAME, HERE, Error("ValueError", "odd", 1))
    assert stop.sentence() == (
        "The function magnitude_mask is not defined when its check runs: "
        'cell 3 (below "2.1 magnitude_mask"), which defines it, ended in ValueError: odd, in line 1. '
        "Mend that cell."
    )


def test_a_syntax_error_is_named_without_the_file_that_ipython_makes_up():
    stop = undefined(own_error=("SyntaxError", "expected ':' (2445660835.py, line 4)", 4))
    assert stop.error == Error("SyntaxError", "expected ':'", 4)


def test_the_exercises_own_cell_failed_before_anything_was_defined():
    stop = undefined(own="exit()", own_error=("SystemExit", "", 0))
    assert (stop.why, stop.place, stop.error) == (Why.BROKEN, HERE, Error("SystemExit"))


def test_another_cell_defines_it_and_failed():
    stop = undefined(code("import google.colab\n" + WRITTEN, "ModuleNotFoundError", "No", 1), own="# above")
    assert (stop.why, stop.place) == (Why.BROKEN, Place(2, "02  Magnitude pruning"))


def test_a_function_of_another_name():
    stop = undefined(own="def my_mask(weight):\n    return weight")
    assert (stop.why, stop.place, stop.other) == (Why.RENAMED, HERE, "my_mask")


def test_a_function_that_was_deleted():
    assert undefined(between=[code(f"del {NAME}")]) == Stop(Why.LOST, NAME, HERE)


def test_a_function_in_a_text_cell():
    stop = undefined(new_markdown_cell(WRITTEN), own="")
    assert (stop.why, stop.place.number) == (Why.TEXT, 2)


def test_no_cell_defines_it():
    assert undefined(own="") == Stop(Why.ABSENT, NAME)


def test_the_check_itself_failed():
    stop = found(Ending.UNASKED, check_error=("OSError", "gone", 1))
    assert stop == Stop(Why.CHECK, NAME, Place(4, "2.1 magnitude_mask"), Error("OSError", "gone", 1))


def test_the_check_was_replaced():
    assert found(Ending.UNASKED).why == Why.SILENT


def test_a_check_that_was_not_reached_was_stopped_by_no_cell():
    """The run ended before it, and the record's reason says how."""
    assert found(Ending.UNASKED, ran=False) is None


SETTING = (
    "def helper(w): pass",
    "import helper",
    "from x import a, helper",
    "helper = 1",
    "class helper: pass",
)


@pytest.mark.parametrize("source", SETTING)
def test_a_name_that_a_failed_cell_should_have_set(source):
    stop = found(Ending.WRONG, code(f"import google.colab\n{source}", "ModuleNotFoundError", "No", 1))
    assert (stop.why, stop.name, stop.place.number) == (Why.NEEDED, "helper", 2)


def test_a_name_that_was_set_before_the_error_or_elsewhere_is_no_cause():
    late = code("def helper(w):\n    pass\nassert False", "AssertionError", "", 3)
    assert found(Ending.WRONG, late) is None
    broken = code("1 / 0\ndef helper(w): pass", "ZeroDivisionError", "division by zero", 1)
    assert found(Ending.WRONG, broken, code("def helper(w): pass")) is None
    assert found(Ending.WRONG, broken).why == Why.NEEDED


def test_no_line_of_a_cell_with_a_syntax_error_ran():
    stop = found(Ending.WRONG, code("def helper(w): pass\nx = = 1", "SyntaxError", "invalid syntax", 2))
    assert stop.why == Why.NEEDED


@pytest.mark.parametrize("source", [f"{NAME} = {NAME}(1)", f"for {NAME} in (1, 2): pass", f"{NAME}: int = 1"])
def test_a_variable_of_the_functions_name(source):
    assert found(Ending.WRONG, between=[code(source)]).why == Why.REBOUND


def test_a_variable_of_the_name_of_a_builtin_or_an_import():
    own = f"def {NAME}(w):\n    return sum(torch.abs(w))"
    assert found(Ending.WRONG, code("sum = 0"), own=own).name == "sum"
    assert found(Ending.WRONG, code("import torch"), code("torch = 0"), own=own).name == "torch"
    assert found(Ending.WRONG, code("torch = 0"), code("import torch"), own=own) is None
    assert found(Ending.WRONG, code(f"{NAME} == 1\nEPS = 1\nEPS = 2"), own=own) is None


def test_the_rest_of_a_function_in_a_cell_of_its_own():
    stop = found(Ending.WRONG, between=[code("    return 1", "SyntaxError", "'return' outside function", 1)])
    assert (stop.why, stop.place.number) == (Why.SPLIT, 4)


STUB = f"def {NAME}(weight):\n    raise NotImplementedError()"


def test_an_untouched_stub_has_no_cause():
    assert found(Ending.UNWRITTEN, own=STUB) is None
    assert (
        found(Ending.UNWRITTEN, own=STUB.replace("    raise", '    """Why."""\n    # HERE\n    raise'))
        is None
    )


def test_a_stub_below_a_function_in_another_cell():
    assert found(Ending.UNWRITTEN, code(WRITTEN), own=STUB).why == Why.TWICE


@pytest.mark.parametrize("status", [Ending.UNWRITTEN, Ending.WRONG])
def test_the_stubs_last_line_below_an_answer(status):
    own = STUB.replace("    raise", "    mask = weight > 0\n    raise")
    assert found(status, own=own) == Stop(Why.STUB, NAME, HERE)
    assert found(Ending.WRONG, own=own.replace("    raise", "    return mask\n    raise")) is None


def test_a_last_line_nested_too_deeply():
    deep = STUB.replace("    raise", "    mask = weight > 0\n    raise").replace(
        "()", "(1" + "+ 1" * 1500 + ")"
    )
    assert found(Ending.WRONG, own=deep) == Stop(Why.STUB, NAME, HERE)


def test_few_of_many_names_are_looked_for(monkeypatch):
    """A cell that names ten thousand things costs no minutes: each name is looked for in every cell."""
    looked = []
    monkeypatch.setattr(diagnosis, "binding_line", lambda *asked: looked.append(asked) or 0)
    own = f"{WRITTEN}\nprint({', '.join(f'name{n}' for n in range(10_000))})"
    assert found(Ending.WRONG, own=own) is None
    assert len(looked) < 5_000


def test_megabytes_of_code_are_not_searched(monkeypatch):
    """Each of a hundred names would be looked for in all of it, for half an hour."""
    monkeypatch.setattr(diagnosis, "binding_line", lambda *_: pytest.fail("it was searched"))
    assert found(Ending.WRONG, code("pass" + "\n" * diagnosis.LONGEST)) is None


def test_right_answers_have_no_cause():
    assert found(Ending.RIGHT, code("def helper(w): pass", "ValueError", "x", 1)) is None


@pytest.mark.parametrize("why", Why)
def test_the_message_shows_the_sentence(why):
    """The page forms it from the data of the record."""
    stop = Stop(why, NAME, HERE, Error("ValueError", "odd", 2), "my_mask")
    verdict = Judged(exercise=NAME, number="2.1", status=Ending.UNASKED, share=0.0, points=3, submission="",
                     lines=[Line(Mark.FAILED, "its check sent no answer")], stop=stop)  # fmt: skip
    assert stop.sentence() in " ".join(verdict.message().split())
    assert stop.sentence().endswith(".")
    assert verdict.headline() and verdict.headline() in stop.sentence()
