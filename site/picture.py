"""The first page's picture of pruning: one small matrix, dense and pruned in two ways. Inline SVG."""

import torch

from labsupport.given.masks import kept

ROWS, INPUTS = 6, 10
LOUD = {2: 5.0, 7: 3.0}  # inputs that are much larger than the others, as every language model has some
SIDE = 22  # of a cell
TOP = 74  # above it name and inputs


def pruning(perplexity: dict[str, float]) -> str:
    """The picture. perplexity: of the course's model dense, pruned by magnitude and by Wanda at one half."""
    weight = torch.randn(ROWS, INPUTS, generator=torch.Generator().manual_seed(5))  # [out, in]
    norm = torch.ones(INPUTS)
    for channel, loud in LOUD.items():
        norm[channel] = loud
    small = kept(weight.abs().flatten()[None], 0.5).view_as(weight)
    panels = [
        ("dense", "every weight stays", torch.ones_like(weight, dtype=torch.bool), None),
        ("magnitude", "the smallest weights go", small, None),
        ("Wanda", "weight times input decides", kept(weight.abs() * norm, 0.5), norm),
    ]
    drawn = [_panel(*each, weight, perplexity[each[0]]) for each in panels]
    return f'<div class="pruning">{"".join(drawn)}</div>'


def _panel(name: str, said: str, keep, norm, weight, perplexity: float) -> str:
    """One matrix: the side of a square is the size of its weight; a weight that goes is an empty square."""
    largest = float(weight.abs().max())
    parts = [f'<text class="name" x="0" y="18">{name}</text><text x="0" y="38">{said}</text>']
    for channel in range(INPUTS if norm is not None else 0):
        tall = 5 * float(norm[channel])
        parts.append(
            f'<rect class="input" x="{channel * SIDE + 5}" y="{TOP - 4 - tall:g}" width="{SIDE - 10}" '
            f'height="{tall:g}"/>'
        )
    for row in range(ROWS):
        for channel in range(INPUTS):
            side = 4 + (SIDE - 7) * (abs(float(weight[row, channel])) / largest) ** 0.5
            x, y = channel * SIDE + (SIDE - side) / 2, TOP + row * SIDE + (SIDE - side) / 2
            kind = "stays" if keep[row, channel] else "goes"
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" rx="2" '
                f'style="--turn:{(row + channel) % 7}"/>'
            )
    below = TOP + ROWS * SIDE
    parts.append(f'<text x="0" y="{below + 22}">perplexity</text>')
    parts.append(f'<text class="number" x="{INPUTS * SIDE}" y="{below + 26}">{perplexity:,.1f}</text>')
    return (
        f'<svg viewBox="0 0 {INPUTS * SIDE} {below + 34}" role="img" '
        f'aria-label="{name}: {said}, perplexity {perplexity:,.1f}">{"".join(parts)}</svg>'
    )
