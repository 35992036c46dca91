"""The front of a figure of quality against size."""


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pairs (size, loss) that no other one beats in both, from the smallest size on."""
    best: list[tuple[float, float]] = []
    for size, loss in sorted(points):
        if not best or loss < best[-1][1]:
            best.append((size, loss))
    return best
