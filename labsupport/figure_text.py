"""The text alternative of a figure, for screen readers and for viewers without images."""

import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

ALL = 12  # points of a series listed in full; a longer series is given by its ends and extremes


def describe(figure: Figure) -> str:
    """The text alternative of a figure: its title, then axes and series of each panel."""
    told = [figure.get_suptitle(), *(part for ax in figure.axes for part in _panel(ax))]
    return re.sub(r"\s+", " ", ". ".join(part.strip() for part in told if part.strip())) + "."


def _panel(ax: Axes) -> list[str]:
    told = [ax.get_title(loc="left")]
    told += [f"{way}: {text}" for way, text in (("Across", ax.get_xlabel()), ("Up", ax.get_ylabel())) if text]
    across, up = _names(ax, "x"), _names(ax, "y")
    for label, points in _series(ax):
        said = ", ".join(dict.fromkeys(_said(x, y, across, up) for x, y in _chosen(points)))
        told.append(f"{label}: {said}" if label and not label.startswith("_") else said)
    told += [f"{dots.get_label()}: {len(dots.get_offsets())} points" for dots in _clouds(ax)]
    return told + [text.get_text() for text in ax.texts if re.search("[A-Za-z]", text.get_text())]


def _clouds(ax: Axes) -> list:
    """The named groups of a scatter plot."""
    clouds = [each for each in ax.collections if isinstance(each, PathCollection)]
    return [each for each in clouds if str(each.get_label())[0] != "_"]


def _series(ax: Axes) -> list[tuple[str, list]]:
    """Name and points of every line that has markers, and of every group of a few bars."""
    labels: dict = {}  # by colour: an artist without a label belongs to the series of its colour

    def label(own: str, colour) -> str:
        labels[colour] = labels.get(colour, own) if own.startswith("_") else own
        return labels[colour]

    names, caps, found = {}, set(), []
    containers: Any = ax.containers
    lines: Any = ax.lines
    for group in containers:
        if isinstance(group, ErrorbarContainer):
            names[group[0]] = group.get_label()
            caps.update(group[1])
        elif len(group) <= ALL:  # more bars are a histogram
            across = group.orientation == "horizontal"
            points = [_end(bar, across) for bar in group]
            found.append((label(group.get_label(), group[0].get_facecolor()), points))
    for line in (line for line in lines if line not in caps):
        name = label(names.get(line, line.get_label()), line.get_color())
        if line.get_marker() not in ("None", "", None) or not name.startswith("_"):
            found.append((name, list(zip(line.get_xdata(), line.get_ydata(), strict=True))))
    return found


def _end(bar, across: bool) -> tuple[float, float]:
    """The end point of a bar: its length and its middle."""
    x, y = bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height() / 2
    return (bar.get_width(), y) if across else (x, bar.get_height())


def _chosen(points: list) -> list:
    if len(points) <= ALL:
        return points
    lowest, highest = (end(points, key=lambda point: point[1]) for end in (min, max))
    return list(dict.fromkeys([points[0], lowest, highest, points[-1]]))


def _names(ax: Axes, way: str) -> dict[float, str]:
    """The tick labels of an axis, or of one that it shares, where they are words and not numbers."""
    for each in getattr(ax, f"get_shared_{way}_axes")().get_siblings(ax):
        axis = getattr(each, f"{way}axis")
        texts = [label.get_text() for label in axis.get_ticklabels()]
        if any(re.search("[A-Za-z]", text) and "$" not in text for text in texts):
            return dict(zip(axis.get_majorticklocs(), texts, strict=True))
    return {}


def _said(x: float, y: float, across: dict[float, str], up: dict[float, str]) -> str:
    names, place, value = (up, y, x) if up else (across, x, y)
    near = min(names, key=lambda tick: abs(tick - place), default=None)
    if near is None or abs(near - place) > 0.5:
        return f"{_number(y)} at {_number(x)}"
    return f"{names[near]} = {_number(value)}"


def _number(value: float) -> str:
    """Format with four digits: 1,234,000 and not 1.234e+06."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
