"""Judging functions that prune a whole model, for labs 02 and 04. No part of the answer is trusted.

The judge builds the same model, checks the masks against its weights, and measures the perplexity again.
"""

import functools
from collections.abc import Callable

import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.bits import packed
from labsupport.check.ask.pruned import Pruned, digest, form
from labsupport.check.judge.kit import left_behind, memo
from labsupport.check.judge.kit.compare import Wrong, has_keys, is_close, is_mask, is_number, rounding
from labsupport.check.judge.kit.exercise import Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.check.judge.kit.masked import masked
from labsupport.check.judge.kit.weight_names import replaced
from labsupport.given.perplexity import perplexity
from labsupport.linears import pruned_linears

Masks = dict[str, torch.Tensor]  # by layer: bool [out, in]


def parts(
    inputs: dict, answer: Pruned, drops: str, right: Callable, given: Masks | None = None, slack: int = 0
) -> list[Part]:
    """The conditions on a pruned model and its masks, bool [out, in] by name.

    drops: the rule in words. right(name, weight, mask): whether a mask follows the rule, tie-aware. given:
    masks that replace the rule, by name; slack: the entries of one that may differ, by rounding.
    """
    if given is not None:
        drops = "each mask is the one that your earlier functions give"
    masks, digests = answer.value, answer.digests

    @functools.cache
    def dense() -> nn.Module:
        return recipes.model(inputs["model"], "cpu")  # a card has room for few copies

    def linears() -> dict[str, nn.Linear]:
        return pruned_linears(dense())

    def named() -> None:
        has_keys(masks, sorted(linears()), "your function returned")

    def shaped() -> None:
        for name, linear in linears().items():
            is_mask(masks[name], f" of {name}")
            if masks[name].shape != linear.weight.shape:
                raise Wrong(f"that of {name} is {tuple(masks[name].shape)}, not {tuple(linear.weight.shape)}")

    def ruled() -> None:
        if given is not None:
            for name, mask in given.items():
                if (count := int((masks[name] != mask).sum())) > slack:
                    what = some_of(count, mask.numel(), "entries differs", "entries differ")
                    raise Wrong(f"not so in {name}, where {what}")
            return
        memo.number(f"follows: {drops}", inputs, masks, follow)

    def follow() -> float:
        for name, linear in linears().items():
            if not right(name, linear.weight, masks[name]):
                dropped = int((~masks[name]).sum())
                raise Wrong(f"not so in {name}, where {some_of(dropped, masks[name].numel())} dropped")
        return 1.0

    def zeroed() -> None:
        for name, linear in linears().items():
            found, wanted = digests.get(f"{name}.weight", ""), digest(linear.weight * masks[name])
            if found == wanted:
                continue
            if found == digest(linear.weight):
                raise Wrong(f"the weight of {name} is unchanged: masks must be applied in place")
            if said := replaced(f"{name}.weight", digests, wanted):
                raise Wrong(said)
            if (now := found.partition(" ")[2][:80]) and now != form(linear.weight):
                raise Wrong(f"the weight of {name} is now {now}: a mask does not change its shape")
            if (other := owner(found)) is not None:
                raise Wrong(f"{name} has the weight of {other}: every layer keeps its own")
            raise Wrong(f"the weight of {name} is not what its mask leaves: kept weights must not change")

    def owner(found: str) -> str | None:
        """The layer whose masked weight has this digest."""
        own = ((name, linear.weight * masks[name]) for name, linear in linears().items())
        return next((name for name, weight in own if digest(weight) == found), None)

    def untouched() -> None:
        pruned = {f"{name}.weight" for name in linears()}
        for name, weight in dense().named_parameters():
            if name not in pruned and digests.get(name) != (wanted := digest(weight)):
                raise Wrong(replaced(name, digests, wanted) or f"{name} changed")

    def measured() -> None:
        if answer.measured is None:
            raise Wrong("there is none")
        if error := answer.measured.error:
            said = (error.names[0], error.text)
            raise Wrong(f"the model does not run any more: {': '.join(filter(None, said))}")
        dense.cache_clear()  # memory for one model at a time
        found, expected = answer.measured.value, masked_perplexity(inputs, packed(masks))
        is_number(found)
        if not is_close(found, expected, rounding(inputs, 1e-3)):
            raise Wrong(
                f"it came out as {found:.4g}, and these masks have {expected:.4g}. "
                "The masks are right in every layer, so the pruning is right and the measurement differs"
            )

    size = "one for every Linear of the decoder layers"
    return [
        Part(f"returns a dict of masks, {size}", named),
        Part("every mask is torch.bool and has the shape of its weight", shaped),
        Part(drops, ruled),
        Part("in the model the dropped weights are zero and the kept ones bit-identical", zeroed),
        Part("embeddings, norms and lm_head are untouched", untouched),
        Part("the perplexity measured on the model is the one of its masks", measured),
        left_behind.part(answer),
    ]


def masked_perplexity(inputs: dict, bits: dict[str, torch.Tensor], place: str | None = None) -> float:
    """The judge's perplexity of the dense model under masks; place: their key in the memo, if computed.

    bits: the masks packed by bits.packed, uint8 [ceil(n / 8)] by name. Raises KeyError for a name that is
    not a pruned Linear, and ValueError for a mask of another size.
    """

    def measure() -> float:
        with masked(inputs["model"], bits) as model:
            return perplexity(model, recipes.windows(inputs["evaluation"]))

    return memo.at(place or perplexity_key(inputs, bits), measure)


def perplexity_key(inputs: dict, bits: dict[str, torch.Tensor]) -> str:
    """The key of `masked_perplexity` in the memo: from model, text and masks."""
    return memo.key("perplexity", {name: inputs[name] for name in ("model", "evaluation")}, bits)


def tiny_case(seed: int, **more) -> dict:
    """The inputs of a case on a tiny model, its texts random tokens."""
    return {
        "model": {"tiny": seed},
        **more,
        "evaluation": {"random": seed + 1, "count": 2, "length": 64},
    }


def course_case(**more) -> dict:
    """The inputs of the case on the course model and the course text."""
    return {"model": recipes.course_model(), **more, "evaluation": recipes.course_windows("evaluation")}
