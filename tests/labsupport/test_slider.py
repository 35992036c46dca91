"""The slider of a lab: a figure where no slider is shown, nothing under grading, a model that stays whole."""

import os

import ipywidgets
import matplotlib as mpl
import pytest
import torch
from nbclient import NotebookClient
from nbformat import v4

from labsupport import linears, models, slider
from labsupport.given.masks import magnitude_masks
from labsupport.graded import SOCKET
from tests.course.test_labs import text

CELLS = (
    "from labsupport import models, slider\n"
    "from labsupport.given.masks import magnitude_masks\n"
    "import torch\n"
    "model = models.tiny(0)",
    "methods = {name: lambda s: magnitude_masks(model, s) for name in ('magnitude', 'again')}\n"
    "slider.explore(model, models.byte_tokenizer(), torch.arange(64)[None], methods)",
)


def executed(monkeypatch) -> list:
    """The outputs of a cell with the slider, in a kernel that nobody looks at."""
    monkeypatch.delenv("VSCODE_PID", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    env = {**os.environ, "PRUNING_LABS_MODEL": "tiny"}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(code) for code in CELLS])
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute(env=env)
    return notebook.cells[1].outputs


@pytest.mark.thorough
@pytest.mark.lengthy
def test_a_figure_where_no_slider_is_shown(monkeypatch):
    """On the site, under Validate and in `labsupport check`: one figure with its text, and words of each."""
    outputs = executed(monkeypatch)
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == 1
    assert "50% of the weights are gone" in figures[0].metadata["image/png"]["alt"]
    said = "".join(map(text, outputs))
    assert "magnitude: " in said and "again: " in said
    assert not any(output.get("name") == "stderr" for output in outputs)


def test_a_slider_where_a_person_looks(monkeypatch, capsys):
    """Sparsity and method to choose from, above the first look; a kernel tells who looks by a variable."""
    monkeypatch.setenv("JPY_SESSION_NAME", "04.ipynb")
    mpl.use("agg")
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda *given, **_options: displayed.extend(given))
    model = models.tiny(0)
    methods = {name: lambda sparsity: magnitude_masks(model, sparsity) for name in ("magnitude", "again")}
    slider.explore(model, models.byte_tokenizer(), torch.arange(64)[None], methods)
    (box,) = (each for each in displayed if isinstance(each, ipywidgets.VBox))
    sparsity, method, _ = box.children
    assert (sparsity.value, method.options) == (0.5, ("magnitude", "again"))
    assert "magnitude: " in capsys.readouterr().out
    sparsity.value, method.value = 0.3, "again"
    assert "again: " in capsys.readouterr().out


def test_the_model_is_whole_afterwards(monkeypatch, capsys):
    """Every look starts from the dense model."""
    monkeypatch.setattr(slider, "widgets_are_shown", lambda: False)
    mpl.use("agg")
    model = models.tiny(0)
    before = {name: weight.clone() for name, weight in linears.weights(model).items()}
    methods = {"magnitude": lambda sparsity: magnitude_masks(model, sparsity)}
    slider.explore(model, models.byte_tokenizer(), torch.arange(64)[None], methods)
    assert all(torch.equal(before[name], weight) for name, weight in linears.weights(model).items())


def test_nothing_happens_under_grading(monkeypatch):
    monkeypatch.setenv(SOCKET, "somewhere")
    slider.explore(None, None, None, {"magnitude": lambda _sparsity: pytest.fail("it was asked")})
