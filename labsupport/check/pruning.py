"""How functions that prune a whole model are asked and judged: labs 02 and 04.

The student's side sends masks, digests of every weight and a perplexity. The judge builds the same
model for itself and believes none of it: masks are judged against the dense weights by property,
weights by what the masks leave of them, the perplexity by measuring it again.
"""

import functools
import hashlib
import json
from collections.abc import Callable

import torch

from labsupport.check import recipes, remember
from labsupport.check.asking import attempt
from labsupport.check.bits import packed, unpacked
from labsupport.check.compare import is_close, is_mask
from labsupport.check.exercise import Part, Wrong
from labsupport.check.wire import Opaque
from labsupport.linears import pruned_linears
from labsupport.perplexity import perplexity


def ask(function: Callable, inputs: dict) -> dict:
    """Prune a fresh model; answer with the masks and with what became of the model."""
    model = recipes.model(inputs["model"])
    arguments = [model]
    if "batches" in inputs:
        arguments.append(list(recipes.windows(inputs["batches"])[:, None]))  # windows as batches of one
    answer = attempt(lambda: function(*arguments, inputs["sparsity"]))
    if not answer["error"]:
        answer["digests"] = digests(model)
        answer["perplexity"] = perplexity(model, recipes.windows(inputs["evaluation"]))
    return answer


@torch.no_grad()
def digests(model) -> dict[str, str]:
    """SHA-256 of every weight by name; -0.0 counts as 0.0, as it does in a product."""
    return {name: digest(weight) for name, weight in model.named_parameters()}


def digest(weight: torch.Tensor) -> str:
    """SHA-256 of one weight's bytes."""
    flat = (weight.detach().cpu() + 0.0).contiguous().view(torch.uint8).numpy()
    return hashlib.sha256(flat).hexdigest()


def parts(inputs: dict, answer: dict, drops: str, right: Callable) -> list[Part]:
    """What must hold of a pruned model.

    drops: the rule in words. right(name, weight, mask): whether a mask follows the rule, tie-aware.
    """
    masks = answer["value"]

    @functools.cache
    def dense():
        return recipes.model(inputs["model"])

    def named() -> None:
        if not isinstance(masks, dict):
            kind = masks.type_name if isinstance(masks, Opaque) else type(masks).__name__
            raise Wrong("your function returned None: is a return missing?" if masks is None else
                        f"your function returned a {kind}")  # fmt: skip
        wanted = pruned_linears(dense()).keys()
        if missing := sorted(wanted - masks.keys()):
            raise Wrong(f"{len(missing)} of {len(wanted)} are missing, the first is {missing[0]}")
        if extra := sorted(masks.keys() - wanted):
            raise Wrong(f"{extra[0]} is not one of them")

    def shaped() -> None:
        for name, linear in pruned_linears(dense()).items():
            is_mask(masks[name], f" of {name}")
            if masks[name].shape != linear.weight.shape:
                raise Wrong(f"that of {name} is {tuple(masks[name].shape)}, not {tuple(linear.weight.shape)}")

    def ruled() -> None:
        remember.number(f"follows: {drops}", inputs, masks, follow)

    def follow() -> float:
        for name, linear in pruned_linears(dense()).items():
            if not right(name, linear.weight, masks[name]):
                dropped = int((~masks[name]).sum())
                raise Wrong(f"not so in {name}, where {dropped:,} of {masks[name].numel():,} are dropped")
        return 1.0

    def zeroed() -> None:
        for name, linear in pruned_linears(dense()).items():
            found = answer["digests"][f"{name}.weight"]
            if found == digest(linear.weight * masks[name].to(linear.weight.device)):
                continue
            if found == digest(linear.weight):
                raise Wrong(f"the weight of {name} is unchanged: masks must be applied in place")
            raise Wrong(f"the weight of {name} is not what its mask leaves: kept weights must not change")

    def untouched() -> None:
        pruned = {f"{name}.weight" for name in pruned_linears(dense())}
        for name, weight in dense().named_parameters():
            if name not in pruned and answer["digests"].get(name) != digest(weight):
                raise Wrong(f"{name} changed")

    def measured() -> None:
        expected = masked_perplexity(inputs, packed(masks))
        if not is_close(answer["perplexity"], expected, 1e-3):
            raise Wrong(
                f"it came out as {answer['perplexity']:.4g}, and these masks have {expected:.4g}. "
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
    ]


def masked_perplexity(inputs: dict, bits: dict[str, torch.Tensor], place: str | None = None) -> float:
    """The judge's own perplexity of the dense model under masks; place: their key, where known.

    bits: the masks as bits.packed has them. Raises KeyError for a name that is no pruned Linear, and
    ValueError for a mask of another size.
    """

    def measure() -> float:
        return perplexity(masked(inputs["model"], bits), recipes.windows(inputs["evaluation"]))

    return remember.at(place or perplexity_key(inputs, bits), measure)


@torch.no_grad()
def masked(recipe: dict, bits: dict[str, torch.Tensor]):
    """The model of a recipe under these masks, and under no earlier ones."""
    key = (json.dumps(recipe), *remember.circumstances())
    model, dense = (_kept_pair if remember.folder else _pair)(*key)
    linears = pruned_linears(model)
    if unknown := bits.keys() - linears.keys():
        raise KeyError(f"{min(unknown)} is no layer that is pruned")
    for name, linear in linears.items():
        if name in bits:
            mask = unpacked(bits[name], linear.weight.shape)
            torch.mul(dense[name].weight, mask.to(linear.weight.device), out=linear.weight)
        else:
            linear.weight.copy_(dense[name].weight)
    return model


def _pair(recipe: str, *_circumstances: str):
    """A model to set masks on, and its layers as they are stored."""
    return recipes.model(json.loads(recipe)), pruned_linears(recipes.model(json.loads(recipe)))


_kept_pair = functools.lru_cache(maxsize=4)(_pair)  # memory that was written to once is faster to write to


def perplexity_key(inputs: dict, bits: dict[str, torch.Tensor]) -> str:
    """What `masked_perplexity` is remembered under: it depends on model, text and masks alone."""
    return remember.key("perplexity", {name: inputs[name] for name in ("model", "evaluation")}, bits)


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
