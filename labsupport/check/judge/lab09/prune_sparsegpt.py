"""Judges prune_sparsegpt, exercise 9.4: a whole model, each layer solved for what the pruned ones send it.

The answer holds every weight afterwards. The judge builds the same model, runs it with these weights, and
solves every layer again by the definition, under the masks of the answer.
"""

import functools
from collections.abc import Callable, Iterator

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.own.prune_sparsegpt import Solved
from labsupport.check.judge.kit import draw, left_behind
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, has_keys, is_mask
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.check.judge.kit.open_columns import error, pools
from labsupport.check.judge.kit.solved_causes import causes
from labsupport.check.judge.kit.solved_model import (
    BLOCK,
    Carried,
    Hessians,
    answered_model,
    carried,
    fits,
    flowing,
    near,
)
from labsupport.check.judge.kit.weight_names import all_there
from labsupport.linears import pruned_linears


def cases(seed: int) -> list[Case]:
    """Tiny models on random tokens, by their recipes."""
    source = draw.rng(seed, "prune_sparsegpt")

    def case(title: str, sparsity: float, *pattern: tuple[int, int]) -> Case:
        tiny = source.randrange(10**6)
        texts = {"random": tiny + 1, "count": 6, "length": 48}
        more = {"pattern": pattern[0]} if pattern else {}
        return Case(title, {"model": {"tiny": tiny}, "batches": texts, "sparsity": sparsity, **more})

    return [
        case("a tiny model", source.choice((0.4, 0.5, 0.6))),
        case("2 of every 4", 0.5, (2, 4)),
        case("sparsity 0 leaves the model as it is", 0.0),
    ]


def parts(inputs: dict, answer: Solved, given: Carried | None = None) -> list[Part]:
    """What must hold of the masks, bool [out, in] by layer, and of the weights.

    given: the weights and masks that follow from the student's earlier functions.
    """
    masks, weights, pattern, sparsity = (
        answer.value,
        answer.weights,
        inputs.get("pattern"),
        inputs["sparsity"],
    )

    @functools.cache
    def dense() -> dict[str, torch.Tensor]:
        """The weights of the dense model, on the CPU."""
        return {name: weight.cpu() for name, weight in recipes.model(inputs["model"]).state_dict().items()}

    @functools.cache
    def layers() -> list[str]:
        return list(pruned_linears(recipes.model(inputs["model"])))

    @functools.cache
    def seen() -> Hessians:
        """The Hessians of what the answer's model sends its layers."""
        return flowing(answered_model(inputs, weights), inputs)

    def each(holds: Callable[[str, torch.Tensor, torch.Tensor, torch.Tensor], None]) -> None:
        """holds(name, dense weight, new weight, mask) for every layer."""
        for name in layers():
            holds(name, dense()[f"{name}.weight"], weights[f"{name}.weight"], masks[name])

    def named() -> None:
        has_keys(masks, sorted(layers()), "your function returned")

    def shaped() -> None:
        for name in layers():
            is_mask(masks[name], f" of {name}")
            if masks[name].shape != (wanted := dense()[f"{name}.weight"].shape):
                raise Wrong(f"that of {name} is {tuple(masks[name].shape)}, not {tuple(wanted)}")

    def same_model() -> None:
        all_there(weights, dense())
        for name, weight in dense().items():
            found = weights[name]
            if found.shape != weight.shape or found.dtype != weight.dtype:
                raise Wrong(f"{name} is now {tuple(found.shape)} of {found.dtype}")
            if not bool(found.isfinite().all()):
                raise Wrong(f"{name} holds inf or NaN")

    def untouched() -> None:
        pruned = {f"{name}.weight" for name in layers()}
        for name, weight in dense().items():
            if name not in pruned and not torch.equal(weights[name], weight):
                raise Wrong(f"{name} changed")

    def zeros(name: str, weight: torch.Tensor, new: torch.Tensor, mask: torch.Tensor) -> None:
        if torch.equal(new, weight) and not bool(mask.all()):
            raise Wrong(f"the weight of {name} is as it was: the model is pruned in place")
        if left := int((new[~mask] != 0).sum()):
            raise Wrong(f"not so in {name}, where {some_of(left, int((~mask).sum()))} not")

    def counted(name: str, _weight: torch.Tensor, _new: torch.Tensor, mask: torch.Tensor) -> None:
        group = pattern[1] if pattern else BLOCK
        for pool in pools(mask, group, pattern is not None):
            wanted = pattern[1] - pattern[0] if pattern else round(sparsity * pool.shape[1])
            if bool(((~pool).sum(dim=1) != wanted).any()):
                raise Wrong(f"not so in {name}, where {some_of(int((~mask).sum()), mask.numel())} dropped")

    def less(name: str, weight: torch.Tensor, new: torch.Tensor, _mask: torch.Tensor) -> None:
        hessian = seen()[name]  # [in, in]
        score = (weight.double().square() * hessian.diagonal()).view(
            -1, pattern[1] if pattern else weight.shape[1]
        )
        gone = pattern[1] - pattern[0] if pattern else round(sparsity * score.shape[1])
        kept = torch.ones_like(score).scatter(1, score.argsort(dim=1)[:, :gone], 0.0)  # by Wanda
        rival = weight * kept.view(weight.shape)  # [out, in]
        yours, wanda = error(weight, new, hessian), error(weight, rival, hessian)
        if gone and not yours < wanda:
            raise Wrong(f"not so in {name}, where it is {yours:.4g} and that of Wanda's mask {wanda:.4g}")

    def solved() -> None:
        if wrong := fits(inputs, answer, seen()):
            raise Wrong(f"not so in {wrong[0]}", layers=f"{len(wrong)} of {len(layers())}")

    def followed(given: Carried) -> None:
        for name, (weight, mask) in given.items():
            if not near(weights[f"{name}.weight"], weight) or not torch.equal(masks[name], mask):
                raise Wrong(f"not so in {name}")

    what = f"in every row {pattern[0]} of every {pattern[1]} inputs stay" if pattern else ""
    what = what or f"every layer drops {sparsity:.0%} of each block of {BLOCK} inputs"
    solutions = [
        Part(f"{what}, counted exactly", lambda: each(counted)),
        Part(
            "each layer's output error is below that of Wanda's mask on the same inputs", lambda: each(less)
        ),
        Part("each layer is solved for the inputs that the pruned layers before it send", solved),
    ]
    if given is not None:
        solutions = [Part("each layer is what your earlier functions give", lambda: followed(given))]
    return [
        Part("returns a dict of masks, one for every Linear of the decoder layers", named),
        Part("every mask is torch.bool and has the shape of its weight", shaped),
        Part("the model has the weights it had, all of them finite", same_model),
        Part("embeddings, norms and lm_head are untouched", untouched),
        Part("in the model the dropped weights are zero", lambda: each(zeros)),
        *solutions,
        left_behind.part(answer),
    ]


def cause(inputs: dict, answer: Solved) -> Iterator[Named]:
    """The mistake that wrong weights show."""
    return causes(inputs, answer)


BUILDS_ON = ("hessian", "sparsegpt_layer")
EXERCISE = Exercise("prune_sparsegpt", "9.4", cases, parts, cause, Solved, BUILDS_ON, carried)
