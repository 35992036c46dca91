"""A guess: is it drawn where it belongs, and can it never stop a lab?"""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from labsupport import guesses, plots


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    ax.plot([1, 2], [10, 20])
    yield ax
    plt.close()


def test_a_guess_is_a_hollow_star(ax):
    """At its place, with its label, and within view even where the figure has fixed its limits."""
    ax.set_ylim(0, 30)
    for value in (12.5, np.float32(40)):
        guesses.mark(ax, 2, value)
        star, said = ax.lines[-1], ax.texts[-1].get_text()
        assert (star.get_marker(), star.get_markerfacecolor()) == ("*", "none")
        assert (list(star.get_xdata()), list(star.get_ydata())) == ([2], [value])
        assert said == f"your guess {value:g}"
    assert ax.get_ylim() == (0, 40)


def test_no_guess_draws_nothing(ax, capsys):
    guesses.mark(ax, 2, None)
    assert len(ax.lines) == 1 and not ax.texts and not capsys.readouterr().out


@pytest.mark.parametrize("guess", ["twice", "40", True, (40, 5), 1j, float("nan"), 10**400, [1] * 10**6])
def test_what_is_no_number_gets_one_sentence(ax, capsys, guess):
    guesses.mark(ax, 2, guess)
    said = capsys.readouterr().out
    assert said.startswith("Your guess is ") and "not a number" in said
    assert said.count("\n") == 1 and len(said) < 150
    assert len(ax.lines) == 1


def test_a_log_scale_has_no_zero(ax, capsys):
    ax.set_yscale("log")
    guesses.mark(ax, 2, 0)
    assert capsys.readouterr().out == (
        "Your guess is 0, and this figure has a log scale: guess a number above 0.\n"
    )
    assert len(ax.lines) == 1


CURVE, PAIRS = {64: 2.0, 128: 1.0}, {64: (2.0, 0.1), 128: (1.0, 0.1)}
FIGURES = {
    "perplexity_against_sparsity": [{"one": CURVE}],
    "perplexity_against_window": [{"one": CURVE}],
    "cost_by_context": [{"one": PAIRS}],
    "layer_sparsities": [{"layer.0.q_proj": 0.3, "layer.1.q_proj": 0.7}, 0.5],
    "loudness_by_depth": [{"one": CURVE}],
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_that_take_a_guess(name, monkeypatch):
    """They show it, and draw as before without one."""
    shown = []
    monkeypatch.setattr(plots, "show", lambda: shown.append([text.get_text() for text in plt.gca().texts]))
    *numbers, draw = *FIGURES[name], getattr(plots, name)
    draw(*numbers, "a title", guess=(64, 3))
    draw(*numbers, "a title", guess=(64, None))
    draw(*numbers, "a title")
    plt.close("all")
    assert shown == [["your guess 3"], [], []]
