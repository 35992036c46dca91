"""The charts of the report as inline SVG: pure functions, numbers in, markup out.

No information is in colour alone: every part has its own pattern (see templates/report.html) and its number
beside it as text, and the label describes the chart for screen readers. Charts are as wide as the page.
"""

from markupsafe import Markup

FLOOR, HIGHEST = 150, 130  # of the histogram, in pixels: the base line, and the tallest bar


def bar(parts: list[tuple[str, float, str]], height: int = 20, most: float = 0.0, label: str = "") -> Markup:
    """One bar of parts, each (pattern, size, description). most: the size of the full width."""
    parts = [part for part in parts if part[1] > 0]
    most = max(most, sum(size for _, size, _ in parts)) or 1.0
    drawn, at = [], 0.0
    for pattern, size, _ in parts:
        drawn.append(rectangle(pattern, 100 * at / most, 0.5, 100 * size / most, height - 1))
        at += size
    said = label or ", ".join(words for _, _, words in parts)
    return svg(height, said, drawn)


def histogram(bars: list[int], names: list[str], label: str, mark: int, mark_words: str) -> Markup:
    """A histogram: counts and their names; mark: the index of the bar that `mark_words` describe."""
    count, most = len(bars), max([1, *bars])
    drawn = []
    for place, (number, name) in enumerate(zip(bars, names, strict=True)):
        middle, high = 100 * (place + 0.5) / count, HIGHEST * number / most
        if number:
            drawn.append(rectangle("right", middle - 42 / count, FLOOR - high, 84 / count, high))
            drawn.append(words(number, middle, FLOOR - 7 - high, "strong"))
        drawn.append(words(name, middle, FLOOR + 18, "soft"))
    drawn.append(Markup('<line x1="0" x2="100%" y1="{0}" y2="{0}" stroke="#6b7783"/>').format(FLOOR + 0.5))
    place = (mark + 0.5) / count
    side = "start" if place < 0.2 else "end" if place > 0.8 else "middle"
    pointed = f"{mark_words} ▲" if side == "end" else f"▲ {mark_words}"
    drawn.append(words(pointed, 100 * place, FLOOR + 42, "strong", side))
    return svg(FLOOR + 55, label, drawn)


def rectangle(pattern: str, x: float, y: float, width: float, height: float) -> Markup:
    """A rectangle; x and width in percent of the chart, y and height in pixels."""
    return Markup('<rect class="{}" x="{:.3f}%" y="{:.1f}" width="{:.3f}%" height="{:.1f}"/>').format(
        pattern, x, y, width, height
    )


def words(text: object, x: float, y: float, look: str, side: str = "middle") -> Markup:
    """A text; x in percent of the chart, y in pixels; look: a class; side: its text-anchor."""
    return Markup('<text class="{}" x="{:.3f}%" y="{:.1f}" text-anchor="{}">{}</text>').format(
        look, x, y, side, text
    )


def svg(height: int, label: str, drawn: list[Markup]) -> Markup:
    """The chart of these elements, with its label for screen readers."""
    return Markup('<svg width="100%" height="{}" role="img" aria-label="{}">\n{}\n</svg>').format(
        height, label, Markup("\n").join(drawn)
    )
