"""The widths that structured pruning leaves, by a ratio."""

import re

from labsupport.layer_widths import Widths


def layer_range(text: str | None, count: int) -> range:
    """The range of "4:18", layers 4 to 17; all `count` layers for an empty text or None.

    Raises ValueError for another text, and for layers that the model does not have.
    """
    if not (match := re.fullmatch(r"(\d*):(\d*)", text or ":")):
        raise ValueError(f"--layers is '{text}': it must be A:B, such as 4:18 for layers 4 to 17")
    first, end = int(match[1] or 0), int(match[2]) if match[2] else count
    if max(first, end) > count:
        raise ValueError(f"there is no layer {max(first, count)}: the model has layers 0 to {count - 1}")
    return range(first, end)


def narrowed(width: Widths, head_dim: int, ratio: float) -> Widths:
    """The widths of one layer after pruning; at least one channel and one KV head remain.

    Of w channels int(w * (1 - ratio)) remain. Of the key-value rows only whole heads are removed:
    (rows - int(rows * (1 - ratio))) // head_dim of them, each with the query heads that it serves.
    """
    rows = width.kv_heads * head_dim
    heads_gone = (rows - int(rows * (1 - ratio))) // head_dim
    kv_heads = max(1, width.kv_heads - heads_gone)
    served = width.heads // width.kv_heads
    return Widths(kv_heads, kv_heads * served, max(1, int(width.channels * (1 - ratio))))


def plan_widths(
    before: list[Widths], head_dim: int, ratio: float, layers: range
) -> tuple[list[Widths], list[str]]:
    """The widths of every layer afterwards, and sentences on blocks that do not change."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}: it must be from 0 to 1")
    if outside := [layer for layer in layers if not 0 <= layer < len(before)]:
        raise ValueError(f"there is no layer {outside[0]}: the model has layers 0 to {len(before) - 1}")
    after = [narrowed(w, head_dim, ratio) if i in layers else w for i, w in enumerate(before)]
    return after, _notes([(before[i], after[i]) for i in layers], head_dim, ratio)


def _notes(pairs: list[tuple[Widths, Widths]], head_dim: int, ratio: float) -> list[str]:
    if not pairs:
        return ["The range of layers is empty: nothing is removed."]
    if ratio == 0:
        return ["Ratio 0 removes nothing."]
    notes = []
    if all(old.kv_heads == new.kv_heads for old, new in pairs):
        heads = " or ".join(map(str, sorted({old.kv_heads for old, _ in pairs})))
        notes.append(
            f"Attention stays as it is: ratio {ratio:g} of {heads} key-value heads is not one whole head "
            f"of {head_dim} rows, or the last one."
        )
    if all(old.channels == new.channels for old, new in pairs):
        notes.append(f"The MLP stays as it is: ratio {ratio:g} is not one whole channel, or the last one.")
    if any(int(old.channels * (1 - ratio)) < 1 for old, _ in pairs):
        notes.append("One channel and one key-value head stay in each layer: none may end empty.")
    return notes
