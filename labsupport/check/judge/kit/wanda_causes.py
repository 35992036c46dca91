"""The likely mistakes behind wrong masks of prune_wanda; each one is reproduced on a tiny model."""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.pruned import Pruned
from labsupport.check.judge.kit import norms
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.compare import drops_lowest
from labsupport.check.judge.kit.score_masks import INVERTED, comparable
from labsupport.linears import apply_masks, pruned_linears

SCORE = see("4.1", "Loud inputs count")
ROWS = see("4.2", "Why rows?")
ONE_SHOT = see("4.3", "One shot")
SLACK = 1e-5  # relative, of a score: norms summed in another order differ in their last bits
WHOLE_MATRIX = (
    "It looks as if the scores were ranked over the whole matrix at once. Wanda ranks inside each output "
    f"row: {ROWS}\nTry mask.sum(dim=1) on one of your masks: its numbers should be equal."
)
NO_NORMS = (
    "It looks as if the input norms were not used: each row dropped its smallest magnitudes. A factor for a "
    "whole row, such as the norm of its output, changes nothing inside that row either, "
    f"{SCORE}\nTry one score by hand: abs(weight[0, 0]) * norms[name][0]."
)
MAGNITUDE = (
    f"It looks as if the input norms were not used: these are the masks of prune_magnitude, {ONE_SHOT}"
)
MEAN_ABSOLUTE = (
    "It looks as if mean absolute inputs were taken for norms: a norm lets large inputs count for more, "
    f"{SCORE}\nTry labsupport.given.input_norms.input_norms, which is given."
)
NO_ROOT = (
    "It looks as if the square root is missing: sums of squares were taken for norms, or norms were squared, "
    f"{SCORE}"
)
SEQUENTIAL = (
    "It looks as if the norms of later layers were taken after earlier layers were pruned. That is "
    "sequential calibration, a method in its own right. Here one shot is asked for: first all norms of the "
    f"dense model, then every layer, {ONE_SHOT}"
)


def drops_rows(mask: torch.Tensor, score: torch.Tensor, sparsity: float, slack: float = SLACK) -> bool:
    """Whether every row of a mask drops its lowest scores, both [out, in]."""
    return drops_lowest(mask, score, round(sparsity * score.shape[1]), slack)


def drops_matrix(mask: torch.Tensor, score: torch.Tensor, sparsity: float) -> bool:
    """Whether a mask drops the lowest scores of the whole matrix, both [out, in]."""
    return drops_lowest(mask.flatten(), score.flatten(), round(sparsity * score.numel()), SLACK)


def cause(inputs: dict, answer: Pruned) -> Iterator[Named]:
    """The mistake behind wrong masks, bool [out, in] by layer; for tiny models only."""
    if "tiny" not in inputs["model"] or not isinstance(answer.value, dict):
        return
    masks, sparsity, windows = answer.value, inputs["sparsity"], recipes.windows(inputs["batches"])  # [B, L]
    model = recipes.model(inputs["model"])
    magnitudes = {  # each [out, in]
        name: linear.weight.detach().abs().cpu() for name, linear in pruned_linears(model).items()
    }
    if not all(comparable(masks.get(name), magnitude) for name, magnitude in magnitudes.items()):
        return
    seen = _seen_inputs(model, windows)

    def made_by(channel: Callable[[torch.Tensor], torch.Tensor], drops=drops_rows, masks=masks) -> bool:
        return all(drops(masks[name], w * channel(seen[name]), sparsity) for name, w in magnitudes.items())

    if made_by(_norm, masks={name: ~masks[name] for name in magnitudes}):
        yield INVERTED
    if made_by(_norm, drops_matrix):
        yield WHOLE_MATRIX
    if made_by(_ones):
        yield NO_NORMS
    if made_by(_ones, drops_matrix):
        yield MAGNITUDE
    if made_by(lambda x: x.abs().mean(dim=0)):
        yield MEAN_ABSOLUTE
    if made_by(lambda x: x.square().sum(dim=0)):
        yield NO_ROOT
    length = windows.shape[1]
    for place, tokens in (("last", slice(-length, None)), ("first", slice(length))):
        if made_by(lambda x, tokens=tokens: _norm(x[tokens])):
            yield (
                f"It looks as if only the {place} batch was counted: norms run over all tokens of all "
                f"batches, {ONE_SHOT}"
            )
    if _sequential(inputs, masks, windows):
        yield SEQUENTIAL


def _norm(x: torch.Tensor) -> torch.Tensor:
    """Norms of the inputs of one layer: [T, in] -> [in]."""
    return x.norm(dim=0)


def _ones(x: torch.Tensor) -> torch.Tensor:
    """Ones instead of norms: [T, in] -> [in]."""
    return torch.ones(x.shape[1])


def _seen_inputs(model: nn.Module, windows: torch.Tensor) -> dict[str, torch.Tensor]:
    """All inputs of every pruned Linear: windows [B, L] -> [T, in] by layer."""
    seen = {name: [] for name in pruned_linears(model)}
    with norms.listening(model, lambda name, x: seen[name].append(x)):
        norms.run(model, windows)
    return {name: torch.cat(inputs).cpu() for name, inputs in seen.items()}


def _sequential(inputs: dict, masks: dict[str, torch.Tensor], windows: torch.Tensor) -> bool:
    """Whether each mask fits a model whose earlier layers, or blocks, are already pruned.

    masks: [out, in] by layer; windows: [B, L].
    """
    order = list(pruned_linears(recipes.model(inputs["model"])))

    def right(name: str, earlier: list[str]) -> bool:
        model = recipes.model(inputs["model"])
        apply_masks(model, {other: masks[other] for other in earlier})
        norm = norms.measured(model, windows)[name].float()  # [in]
        score = pruned_linears(model)[name].weight.detach().abs().cpu() * norm  # [out, in]
        return drops_rows(masks[name], score, inputs["sparsity"])

    blocks = [name.split(".")[2] for name in order]
    return all(right(name, order[:place]) for place, name in enumerate(order)) or all(
        right(name, order[: blocks.index(block)]) for name, block in zip(order, blocks, strict=True)
    )
