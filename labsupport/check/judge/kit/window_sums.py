"""What follows for perplexity from the student's own window_nll."""

import math

import torch

from labsupport.check.ask import recipes
from labsupport.check.judge.kit.carried import Earlier
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_close, is_tensor, is_whole
from labsupport.check.judge.kit.exercise import Part

SIZES = (1, 2, 4, 8, 16)  # windows in a batch; a function may also take all windows at once


@torch.no_grad()
def perplexities(inputs: dict, earlier: Earlier) -> list[float]:
    """exp of all sums over all counts that the student's window_nll gives, for each size of a batch."""
    model, windows = recipes.model(inputs["model"]), recipes.windows(inputs["windows"])  # windows: [n, L]
    logits = model(windows.to(model.device), use_cache=False).logits.float().cpu()  # [n, L, V]
    found = []
    for size in sorted({min(size, len(windows)) for size in (*SIZES, len(windows))}):
        batches = zip(logits.split(size), windows.split(size), strict=True)
        values = [earlier("window_nll", a_pair, {"logits": of, "token_ids": ids}) for of, ids in batches]
        mean = sum(float(total) for total, _ in values) / sum(count for _, count in values)
        if not math.isfinite(mean):
            raise Wrong("the sums are not finite")
        found.append(math.exp(min(mean, 700)))
    return found


def a_pair(value) -> None:
    """Raise Wrong unless the value is a sum, float [], and a positive count."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise Wrong("no pair")
    is_tensor(value[0])
    has_shape(value[0], ())
    is_whole(value[1])
    if not value[0].is_floating_point() or value[1] < 1:
        raise Wrong("no sum, or no count")


def one_of(perplexities: list[float], found: float) -> Part:
    """The condition on the number that perplexity returns; none for an empty list."""

    def followed() -> None:
        if perplexities and not any(is_close(found, expected) for expected in perplexities):
            raise Wrong(your_perplexity=float(found), **{"your window_nll gives": perplexities[0]})

    return Part("exp of all sums over all counts of your window_nll", followed)
