"""The exercises of lab 02, magnitude pruning."""

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.wire import Opaque
from labsupport.check.judge.kit import draw, pruned
from labsupport.check.judge.kit.compare import drop_range, drops_lowest, has_shape, is_mask, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part, Wrong
from labsupport.linears import pruned_linears

SECTION = 'see section 2.1, "The smallest go first".'


def range_cases(inputs: dict) -> list[Case]:
    """The ends of the sparsity range, and outside it, for the other inputs given."""
    return [
        Case("sparsity 0 keeps every weight", {**inputs, "sparsity": 0.0}),
        Case("sparsity 1 drops every weight", {**inputs, "sparsity": 1.0}),
        Case("a negative sparsity raises ValueError", {**inputs, "sparsity": -0.1}, raises="ValueError"),
        Case("a sparsity above 1 raises ValueError", {**inputs, "sparsity": 1.5}, raises="ValueError"),
    ]


# 2.1 magnitude_mask


def magnitude_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "magnitude_mask")
    plain = draw.distinct(source, 3, 4)
    plain[source.randrange(3)] *= 10  # one loud row: ranking inside rows gives another mask
    rounded = draw.distinct(source, 7, 9)
    tied = draw.tied(source, 4, 6)
    half = draw.normal(source, 16, 24).half()
    return [
        Case("a small matrix", {"weight": plain, "sparsity": 1 / 3}),
        Case(
            "round(sparsity * n) weights go, where int() would give one less",
            {"weight": rounded, "sparsity": draw.truncating_sparsity(source, 63)},
        ),
        Case("equal magnitudes at the cut", {"weight": tied, "sparsity": source.choice((0.25, 0.5, 0.75))}),
        Case("weights in half precision", {"weight": half, "sparsity": source.choice((0.25, 0.5, 0.625))}),
        Case("a sparsity so small that nothing goes", {"weight": plain, "sparsity": 0.01}),
        *range_cases({"weight": plain}),
    ]


def magnitude_parts(inputs: dict, answer: Answer) -> list[Part]:
    weight, mask = inputs["weight"], answer.value
    scores = weight.abs().flatten().float()
    k = round(inputs["sparsity"] * weight.numel())
    return [
        Part("the mask is torch.bool", lambda: is_mask(mask)),
        Part(f"shape (out_features, in_features) = {tuple(weight.shape)}",
             lambda: has_shape(mask, weight.shape)),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part(f"{k} of {len(scores)} weights dropped, as sparsity = {inputs['sparsity']:.3g} asks",
             lambda: right_count(weight, mask, scores, k)),
        Part("those with the smallest magnitudes", lambda: smallest_dropped(weight, mask, scores, k)),
    ]  # fmt: skip


def right_count(weight: torch.Tensor, mask: torch.Tensor, scores: torch.Tensor, k: int) -> None:
    """Raises Wrong unless k weights are dropped, or more where magnitudes tie at the cut."""
    least, most = drop_range(scores, k)
    dropped = int((~mask).sum())
    if not least <= dropped <= most:
        allowed = f"{least}" if least == most else f"{least} to {most}, because magnitudes tie at the cut"
        raise Wrong(f"yours drops {dropped}", weight=weight, your_mask=mask, expected=f"{allowed} dropped")


def smallest_dropped(weight: torch.Tensor, mask: torch.Tensor, scores: torch.Tensor, k: int) -> None:
    """Raises Wrong unless the k smallest magnitudes are the ones that are dropped, tie-aware."""
    if not drops_lowest(mask.flatten(), scores, k):
        kept, gone = scores[mask.flatten()], scores[~mask.flatten()]
        raise Wrong(
            weight=weight,
            your_mask=mask,
            smallest_kept=f"magnitude {kept.min():.4g}" if len(kept) else "none",
            largest_dropped=f"magnitude {gone.max():.4g}" if len(gone) else "none",
        )


def magnitude_cause(inputs: dict, answer: Answer) -> str:
    weight, mask = inputs["weight"], answer.value
    return mask_cause(weight.float(), mask, inputs["sparsity"])


