"""2.3 global_magnitude_masks: one threshold for the magnitudes of all layers together."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.carried import Earlier, Failed, a_mask
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, drops_lowest, has_keys, is_mask
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.magnitudes import joined, mask_mistakes, right_count
from labsupport.check.judge.kit.ranges import range_cases

SHARED = see("2.3", "One threshold for all")


def cases(seed: int) -> list[Case]:
    """Three weights [out, in] by name: one loud, tied, rounded, and the ends of the sparsity range."""
    source = draw.rng(seed, "global_magnitude_masks")

    def layers(make) -> dict[str, torch.Tensor]:
        return {
            "layers.0.q_proj": make(source, 2, 3),
            "layers.0.o_proj": make(source, 3, 2),
            "layers.0.up_proj": make(source, 2, 4),
        }

    plain = layers(draw.distinct)
    loud = source.choice(list(plain)[:2])
    plain[loud] = 4 * plain[loud] * plain[loud].abs()  # squares: relative to its mean it has more small ones
    for index, name in enumerate(plain):  # distinct over all layers
        plain[name] += plain[name].sign() * index / 4
    return [
        Case("three layers, one with larger weights", {"weights": plain, "sparsity": 0.35}),
        Case("equal magnitudes at the cut", {"weights": layers(draw.tied), "sparsity": 0.5}),
        Case("rounded once, for all layers together", {"weights": plain, "sparsity": 0.4}),
        Case(
            "round(sparsity * n) weights go, where int() would give one less",
            {"weights": plain, "sparsity": draw.truncating_sparsity(source, 20)},
        ),
        Case(
            "round(sparsity * n) weights go, where ceil() would give one more",
            {"weights": plain, "sparsity": source.choice((0.11, 0.16, 0.21, 0.31, 0.41, 0.56, 0.61, 0.71))},
        ),
        *range_cases({"weights": plain}),
    ]


Masks = dict[str, torch.Tensor]  # by layer: bool [out, in]


def parts(inputs: dict, answer: Answer, given: Masks | None = None) -> list[Part]:
    """What must hold of the masks, bool [out, in] by name; given: those to expect instead of the rule's."""
    weights, masks, sparsity = inputs["weights"], answer.value, inputs["sparsity"]
    every = joined(weights).abs()  # [n]
    k = round(sparsity * len(every))

    def named() -> None:
        has_keys(masks, weights.keys())

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
                f"{name} drops": f"{int((~mask).sum())} of {mask.numel()}" for name, mask in masks.items()
            }
            raise Wrong(**show)

    def followed(given: Masks) -> None:
        if wrong := [name for name, mask in given.items() if not torch.equal(masks[name], mask)]:
            raise Wrong(f"not so for {wrong[0]}", weights=joined(weights))

    form = [
        Part("a dict with one mask for each weight, under its name", named),
        Part("every mask is torch.bool and has the shape of its weight", shaped),
    ]
    if given is not None:
        return [*form, Part("the masks that your magnitude_mask gives for all", lambda: followed(given))]
    count = f"{k} of all {len(every)} weights dropped, as sparsity = {sparsity:.3g} asks"
    return [
        *form,
        Part(count, counted),
        Part("those with the smallest magnitudes of all layers together", lowest),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong masks show."""
    weights, masks, sparsity = inputs["weights"], answer.value, inputs["sparsity"]
    if not isinstance(masks, dict) or any(
        masks[name].shape != weight.shape for name, weight in weights.items()
    ):
        return
    if all(
        drops_lowest(masks[name].flatten(), weight.abs().flatten(), round(sparsity * weight.numel()))
        for name, weight in weights.items()
    ):
        yield (
            "It looks as if each layer got a threshold of its own. Here all share one threshold, "
            f"so a layer with small weights loses more: {SHARED}\n"
            "Try torch.cat over all the magnitudes before you look for the threshold."
        )
    relative = joined({name: weight.abs() / weight.abs().mean() for name, weight in weights.items()})  # [n]
    if drops_lowest(joined(masks), relative, round(sparsity * len(relative))):
        yield (
            "It looks as if magnitudes were divided by their layer's mean, or another measure of the layer. "
            "Compare them as they are."
        )
    layer_by_layer = sum(round(sparsity * weight.numel()) for weight in weights.values())
    every = joined(weights).abs()  # [n]
    if layer_by_layer not in (round(sparsity * len(every)), int(sparsity * len(every))) and drops_lowest(
        joined(masks), every, layer_by_layer
    ):
        text = (
            f"It looks as if sparsity * n was rounded layer by layer, which makes {layer_by_layer}. It is "
            f"rounded once, for all {len(every)} weights, {SHARED}"
        )
        yield Cause(text, "rounded layer by layer")
    yield from mask_mistakes(joined(weights), joined(masks), sparsity)


def given(inputs: dict, earlier: Earlier) -> Masks:
    """The masks of the student's magnitude_mask, bool [out, in] by name, for all weights as one row.

    Raises Wrong where magnitudes differ and it gives the same for each weight alone: then nothing shows
    that all share one threshold.
    """
    weights, sparsity = inputs["weights"], inputs["sparsity"]

    def mask(weight: torch.Tensor) -> torch.Tensor:
        form = a_mask(weight.shape, sparsity)
        return earlier("magnitude_mask", form, {"weight": weight, "sparsity": sparsity})

    every = torch.cat([weight.flatten() for weight in weights.values()])  # [n]
    try:
        kept = mask(every)  # [n]
    except Failed:
        kept = mask(every[None]).flatten()  # a function that takes matrices only
    split = kept.split([weight.numel() for weight in weights.values()])
    masks = {name: part.view(weights[name].shape) for name, part in zip(weights, split, strict=True)}
    if 0 < sparsity < 1 and len(every.abs().unique()) == len(every) and _alone(earlier, inputs, masks):
        raise Wrong("each weight alone gives the same masks")
    return masks


def _alone(earlier: Earlier, inputs: dict, masks: Masks) -> bool:
    """Whether the student's magnitude_mask gives these masks for each weight on its own."""
    for name, weight in inputs["weights"].items():
        asked = {"weight": weight.flatten(), "sparsity": inputs["sparsity"]}
        try:
            mask = earlier("magnitude_mask", is_mask, asked)
        except (Failed, Wrong):
            return False
        if not torch.equal(mask.flatten(), masks[name].flatten()):
            return False
    return True


EXERCISE = Exercise(
    "global_magnitude_masks", "2.3", cases, parts, cause, builds_on=("magnitude_mask",), given=given
)
