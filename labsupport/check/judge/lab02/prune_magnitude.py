"""2.2 prune_magnitude: every layer of a model loses the smallest of its own magnitudes, in place."""

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.pruned import Pruned
from labsupport.check.judge.kit import draw, pruned
from labsupport.check.judge.kit.carried import Earlier, a_mask
from labsupport.check.judge.kit.compare import drops_lowest
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.magnitudes import joined
from labsupport.linears import pruned_linears


def cases(seed: int) -> list[Case]:
    """A tiny model at two sparsities, and the course model."""
    source = draw.rng(seed, "prune_magnitude")
    tiny = source.randrange(10**6)
    name = recipes.course_model()["course"]
    return [
        Case("a tiny model", pruned.tiny_case(tiny, sparsity=source.choice((0.3, 0.4, 0.6)))),
        Case("sparsity 0 leaves the model as it is", pruned.tiny_case(tiny, sparsity=0.0)),
        Case(f"the course model, {name}", pruned.course_case(sparsity=0.5), costly=True),
    ]


def parts(inputs: dict, answer: Pruned, given: pruned.Masks | None = None) -> list[Part]:
    """What must hold of the masks, bool [out, in] by name, and of the model."""
    sparsity = inputs["sparsity"]

    def right(_name: str, weight: torch.Tensor, mask: torch.Tensor) -> bool:
        scores = weight.detach().abs().flatten().cpu()  # [out * in]
        return drops_lowest(mask.flatten(), scores, round(sparsity * len(scores)))

    rule = f"each layer drops the smallest {sparsity:.0%} of its own magnitudes"
    return pruned.parts(inputs, answer, rule, right, given)


def cause(inputs: dict, answer: Pruned) -> str:
    """The mistake that wrong masks of a tiny model show."""
    masks, sparsity = answer.value, inputs["sparsity"]
    if not isinstance(masks, dict) or "course" in inputs["model"]:
        return ""
    linears = pruned_linears(recipes.model(inputs["model"]))
    scores = {name: linear.weight.detach().abs().cpu() for name, linear in linears.items()}  # [out, in] each

    def follows(mask: torch.Tensor, score: torch.Tensor) -> bool:
        return drops_lowest(mask.flatten(), score.flatten(), round(sparsity * score.numel()))

    if all(follows(~masks[name], score) for name, score in scores.items()):
        return "It looks as if the masks are inverted: True means keep."
    if follows(joined(masks), joined(scores)):
        return (
            "It looks as if one threshold for all layers was used. Here every layer finds its own: "
            "the shared threshold is exercise 2.3."
        )
    return ""


def given(inputs: dict, earlier: Earlier) -> pruned.Masks:
    """The masks of the student's magnitude_mask, bool [out, in] by name."""
    sparsity = inputs["sparsity"]

    def mask(weight: torch.Tensor) -> torch.Tensor:
        form = a_mask(weight.shape, sparsity)
        return earlier("magnitude_mask", form, {"weight": weight, "sparsity": sparsity})

    linears = pruned_linears(recipes.model(inputs["model"]))
    return {name: mask(linear.weight.detach().cpu()) for name, linear in linears.items()}


EXERCISE = Exercise("prune_magnitude", "2.2", cases, parts, cause, Pruned, ("magnitude_mask",), given)
