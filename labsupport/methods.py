"""The methods of the course, each a list of steps: those of `python -m labsupport prune` and `recover`.

A step takes the bench of a comparison and a model, and changes the model in place. What a lab teaches is
imported where it runs: the sandbox of that lab has no answer to it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labsupport import linears, models, residual
from labsupport.steps import prune

if TYPE_CHECKING:
    from labsupport.comparison import Bench

Step = Callable[["Bench", Any], Any]
LEARNING_RATE = 1e-3  # ten times the report's: dozens of steps instead of sixteen hundred


def _magnitude(bench: "Bench", model: Any) -> None:
    prune.mask_weights(model, None, bench.chosen.sparsity)


def _wanda(bench: "Bench", model: Any) -> None:
    prune.mask_weights(model, bench.norms, bench.chosen.sparsity)


def _two_of_four(bench: "Bench", model: Any) -> None:
    prune.mask_weights(model, bench.norms, 0.5, (2, 4))


def _blocks(criterion: str) -> Step:
    def step(bench: "Bench", model: Any) -> None:
        layers = range(*bench.chosen.layers)
        prune.slice_blocks(model, criterion, bench.chosen.ratio, layers, bench.batches)

    return step


def _recover(bench: "Bench", model: Any) -> None:
    from labsupport.given import lora  # peft takes seconds to import

    lora.recover(model, bench.training(), bench.chosen.steps, LEARNING_RATE)


def _sparsegpt(pattern: tuple[int, int] | None = None) -> Step:
    def step(bench: "Bench", model: Any) -> None:
        from labsupport.given import sparsegpt

        sparsegpt.prune_sparsegpt(model, bench.batches, bench.chosen.sparsity, pattern)

    return step


def _wanda_by_budgets(bench: "Bench", model: Any) -> None:
    from labsupport.given import depth, masks, outliers, wanda

    budgets = depth.layer_budgets(outliers.ratios(model, bench.norms), bench.chosen.sparsity).tolist()
    for name, score in wanda.scores(model, bench.norms):
        linears.apply_masks(model, {name: masks.kept(score, budgets[outliers.block_of(name)])})


def _drop_a_fifth(bench: "Bench", model: Any) -> None:
    """Without the fifth of all blocks that turn the residual stream least: six of thirty."""
    from labsupport.given import depth

    influence = depth.block_influence(residual.stream(model, bench.calibration))
    keep = influence.argsort()[max(1, len(influence) // 5) :]
    depth.drop_blocks(model, sorted(keep.tolist()))


def _distill(bench: "Bench", model: Any) -> None:
    from labsupport.given import distillation

    teacher = models.load(bench.chosen.model)
    distillation.distill(model, teacher, bench.training(), bench.chosen.steps, LEARNING_RATE)


UNTIL_LAB_08: dict[str, list[Step]] = {
    "dense": [],
    "magnitude": [_magnitude],
    "Wanda": [_wanda],
    "Wanda 2:4": [_two_of_four],
    "blocks, random": [_blocks("random")],
    "blocks, l1": [_blocks("l1")],
    "blocks, l2": [_blocks("l2")],
    "blocks, taylor": [_blocks("taylor")],
    "Wanda + LoRA": [_wanda, _recover],
    "blocks, taylor + LoRA": [_blocks("taylor"), _recover],
}
METHODS: dict[str, list[Step]] = UNTIL_LAB_08 | {
    "SparseGPT": [_sparsegpt()],
    "SparseGPT 2:4": [_sparsegpt((2, 4))],
    "Wanda, OWL": [_wanda_by_budgets],
    "blocks dropped": [_drop_a_fifth],
    "blocks dropped + teacher": [_drop_a_fifth, _distill],
}
