"""The course's figures, one function each: they draw numbers that the notebook computed.

Every figure has a title that says what to see. Colours are Okabe and Ito's, which colour-blind eyes
tell apart, and every series has a marker or a line style of its own besides.
"""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", "-.", ":", "-", "--", "-.")


def axes(title: str, x: str, y: str, width: float = 7.0, height: float = 4.0) -> Axes:
    """A new figure with one pair of axes, titled and labelled."""
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, axis="y", alpha=0.25)
    return ax


def look(index: int) -> dict:
    """Colour, marker and line style of the index-th series."""
    index %= len(COLOURS)
    return {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": STYLES[index]}


def perplexity_against_sparsity(curves: dict[str, dict[float, float]], title: str) -> None:
    """One curve a method: name -> {sparsity: perplexity}. Perplexity is on a log scale, lower is better."""
    ax = axes(title, "sparsity of the decoder's linear layers", "perplexity (log scale)")
    for index, (name, points) in enumerate(curves.items()):
        sparsities = sorted(points)
        ax.plot(sparsities, [points[s] for s in sparsities], label=name, **look(index))
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(frameon=False)
    plt.show()
