"""The reader's guess, drawn beside the measurement. No point depends on it."""

from matplotlib.axes import Axes


def mark(ax: Axes, x: float, guess: float | None) -> None:
    """Draw a hollow star labelled "your guess" at (x, guess); nothing where guess is None."""
    if guess is None:
        return
    style = {"markersize": 15, "markerfacecolor": "none", "color": "black", "linestyle": "none"}
    ax.plot(x, guess, "*", label="your guess", zorder=4, **style)
    ax.legend(frameon=False, fontsize=9)
