"""Judges prune_wanda, exercise 4.3: a whole model pruned by Wanda, in one shot."""

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.pruned import Pruned
from labsupport.check.judge.kit import draw, norms, pruned
from labsupport.check.judge.kit.carried import Earlier, a_mask, scores
from labsupport.check.judge.kit.compare import rounding
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.wanda_causes import SLACK, cause, drops_rows
from labsupport.linears import pruned_linears

FLIPPED = 2  # entries of a mask: two scores so close that rounding of their norms decides


def cases(seed: int) -> list[Case]:
    """Tiny models on random tokens, by their recipes, then the course model."""
    source = draw.rng(seed, "prune_wanda")
    tiny = source.randrange(10**6)
    texts = {"random": tiny + 2, "count": 6, "length": 48}
    return [
        Case("a tiny model", pruned.tiny_case(tiny, batches=texts, sparsity=source.choice((0.3, 0.4, 0.6)))),
        Case("sparsity 0 leaves the model as it is", pruned.tiny_case(tiny, batches=texts, sparsity=0.0)),
        Case(
            f"the course model, {recipes.course_model()['course']}",
            pruned.course_case(batches=recipes.course_windows("calibration"), sparsity=0.5),
            costly=True,
        ),
    ]


def parts(inputs: dict, answer: Pruned, given: pruned.Masks | None = None) -> list[Part]:
    """What must hold of the masks, bool [out, in] by layer, and of the model under them."""
    sparsity = inputs["sparsity"]

    def right(name: str, weight: torch.Tensor, mask: torch.Tensor) -> bool:
        norm = norms.known(inputs["model"], [inputs["batches"]])[name].float()  # [in]
        score = weight.detach().abs().cpu() * norm  # [out, in]
        return drops_rows(mask, score, sparsity, rounding(inputs, SLACK))

    rule = f"in each layer every row drops the {sparsity:.0%} with the lowest scores of the dense model"
    return pruned.parts(inputs, answer, rule, right, given, FLIPPED)


def given(inputs: dict, earlier: Earlier) -> pruned.Masks:
    """The masks of the student's row_mask for the scores of their wanda_score, bool [out, in] by layer."""
    sparsity, norm = inputs["sparsity"], norms.known(inputs["model"], [inputs["batches"]])  # norm: [in] each

    def mask(name: str, weight: torch.Tensor) -> torch.Tensor:
        asked = {"weight": weight, "input_norm": norm[name].float()}
        score = earlier("wanda_score", scores(*weight.shape), asked)  # [out, in]
        form = a_mask(weight.shape, sparsity)
        return earlier("row_mask", form, {"score": score, "sparsity": sparsity})

    linears = pruned_linears(recipes.model(inputs["model"]))
    return {name: mask(name, linear.weight.detach().cpu()) for name, linear in linears.items()}


BUILDS_ON = ("wanda_score", "row_mask")
EXERCISE = Exercise("prune_wanda", "4.3", cases, parts, cause, Pruned, BUILDS_ON, given)
