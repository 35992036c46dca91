"""Figures of labs 04 to 06: do they show the spread of draws, the guess, and every number?"""

import matplotlib.pyplot as plt
import pytest

from labsupport import plots
from labsupport.figure_text import describe


@pytest.fixture
def shown(monkeypatch):
    """The figures in words; each is told before it is closed."""
    told = []
    monkeypatch.setattr(plots, "show", lambda: (told.append(describe(plt.gcf())), plt.close()))
    return told


def test_a_random_criterion_shows_its_middle_draw_and_its_range(monkeypatch):
    """One draw of three would pass for the criterion itself."""
    bars = []
    monkeypatch.setattr(plots, "show", lambda: bars.extend(plt.gca().containers))
    found = {"l1": {0.35: [300.0]}, "random": {0.35: [80.0, 50.0, 70.0]}}
    plots.perplexity_by_criterion(found, 24.0, "By criterion", guess=(1, 60))
    (container,) = bars
    middle, _, (reach,) = container
    assert list(middle.get_ydata()) == [300, 70]
    assert [sorted(y for _, y in bar) for bar in reach.get_segments()] == [[300, 300], [50, 80]]
    assert "your guess 60" in [text.get_text() for text in plt.gca().texts]
    plt.close("all")


def test_equal_perplexities_at_two_ratios_can_both_be_read(monkeypatch):
    """Where little is lost, two marks and two numbers would lie on top of each other."""
    texts = []
    monkeypatch.setattr(plots, "show", lambda: texts.extend(plt.gca().texts))
    plots.perplexity_by_criterion({"l2": {0.2: [30.0], 0.35: [30.0]}}, 24.0, "By criterion")
    (left, right) = [text for text in texts if text.get_text() == "30.0"]
    assert left.get_position()[0] < 0 < right.get_position()[0]
    assert (left.get_ha(), right.get_ha()) == ("right", "left")
    plt.close("all")


def test_a_recovery_has_its_four_numbers_and_the_guess(shown):
    plots.before_and_after(
        {"Wanda": (49.0, 36.0), "sliced": (72.0, 40.0)}, 24.0, "LoRA", "perplexity", (0, 33)
    )
    for said in ("before: Wanda = 49", "before: sliced = 72", "after: Wanda = 36", "after: sliced = 40"):
        assert said in shown[0]
    assert "dense 24.0" in shown[0] and "your guess 33" in shown[0]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("agreement_by_depth", {0: 0.3, 1: -0.2}),
        ("errors_by_depth", {"Wanda": {0: 0.3, 1: 0.2}}),
        ("mask_differences", {"layers.0.q_proj": 0.3, "layers.1.q_proj": 0.2}),
    ],
)
def test_curves_over_the_depth_take_a_guess(shown, name, numbers):
    getattr(plots, name)(numbers, "a title", guess=(1, 0.5))
    getattr(plots, name)(numbers, "a title")
    assert ["your guess 0.5" in told for told in shown] == [True, False]


def test_files_stand_at_their_megabytes(shown):
    """A file's point has its name, and the limit and the guess are told."""
    plots.files_and_limit({"four bits": (84_000_000, 24.0)}, 30.0, "Files", guess=(67e6, 40))
    for said in ("four bits: 24 at 84", "limit 30.0", "your guess 40"):
        assert said in shown[0]


def test_the_error_by_tokens_has_wandas_beside_it(shown):
    """Whether solving pays at all is read off that line."""
    plots.error_by_tokens({"damp 0.01": {256: 0.4, 512: 0.2}}, 0.3, "By tokens")
    assert "damp 0.01: 0.4 at 256, 0.2 at 512" in shown[0] and "Wanda 30%" in shown[0]
