"""The figures of lab 11: grids, bits, and the bytes of files with the best of them."""

import matplotlib.pyplot as plt
import pytest
import torch

from labsupport import plots
from labsupport.front import front

FAMILIES = {"dense": {"16 bits": (240.0, 24.0), "4": (97.0, 24.0)}, "Wanda": {"50 % of 4": (83.0, 49.0)}}
FRONT = [(83.0, 49.0), (97.0, 24.0)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Figures stay open, to be looked at."""
    monkeypatch.setattr(plots, "show", lambda: None)
    yield
    plt.close("all")


def test_the_stairs_never_promise_what_no_file_has():
    """Between two files one can ship the smaller one: the line goes level, then down."""
    plots.perplexity_by_bytes(FAMILIES, FRONT, "title", (90, 30))
    stairs = next(line for line in plt.gca().lines if line.get_label() == "no file is better")
    assert stairs.get_drawstyle() == "steps-post"
    assert list(zip(*stairs.get_data(), strict=True)) == FRONT
    assert {text.get_text() for text in plt.gca().texts} >= {"16 bits", "4", "50 % of 4"}


def test_no_name_lies_on_another():
    """Two files of nearly the same place: the first one's name is shown, the other stands in the table."""
    plots.perplexity_by_bytes(
        {"zeros": {"Wanda": (176.0, 49.05), "OWL": (176.0, 48.9)}, "few bits": {"4 bits": (84.0, 24.0)}},
        [(84.0, 24.0)],
        "title",
    )
    assert {"Wanda", "4 bits"} <= {text.get_text() for text in plt.gca().texts}
    assert "OWL" not in {text.get_text() for text in plt.gca().texts}


def test_the_front_is_what_nothing_beats():
    """A larger file stays only if it loses less; of two equal ones one stays."""
    assert front([(97.0, 24.0), (83.0, 49.0), (90.0, 60.0), (83.0, 49.0), (240.0, 24.0)]) == FRONT
    assert front([]) == []


def test_each_family_has_all_its_files_and_a_guess_its_star():
    plots.perplexity_by_bytes(FAMILIES, FRONT, "title", (90, 30))
    lines = {line.get_label(): line for line in plt.gca().lines}
    assert list(lines["dense"].get_xdata()) == [240.0, 97.0]
    assert (lines["_guess"].get_xdata()[0], lines["_guess"].get_ydata()[0]) == (90, 30)


def test_a_guess_at_three_bits():
    plots.perplexity_against_bits({4: 24.0, 3: 67.0, 2: 1e5}, 24.0, "title", (3, 60))
    (star,) = [line for line in plt.gca().lines if line.get_label() == "_guess"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (3, 60)


def test_a_grid_is_drawn_whole_below_the_weights():
    plots.weights_on_grids(
        torch.tensor([-1.0, 2.0]), {"2 bits": torch.tensor([-1.0, 0.0, 1.0, 2.0])}, "title"
    )
    marks = [list(line.get_xdata()) for line in plt.gca().lines if line.get_linestyle() == "None"]
    assert marks == [[-1.0, 2.0], [-1.0, 0.0, 1.0, 2.0]]
    assert plt.gca().get_ylim()[0] > plt.gca().get_ylim()[1]
