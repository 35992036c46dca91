"""The likely mistakes behind wrong weights of prune_sparsegpt, lab 09."""

from collections.abc import Iterator

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.own.prune_sparsegpt import Solved
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.score_masks import INVERTED, comparable
from labsupport.check.judge.kit.solved_model import answered_model, flowing, misfits
from labsupport.linears import pruned_linears

SENT = see("9.4", "What the pruned layers send")
ONE_SHOT = (
    "It looks as if every layer was solved for what the dense model sends it. Here the layers go one after "
    f"another, and each sees what the pruned ones before it send, {SENT}"
)
ALONE = (
    "It looks as if the new weights never came into the model: only masks were applied, so the survivors are "
    f"as they were. Copy what sparsegpt_layer returns, {SENT}"
)


def causes(inputs: dict, answer: Solved) -> Iterator[Named]:
    """The mistakes that masks, bool [out, in] by layer, and weights show."""
    masks, weights = answer.value, answer.weights
    model = recipes.model(inputs["model"])
    dense = {name: linear.weight.cpu() for name, linear in pruned_linears(model).items()}  # [out, in] each
    if not isinstance(masks, dict) or not all(comparable(masks.get(name), dense[name]) for name in dense):
        return
    new = {name: weights[f"{name}.weight"] for name in dense}  # [out, in] each
    if all(bool((new[name][masks[name]] == 0).all()) for name in dense if not bool(masks[name].all())):
        yield INVERTED
    if all(torch.equal(new[name], weight * masks[name]) for name, weight in dense.items()):
        yield ALONE
    if not misfits(inputs, answer, flowing(model, inputs)):
        yield ONE_SHOT
    own = answered_model(inputs, weights)
    for place, windows in (("last", slice(-1, None)), ("first", slice(1))):
        if not misfits(inputs, answer, flowing(own, inputs, windows)):
            yield f"It looks as if only the {place} batch was counted: H is a sum over all batches, {SENT}"
    if inputs.get("pattern") and all(bool((mask.sum(dim=1) != mask.shape[1] * inputs["pattern"][0]
       // inputs["pattern"][1]).any()) for mask in masks.values()):  # fmt: skip
        yield f"It looks as if the pattern was not used: pass it on to sparsegpt_layer, {SENT}"