def mask_cause(weight: torch.Tensor, mask: torch.Tensor, sparsity: float) -> str:
    """The mistake that a wrong magnitude mask of one matrix shows, if it is exactly one we know."""
    n = weight.numel()
    k, scores, flat = round(sparsity * n), weight.abs().flatten(), mask.flatten()
    dropped = int((~flat).sum())
    if mask.dtype is not torch.bool:
        return ""
    if drops_lowest(~flat, scores, k):
        return f"It looks as if the mask is inverted: in this course True means keep, {SECTION}\n" \
               "Try mask.sum(): it should be the number of weights that stay."  # fmt: skip
    if drops_lowest(flat, -scores, k):
        return f"It looks as if the largest magnitudes were dropped instead of the smallest, {SECTION}"
    if drops_lowest(flat, weight.flatten(), k):
        return "It looks as if the signed weights were ranked. -4 is far from zero: its magnitude is 4.\n" \
               "Try weight.abs() before you rank."  # fmt: skip
    per_row = round(sparsity * weight.shape[-1])
    if weight.dim() == 2 and drops_lowest(mask, weight.abs(), per_row):
        return "It looks as if each row was ranked on its own. Magnitude pruning ranks the whole matrix; " \
               "ranking inside rows comes with Wanda in lab 04. Try weight.flatten()."  # fmt: skip
    if dropped == k - 1 == int(sparsity * n) and drops_lowest(flat, scores, k - 1):
        return f"It looks as if int() cut the product {sparsity} * {n} = {sparsity * n:.6g} down; round() it."
    if dropped == k - 1 and drops_lowest(flat, scores, k - 1):
        return "It looks as if the weight at the threshold stayed: it is the k-th smallest, it goes.\n" \
               "Look at your comparison: > and >= differ by just this weight."  # fmt: skip
    if dropped > k and drops_lowest(flat, scores, dropped) and dropped <= drop_range(scores, k + 1)[1]:
        return "It looks as if one too many goes: the sorted list counts from 0, so its entry k is the " \
               "(k+1)-th smallest. Try k = 1 on a list of three numbers."  # fmt: skip
    return ""


# 2.2 prune_magnitude


def prune_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "prune_magnitude")
    tiny = source.randrange(10**6)
    return [
        Case("a tiny model", pruned.tiny_case(tiny, sparsity=source.choice((0.3, 0.4, 0.6)))),
        Case("sparsity 0 leaves the model as it is", pruned.tiny_case(tiny, sparsity=0.0)),
        Case(
            f"the course model, {recipes.course_model()['course']}",
            pruned.course_case(sparsity=0.5),
            costly=True,
        ),
    ]


def prune_parts(inputs: dict, answer: Answer) -> list[Part]:
    sparsity = inputs["sparsity"]

    def right(_name: str, weight: torch.Tensor, mask: torch.Tensor) -> bool:
        scores = weight.detach().abs().flatten().cpu()
        return drops_lowest(mask.flatten(), scores, round(sparsity * weight.numel()))

    rule = f"each layer drops the smallest {sparsity:.0%} of its own magnitudes"
    return pruned.parts(inputs, answer, rule, right)


def prune_cause(inputs: dict, answer: Answer) -> str:
    masks, sparsity = answer.value, inputs["sparsity"]
    weights = {
        name: linear.weight.detach().cpu().float()
        for name, linear in pruned_linears(recipes.model(inputs["model"])).items()
    }
    dropped = {name: ~mask for name, mask in masks.items()}
    if all(
        drops_lowest(dropped[name].flatten(), w.abs().flatten(), lost(w, sparsity))
        for name, w in weights.items()
    ):
        return "It looks as if the masks are inverted: True means keep."
    every = joined(weights).abs()
    if drops_lowest(joined(masks), every, round(sparsity * len(every))):
        return "It looks as if one threshold for all layers was used. Here every layer finds its own: " \
               "the shared threshold is exercise 2.3."  # fmt: skip
    return ""


