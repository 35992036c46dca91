"""Perplexity by how much is removed: methods side by side at equal shares of the decoder's weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labsupport import models, results
from labsupport.comparison import Bench, Setting, about_setting
from labsupport.fetch import cache
from labsupport.given.perplexity import perplexity
from labsupport.graded import being_graded
from labsupport.planning import plan_widths
from labsupport.widths import Widths, head_size, of_config

CURVES = ("magnitude", "Wanda", "blocks, taylor")  # what lab 08 measures
OTHERS = (
    "blocks, random",
    "blocks, l1",
    "blocks, l2",
    "Wanda + LoRA",
    "blocks, taylor + LoRA",
)  # measured for it
RATIOS = (0.3, 0.5, 0.69)  # of the pruned layers; of the course model a sixth, a third and a half of all


@dataclass(frozen=True)
class Point:
    """The perplexity of a method that has removed a share of the decoder's Linear weights."""

    method: str
    share: float  # 0 to 1
    perplexity: float


def shares(chosen: Setting) -> dict[float, float]:
    """Ratio -> the share of the decoder's Linear weights that removing it from the chosen layers takes."""
    config = models.config(chosen.model)
    head_dim, dense = head_size(config), of_config(config)

    def size(layers: list[Widths]) -> int:
        """The weights of these layers, over hidden_size."""
        heads = sum(2 * head_dim * (layer.heads + layer.kv_heads) for layer in layers)  # q, o and k, v
        return heads + sum(3 * layer.channels for layer in layers)

    after = {ratio: plan_widths(dense, head_dim, ratio, range(*chosen.layers))[0] for ratio in RATIOS}
    return {ratio: 1 - size(layers) / size(dense) for ratio, layers in after.items()}


def measure(
    chosen: Setting, place: Path | None = None, methods: Sequence[str] = CURVES
) -> dict[str, dict[float, float]]:
    """Method -> {share: perplexity}, for every method at the same shares.

    place: a JSON file, by default in the course's cache; what it holds is not measured again. methods: of
    CURVES and OTHERS. Under grading nothing is measured. Raises LabError as comparison.compare does.
    """
    about = {**about_setting(chosen), "ratios": list(RATIOS)}
    place = place or cache.own() / "amounts" / f"{results.digest(about)}.json"
    points = results.read(place, about, Point)
    known = {(point.method, point.share) for point in points}
    wanted = [(method, *each) for method in methods for each in shares(chosen).items()]
    missing = [each for each in wanted if (each[0], each[2]) not in known]
    if missing and not being_graded():
        bench = Bench(chosen)
        for method, ratio, share in missing:
            print(f"{method}, {share:.1%} of the weights ...", flush=True)
            points.append(Point(method, share, _perplexity(bench, method, ratio, share)))
            results.write(place, about, points)
    return {
        method: {point.share: point.perplexity for point in points if point.method == method}
        for method in methods
    }


def _perplexity(bench: Bench, method: str, ratio: float, share: float) -> float:
    """The perplexity of a fresh model that loses this share."""
    bench.chosen = replace(bench.chosen, ratio=ratio, sparsity=share)
    return perplexity(bench.made(method), bench.evaluation)
