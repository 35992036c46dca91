"""A guess before the measurement: a star in the figure shows how near it was. Nothing is graded."""

import math
import reprlib
from numbers import Real
from typing import Any

from matplotlib.axes import Axes


def mark(ax: Axes, x: float, guess: Any) -> None:
    """Draw a hollow star, labelled "your guess", at (x, guess), in the units of the axes.

    None draws nothing. What the figure cannot show (no finite number; 0 or less on a log scale) prints one
    sentence: a guess stops no lab. Call it before `plots.show()`.
    """
    if guess is None:
        return
    try:
        value = float(guess) if isinstance(guess, Real) and not isinstance(guess, bool) else math.nan
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        print(f"Your guess is {reprlib.repr(guess)}, which is not a number. Write, for example: guess = 12.5")
        return
    if value <= 0 and ax.get_yscale() == "log":
        print(f"Your guess is {value:g}, and this figure has a log scale: guess a number above 0.")
        return
    low, high = ax.get_ylim()
    ax.plot([x], [value], "*", color="black", markerfacecolor="none", markersize=14, label="_guess", zorder=4)
    ax.annotate(
        f"your guess {value:g}", (x, value), (9, 0), textcoords="offset points", va="center", fontsize=9
    )
    if not ax.get_autoscaley_on() and not low <= value <= high:  # the figure has set its limits already
        ax.set_ylim(min(low, value), max(high, value))