def lost(weight: torch.Tensor, sparsity: float) -> int:
    """How many weights a layer loses at this sparsity."""
    return round(sparsity * weight.numel())


# 2.3 global_magnitude_masks


def global_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "global_magnitude_masks")

    def layers(draw) -> dict[str, torch.Tensor]:
        return {"layers.0.q_proj": draw(source, 2, 3), "layers.0.o_proj": draw(source, 3, 2),
                "layers.0.up_proj": draw(source, 2, 4)}  # fmt: skip

    plain = layers(draw.distinct)
    loud = source.choice(list(plain))
    for index, name in enumerate(plain):  # distinct over all layers, one of them loud
        plain[name] = plain[name] * (20 if name == loud else 1) + plain[name].sign() * index / 4
    return [
        Case("three layers, one with larger weights", {"weights": plain, "sparsity": 0.4}),
        Case("equal magnitudes at the cut", {"weights": layers(draw.tied), "sparsity": 0.5}),
        Case(
            "round(sparsity * n) weights go, where int() would give one less",
            {"weights": plain, "sparsity": draw.truncating_sparsity(source, 20)},
        ),
        *range_cases({"weights": plain}),
    ]


def global_parts(inputs: dict, answer: Answer) -> list[Part]:
    weights, masks = inputs["weights"], answer.value
    every = joined(weights).abs()
    k = round(inputs["sparsity"] * len(every))

    def named() -> None:
        if not isinstance(masks, dict):
            kind = type_name(masks)
            raise Wrong("it is None: is a return missing?" if masks is None else f"it is a {kind}")
        if masks.keys() != weights.keys():
            raise Wrong(f"yours has {', '.join(masks) or 'no keys'}")

    def shaped() -> None:
        for name, weight in weights.items():
            is_mask(masks[name], f" of {name}")
            if masks[name].shape != weight.shape:
                raise Wrong(f"that of {name} is {tuple(masks[name].shape)}, not {tuple(weight.shape)}")

    def counted() -> None:
        right_count(every, joined(masks), every, k)

    def lowest() -> None:
        if not drops_lowest(joined(masks), every, k):
            show = {
                f"{name} drops": f"{int((~masks[name]).sum())} of {masks[name].numel()}" for name in masks
            }
            raise Wrong(**show)

    return [
        Part("a dict with one mask for each weight, under its name", named),
        Part("every mask is torch.bool and has the shape of its weight", shaped),
        Part(
            f"{k} of all {len(every)} weights dropped, as sparsity = {inputs['sparsity']:.3g} asks", counted
        ),
        Part("those with the smallest magnitudes of all layers together", lowest),
    ]


def joined(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """All entries of a dict of tensors in one row, by sorted name."""
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def global_cause(inputs: dict, answer: Answer) -> str:
    weights, masks, sparsity = inputs["weights"], answer.value, inputs["sparsity"]
    if not isinstance(masks, dict):
        return ""
    own = all(
        drops_lowest(masks[name].flatten(), weight.abs().flatten(), round(sparsity * weight.numel()))
        for name, weight in weights.items()
    )
    if own:
        return "It looks as if each layer got a threshold of its own. Here all share one threshold, " \
               "so a layer with small weights loses more: see section 2.3.\n" \
               "Try torch.cat over all the magnitudes before you look for the threshold."  # fmt: skip
    means = torch.cat([w.abs().flatten() / w.abs().mean() for _, w in sorted(weights.items())])
    if drops_lowest(joined(masks), means, round(sparsity * len(means))):
        return "It looks as if magnitudes were divided by their layer's mean. Compare them as they are."
    return mask_cause(joined(weights), joined(masks), sparsity)


EXERCISES = [
    Exercise("magnitude_mask", "2.1", magnitude_cases, magnitude_parts, magnitude_cause),
    Exercise("prune_magnitude", "2.2", prune_cases, prune_parts, prune_cause, pruned.ask),
    Exercise("global_magnitude_masks", "2.3", global_cases, global_parts, global_cause),
]
