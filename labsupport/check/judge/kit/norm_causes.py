"""The likely mistakes behind a wrong answer to input_norms."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import torch

from labsupport.check.ask.own.input_norms import Normed, batches_of, built
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import ROUNDED, rounding
from labsupport.check.judge.kit.norms import Norms, known, near
from labsupport.linears import pruned_linears

SECTION = see("3.2", "A hook on every layer")
LATE = (
    "It looks as if the hook reads the loop's variable late: when it runs, every hook sees the name that the "
    f"loop ended with. Let a function make each hook, {SECTION}\n"
    "Try [f() for f in [lambda: i for i in range(3)]]."
)
FINALLY = (
    "Lines after the loop do not run when the loop raises an error. Lines under finally: always run, and the "
    f"error still comes through, {SECTION}"
)
COLLECTED = (
    "It looks as if activations are collected. All you need of them is a sum of squares: add it up inside "
    f"the hook and keep nothing else, {SECTION}"
)
OUTPUTS = (
    "It looks as if the hooks watched the outputs: these are the sizes of out_features. Wanda needs the "
    f"input of a layer, which its weights multiply, {SECTION}"
)
HALF = (
    "It looks as if sums were kept in the precision of the model: float16 ends at 65504, and 2,048 tokens "
    "add up to more.\nTry sum_of_squares(x).dtype, and zeros without a dtype of x."
)
HANDLE = (
    "Registering a hook returns a handle, and the hook stays until handle.remove(). Left behind, it adds to "
    f"every later run of the model, {SECTION}"
)
REPLACED = (
    "It looks as if layers of the model were replaced or removed, and stayed so. A hook sees what a layer is "
    f"given and changes nothing in the model, {SECTION}"
)
EXHAUSTED = (
    "All norms are zero: no batch came through. batches may be a generator, which is read once; whatever "
    "counts or lists it first leaves nothing for the second loop."
)


def right_norms(inputs: dict, batches: list[dict] | None = None) -> Norms:
    """The reference norms of a case, float64 [in] by layer, or those of some of its batches."""
    return known(inputs["model"], batches or inputs["batches"], inputs.get("half", False))


def tolerance(inputs: dict) -> float:
    """The relative tolerance: rounding of float32 sums, or of half-precision activations."""
    return ROUNDED if inputs.get("half") else rounding(inputs, 1e-4)


def cause(inputs: dict, answer: Normed) -> Iterator[Named]:
    """The mistake behind an answer, from its norms and the side effects of the function."""
    if answer.stumbled:
        yield from _late_name(answer.stumbled, {len(norm) for norm in right_norms(inputs).values()})
    elif "fails_at" in inputs:
        if answer.hooks == 0:
            yield f"The error must come through: finally: lets it pass, except: stops it, {SECTION}"
        yield FINALLY
    elif "weighed" in inputs:
        yield COLLECTED
    elif isinstance(answer.value, dict):
        yield from _of_norms(inputs, answer)


def _of_norms(inputs: dict, answer: Normed) -> Iterator[Named]:
    norms, right = answer.value, right_norms(inputs)
    if norms.keys() != right.keys():
        yield from _wrong_names(norms.keys(), right.keys())
        return
    if not all(isinstance(norm, torch.Tensor) for norm in norms.values()):
        return
    model = built(inputs)
    if all(norms[name].shape == (linear.out_features,) for name, linear in pruned_linears(model).items()):
        yield OUTPUTS
    elif any(_rounded(norm, inputs) for norm in norms.values()):
        yield HALF
    elif all(norms[name].shape == norm.shape for name, norm in right.items()):
        yield from _wrong_values(inputs, norms, right)
        if answer.hooks > 0:
            yield HANDLE
        weights = {name for name, _ in model.named_parameters()}
        if any(".layers." in name and name not in weights for name in answer.changed):
            yield REPLACED


def _rounded(norm: torch.Tensor, inputs: dict) -> bool:
    """Whether a norm of any shape is in half precision, or overflowed on a half-precision model."""
    half = norm.dtype in (torch.float16, torch.bfloat16)
    return half or (inputs.get("half", False) and not bool(norm.isfinite().all()))


def _late_name(text: str, sizes: set[int]) -> Iterator[Named]:
    """A mistake in the names of layers. text: an error with two sizes; sizes: the widths of all inputs."""
    if set(map(int, re.findall(r"\((\d+)\)", text))) == sizes:
        yield f"Sums of layers of different width met under one name. {LATE}"


def _wrong_names(names, wanted) -> Iterator[Named]:
    """Mistakes in the names of the layers. names, wanted: keys of dicts."""
    if names == {list(wanted)[-1]}:
        yield f"All norms landed under the last name. {LATE}"
    if names == {name.removeprefix("model.") for name in wanted}:
        yield (
            "These are the names inside model.model; a full name counts from the model itself.\n"
            "Try next(iter(linears.pruned_linears(model)))."
        )
    if names == {*wanted, "lm_head"}:
        yield (
            "The head is a Linear too, but it is not pruned and needs no norm; running it is a fifth of the "
            "work. linears.pruned_linears(model) gives the layers that count."
        )
    if names > wanted:
        yield "More was watched than is pruned; linears.pruned_linears(model) gives the layers that count."


def _wrong_values(inputs: dict, norms: Norms, right: Norms) -> Iterator[Named]:
    """Mistakes in the values; norms, right: [in] by layer."""
    batches, slack = batches_of(inputs), tolerance(inputs)

    def are(expected: Callable[[str], torch.Tensor]) -> bool:
        return all(near(norms[name], expected(name), slack) for name in right)

    if are(lambda name: right[name]):
        return
    if not any(bool(norm.any()) for norm in norms.values()):
        yield EXHAUSTED
    if are(lambda name: right[name] ** 2):
        yield "These are sums of squares. A norm is their root, taken once at the very end."
    counts = {
        "tokens": sum(batch.numel() for batch in batches),
        "windows": sum(len(batch) for batch in batches),
        "batches": len(batches),
    }
    for what, count in counts.items():
        if count > 1 and are(lambda name, count=count: right[name] / count**0.5):
            text = (
                f"It looks as if the sum was divided by the number of {what}: all norms are too small by the "
                f"same factor, the root of {count}. Masks would come out the same, but equation 1 has a "
                f"plain sum, {SECTION}"
            )
            yield Cause(text, f"sum divided by the number of {what}")
    if len(inputs["batches"]) > 1:
        single = [right_norms(inputs, [recipe]) for recipe in inputs["batches"]]
        yield from _wrong_batches(single, [batch.numel() for batch in batches], are)


def _wrong_batches(single: list[Norms], tokens: list[int], are: Callable) -> Iterator[Named]:
    """Mistakes in combining the norms of single batches; tokens: the number of tokens of each batch."""
    if are(lambda name: sum(norms[name] for norms in single)):
        yield (
            "It looks as if each batch's norms were added. Norms do not add up, squares do: 3 in one batch "
            "and 4 in the next make a norm of 5, not 7. Take the root once, after the last batch."
        )

    def means(name: str) -> torch.Tensor:
        total: Any = sum(norms[name] ** 2 / count for norms, count in zip(single, tokens, strict=True))
        return total  # [in]

    if are(lambda name: means(name).sqrt()) or are(lambda name: (means(name) / len(single)).sqrt()):
        yield (
            "It looks as if each batch's squares were averaged over its tokens. Equation 1 has a plain sum, "
            "so that a token counts the same in a short batch and in a long one."
        )
    if are(lambda name: single[-1][name]):
        yield "These are the norms of the last batch alone: add to the sum, do not replace it."
    if are(lambda name: single[0][name]):
        yield "These are the norms of the first batch alone: does a return stand inside the loop?"
