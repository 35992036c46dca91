"""The figures of labs 07 and 08: do they show how much was removed, what their bars mean, and a guess?"""

import matplotlib.pyplot as plt
import pytest
from matplotlib.container import ErrorbarContainer

from labsupport import expected, plots
from labsupport.comparison import METHODS, Row
from labsupport.figure_text import describe

ROWS = [
    Row(name, 0.5 if place else 0.0, 24.0 + place, 0.5, 0.1, 9, 9, 9, 1.0, 1.0)
    for place, name in enumerate(METHODS)
]
CURVES = {"magnitude": {0.2: 30.0, 0.5: 400.0}, "Wanda": {0.2: 25.0, 0.5: 50.0}}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Figures stay open, to be looked at."""
    monkeypatch.setattr(plots, "show", lambda: None)
    yield
    plt.close("all")


def panels() -> dict:
    return {ax.get_xlabel(): ax for ax in plt.gcf().axes}


def test_the_closing_figure_shows_how_much_is_gone():
    """A sixth and a half do not stand side by side without a word."""
    plots.comparison(ROWS, "title")
    (line,) = [line for line in panels()["zeros or gone"].lines if line.get_marker() == plots.MARKERS[0]]
    assert list(line.get_xdata()) == [row.sparsity for row in ROWS]


def test_bars_of_accuracy_are_intervals_and_say_so():
    """The same bars mean the same in labs 07 and 08."""
    plots.comparison(ROWS, "title")
    (ax,) = [ax for name, ax in panels().items() if "accuracy" in name]
    assert "95 %" in ax.get_xlabel()
    (container,) = [each for each in ax.containers if isinstance(each, ErrorbarContainer)]
    left, right = container[2][0].get_segments()[0][:, 0]
    assert right - left == pytest.approx(2 * 1.96 * 0.1)


def test_perplexities_that_lie_close_have_few_ticks():
    """On a panel of an inch the labels of seven ticks run into one another."""
    plots.comparison(ROWS, "title")
    plt.gcf().canvas.draw()
    (ax,) = [ax for name, ax in panels().items() if "perplexity" in name]
    low, high = ax.get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in ax.get_xticks()) <= 4


def test_curves_and_single_marks():
    """A method with a curve has no mark besides, all others have one, and curves begin at the dense model."""
    plots.perplexity_by_share(CURVES, ROWS, "title", (0.3, None))
    lines = {line.get_label(): line for line in plt.gca().lines}
    assert set(lines) == set(METHODS) - {"dense"}
    assert list(lines["Wanda"].get_xdata()) == [0, 0.2, 0.5]
    assert lines["Wanda"].get_ydata()[0] == ROWS[0].perplexity
    assert len(lines["Wanda 2:4"].get_xdata()) == 1
    looks = {(line.get_color(), line.get_marker()) for line in lines.values()}
    assert len(looks) == len(lines)


def test_reference_curves_are_dashed():
    """They have the colour of the reader's mark, and are in the words but not in the legend.

    Of several draws the line goes through the middle one, and a bar says how far apart they are.
    """
    draws = {"Wanda + LoRA": {0.2: (24.0,), 0.5: (37.0, 90.0, 31.0)}}
    plots.perplexity_by_share(CURVES, ROWS, "title", (0.3, None), draws)
    lines = {line.get_label(): line for line in plt.gca().lines}
    ours, mark = lines["Wanda + LoRA, ours"], lines["Wanda + LoRA"]
    assert list(ours.get_xdata()) == [0, 0.2, 0.5] and list(ours.get_ydata())[1:] == [24.0, 37.0]
    assert ours.get_color() == mark.get_color() == lines["Wanda"].get_color() and ours.get_linestyle() == "--"
    assert "Wanda + LoRA, ours" not in [text.get_text() for text in plt.gca().get_legend().get_texts()]
    assert "Wanda + LoRA, ours" in describe(plt.gcf())
    (bars,) = plt.gca().collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments()][1:] == [[24.0, 24.0], [31.0, 90.0]]


def test_two_of_four_is_told_apart():
    """Two stars lie on top of each other: the note says both numbers."""
    plots.storage_against_sparsity({"csr": {0.0: 2.0, 1.0: 0.1}}, {2: 0.5625, 4: 0.53125}, "title")
    (said,) = [text.get_text() for text in plt.gca().texts if "2:4" in text.get_text()]
    assert "0.56" in said and "0.53" in said


def test_guesses_in_the_main_figures():
    """Each main figure of labs 07 and 08 takes one."""
    plots.perplexity_by_share(CURVES, ROWS, "title", (0.3, 40))
    times = {"small": {"dense": (1.0, (1.0, 1.0)), "zeros": (1.0, (1.0, 1.0)), "sliced": (0.6, (0.6, 0.6))}}
    plots.latency_bars(times, "title", 0.5)
    plots.shares_with_errors(
        {"dense": {"acc": (0.6, 0.1), "acc_norm": (0.8, 0.1)}}, {"acc": 0.25, "acc_norm": 0.25},
        "title", "y", guess=("acc_norm", 0.7),
    )  # fmt: skip
    for number, place in zip(plt.get_fignums(), [(0.3, 40), (0, 0.5), (1, 0.7)], strict=True):
        stars = [line for line in plt.figure(number).axes[0].lines if line.get_label() == "_guess"]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [place]


def test_every_method_of_the_course_is_in_the_closing_figure():
    assert set(expected.methods()) == set(METHODS)
