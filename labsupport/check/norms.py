"""How a function that measures input norms is asked and judged: lab 03.

The student's side sends the norms and what the function left behind: hooks, the model's mode, tensors
that are still alive. The judge measures the norms on a model of its own.
"""

import functools
import gc
import json
import re
from collections.abc import Callable, Iterator

import torch

from labsupport.calibration import input_norms
from labsupport.check import recipes, remember
from labsupport.check.asking import attempt
from labsupport.check.compare import is_tensor
from labsupport.check.exercise import Part, Wrong
from labsupport.check.pruning import digests
from labsupport.check.wire import Opaque
from labsupport.linears import pruned_linears

SECTION = 'see section 3.2, "A hook on every layer".'
BREAK = "a made-up error in the middle of calibration"
NORMS = dict[str, torch.Tensor]


def built(inputs: dict):
    """The model of a case."""
    model = recipes.model(inputs["model"])
    return model.half() if inputs.get("half") else model


def batches_of(inputs: dict) -> list[torch.Tensor]:
    """The batches of a case: one for each random recipe, one for each window of a course text."""
    return [
        batch
        for recipe in inputs["batches"]
        for batch in ([recipes.windows(recipe)] if "random" in recipe else recipes.windows(recipe)[:, None])
    ]


def ask(function: Callable, inputs: dict) -> dict:
    """Call the function with batches that can be read once; answer with the norms and what it left behind.

    The judge listens at the embedding, where every token of every run comes by; `fails_at` makes that
    run raise an error, `weighed` measures what is alive when the second and the last run begin.
    """
    model = built(inputs).train(inputs.get("training", False))
    batches = batches_of(inputs)
    tiny, plain = "tiny" in inputs["model"], inputs.keys().isdisjoint(("fails_at", "weighed"))
    before = digests(model) if tiny else {}
    embedding, runs, alive = model.model.embed_tokens, [], {}
    embed = embedding.forward

    def listen(token_ids):
        runs.append(token_ids.numel())
        if inputs.get("weighed") and len(runs) in (2, len(batches)):
            alive[str(len(runs))] = living_bytes()
        if len(runs) == inputs.get("fails_at"):
            raise RuntimeError(BREAK)
        return embed(token_ids)

    embedding.forward = listen
    answer = attempt(lambda: function(model, (batch for batch in batches)))
    del embedding.forward
    error = answer["error"]
    if error and error["text"] == BREAK:
        answer |= {"error": None, "came_through": True}
    elif error and plain and re.match("The size of tensor a .* must match", error["text"]):
        answer |= {"error": None, "stumbled": error["text"]}  # cause() looks at it
    elif not error and tiny:
        answer["changed"] = [name for name, found in digests(model).items() if found != before[name]]
    return {**answer, "hooks": hooks_on(model), "training": model.training, "runs": runs, "alive": alive}


def hooks_on(model) -> int:
    """How many hooks, before or after forward, hang on the modules of a model."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def living_bytes() -> int:
    """Bytes of all tensors that Python still holds, shared memory counted once."""
    gc.collect()
    kinds = (torch.Tensor, torch.nn.Parameter)
    tensors = [item for item in gc.get_objects() if type(item) in kinds and not item.is_meta]
    storages = [tensor.untyped_storage() for tensor in tensors if tensor.layout is torch.strided]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@functools.cache
def _right(recipe: str, _circumstances: str) -> NORMS:
    inputs = json.loads(recipe)
    return {name: norm.cpu() for name, norm in input_norms(built(inputs), batches_of(inputs)).items()}


def right_norms(inputs: dict, batches: list[dict] | None = None) -> NORMS:
    """The judge's own norms of a case, or of some of its batches; remembered, a class asks them often."""
    asked = {"model": inputs["model"], "half": inputs.get("half", False)}
    recipe = json.dumps({**asked, "batches": batches or inputs["batches"]}, sort_keys=True)
    return _right(recipe, str(remember.circumstances()))


def near(norm: torch.Tensor, right: torch.Tensor, relative: float) -> bool:
    """Whether norms agree channel by channel; one far below the median may differ by rounding."""
    return torch.allclose(norm, right, rtol=relative, atol=relative * 1e-2 * float(right.median()))


def tolerance(inputs: dict) -> float:
    """Relative: last bits of float32 sums, or of the activations of a model in half precision."""
    return 1e-2 if inputs.get("half") else 1e-4


def parts(inputs: dict, answer: dict) -> list[Part]:
    """What must hold: of the norms, or of what an error or a long calibration leaves behind."""
    if "fails_at" in inputs:
        return [
            Part("the error comes through", lambda: came_through(inputs, answer)),
            Part("no hook is left on the model", lambda: unhooked(answer)),
        ]
    if "weighed" in inputs:
        return [Part("a batch's inputs are gone when the next one runs", lambda: let_go(inputs, answer))]
    norms = answer["value"]
    return [
        Part("returns a dict of norms by full name, one for every Linear of the decoder layers",
             lambda: named(inputs, answer)),
        Part("every norm is torch.float32, shape (in_features,) of its layer", lambda: shaped(inputs, norms)),
        Part("they are the L2 norms of the layers' inputs over all tokens of all batches",
             lambda: agreed(inputs, norms)),
        Part("no hook is left on the model", lambda: unhooked(answer)),
        Part("one pass: every token goes through the model once", lambda: once(inputs, answer)),
        Part("the model is in the mode it was found in", lambda: as_found(inputs, answer)),
    ]  # fmt: skip


def came_through(inputs: dict, answer: dict) -> None:
    if len(answer["runs"]) < inputs["fails_at"]:
        raise Wrong(f"it comes with batch {inputs['fails_at']}, which never reached the model")
    if not answer.get("came_through"):
        raise Wrong("it stopped inside your function, which returned as if all were well")


def unhooked(answer: dict) -> None:
    if answer["hooks"]:
        raise Wrong(f"{answer['hooks']} are still there")


def let_go(inputs: dict, answer: dict) -> None:
    """Raises Wrong when tensors as large as half an input stay alive for every batch that went by."""
    batches, alive = batches_of(inputs), answer["alive"]
    if len(answer["runs"]) != len(batches):
        return
    kept = (alive[str(len(batches))] - alive["2"]) / (len(batches) - 2)  # bytes a batch
    if kept > batches[0].numel() * built(inputs).config.hidden_size * 4 / 2:
        raise Wrong(f"every batch leaves {kept / 1024:,.0f} KiB of tensors behind")


def named(inputs: dict, answer: dict) -> None:
    norms, wanted = answer["value"], right_norms(inputs).keys()
    if "stumbled" in answer:
        raise Wrong(f"your function raised RuntimeError: {answer['stumbled']}")
    if norms is None:
        raise Wrong("it is None: is a return missing?")
    if not isinstance(norms, dict):
        raise Wrong(f"it is a {norms.type_name if isinstance(norms, Opaque) else type(norms).__name__}")
    if missing := [name for name in wanted if name not in norms]:
        raise Wrong(f"{len(missing)} of {len(wanted)} are missing, the first is {missing[0]}")
    if extra := sorted(norms.keys() - wanted):
        raise Wrong(f"{extra[0]} is not one of them")


def shaped(inputs: dict, norms: NORMS) -> None:
    for name, right in right_norms(inputs).items():
        is_tensor(norms[name], f"that of {name}")
        if norms[name].shape != right.shape:
            raise Wrong(f"that of {name} is {tuple(norms[name].shape)}, not {tuple(right.shape)}")
        if norms[name].dtype is not torch.float32:
            raise Wrong(f"that of {name} is {norms[name].dtype}")


def agreed(inputs: dict, norms: NORMS) -> None:
    for name, right in right_norms(inputs).items():
        if not near(norms[name], right, tolerance(inputs)):
            off = (~torch.isclose(norms[name], right, rtol=tolerance(inputs))).nonzero().flatten()[:5]
            raise Wrong(layer=name, channels=off, yours=norms[name][off], reference=right[off])


def once(inputs: dict, answer: dict) -> None:
    held, seen = sum(batch.numel() for batch in batches_of(inputs)), sum(answer["runs"])
    if seen > held:
        raise Wrong(f"the batches hold {held} tokens, and {seen} went through the model")


def as_found(inputs: dict, answer: dict) -> None:
    if answer["training"] != inputs.get("training", False):
        raise Wrong(f"your function leaves it in {'training' if answer['training'] else 'evaluation'} mode")


def cause(inputs: dict, answer: dict) -> str:
    """The mistake that wrong norms show, if it is exactly one we know."""
    return next(causes(inputs, answer), "")


def causes(inputs: dict, answer: dict) -> Iterator[str]:
    norms, right = answer["value"], right_norms(inputs)
    if "stumbled" in answer:
        yield from late_name(answer["stumbled"], {len(norm) for norm in right.values()})
    elif "fails_at" in inputs:
        if answer["hooks"] == 0:
            yield f"An error is to go on its way: finally: lets it pass, except: stops it, {SECTION}"
        yield (
            "Lines after the loop never run when the loop raises; what stands under finally: always runs, "
            f"and the error goes on its way, {SECTION}"
        )
    elif "weighed" in inputs:
        yield (
            "It looks as if activations are collected. All you need of them is a sum of squares: add it up "
            f"inside the hook and let the input go, {SECTION}"
        )
    elif norms.keys() != right.keys():
        yield from wrong_names(norms.keys(), right.keys())
    elif all(
        len(norms[name]) == linear.out_features for name, linear in pruned_linears(built(inputs)).items()
    ):
        yield (
            "It looks as if the hooks watched the outputs: these are the sizes of out_features. Wanda asks "
            f"what a layer's weights are multiplied with, its input, {SECTION}"
        )
    elif any(norm.dtype is not torch.float32 or not bool(norm.isfinite().all()) for norm in norms.values()):
        yield (
            "It looks as if sums were kept in the precision of the model: float16 ends at 65504, and 2,048 "
            "tokens add up to more.\nTry sum_of_squares(x).dtype, and zeros without a dtype of x."
        )
    else:
        yield from wrong_values(inputs, norms, right)
        if answer["hooks"]:
            yield (
                "Registering a hook returns a handle, and the hook stays until handle.remove(). Left behind, "
                f"it adds to every later run of the model, {SECTION}"
            )


def late_name(text: str, sizes: set[int]) -> Iterator[str]:
    if set(map(int, re.findall(r"\((\d+)\)", text))) == sizes:
        yield (
            "Sums of layers of different width met under one name. It looks as if the hook reads the loop's "
            "variable late: when it runs, every hook sees the name that the loop ended with. Let a function "
            f"make each hook, {SECTION}\nTry [f() for f in [lambda: i for i in range(3)]]."
        )


def wrong_names(found, wanted) -> Iterator[str]:
    if found == {list(wanted)[-1]}:
        yield (
            "All norms landed under the last name. It looks as if the hook reads the loop's variable late: "
            "when it runs, every hook sees the name that the loop ended with. Let a function make each hook, "
            f"{SECTION}\nTry [f() for f in [lambda: i for i in range(3)]]."
        )
    if found == {name.removeprefix("model.") for name in wanted}:
        yield (
            "These are the names inside model.model; a full name counts from the model itself.\n"
            "Try next(iter(linears.pruned_linears(model)))."
        )
    if found == {*wanted, "lm_head"}:
        yield (
            "The head is a Linear too, but it is not pruned and needs no norm; running it is a fifth of the "
            "work. linears.pruned_linears(model) gives the layers that count."
        )
    if found > wanted:
        yield "More was watched than is pruned; linears.pruned_linears(model) gives the layers that count."


def wrong_values(inputs: dict, norms: NORMS, right: NORMS) -> Iterator[str]:
    batches, slack = batches_of(inputs), tolerance(inputs)

    def are(expected: Callable[[str], torch.Tensor]) -> bool:
        return all(near(norms[name], expected(name), slack) for name in right)

    if are(lambda name: right[name]):
        return
    if not any(bool(norm.any()) for norm in norms.values()):
        yield (
            "All norms are zero: no batch came through. batches may be a generator, which is read once; "
            "whatever counts or lists it first leaves nothing for the second loop."
        )
    if are(lambda name: right[name] ** 2):
        yield "These are sums of squares. A norm is their root, taken once at the very end."
    counts = {
        "tokens": sum(batch.numel() for batch in batches),
        "windows": sum(len(batch) for batch in batches),
        "batches": len(batches),
    }
    for what, count in counts.items():
        if count > 1 and are(lambda name, count=count: right[name] / count**0.5):
            yield (
                f"It looks as if the sum was divided by the number of {what}: all norms are too small by the "
                f"same factor, the root of {count}. Masks would come out the same, but equation 1 has a "
                f"plain sum, {SECTION}"
            )
    each = [right_norms(inputs, [recipe]) for recipe in inputs["batches"]]
    if len(each) > 1:
        yield from wrong_batches(each, [batch.numel() for batch in batches], are)


def wrong_batches(each: list[NORMS], tokens: list[int], are: Callable) -> Iterator[str]:
    """Mistakes in how the norms of single batches become one."""
    if are(lambda name: sum(norms[name] for norms in each)):
        yield (
            "It looks as if each batch's norms were added. Norms do not add up, squares do: 3 in one batch "
            "and 4 in the next make a norm of 5, not 7. Take the root once, after the last batch."
        )

    def means(name: str) -> torch.Tensor:
        return sum(norms[name] ** 2 / count for norms, count in zip(each, tokens, strict=True))

    if are(lambda name: means(name).sqrt()) or are(lambda name: (means(name) / len(each)).sqrt()):
        yield (
            "It looks as if each batch's squares were averaged over its tokens. Equation 1 has a plain sum, "
            "so that a token counts the same in a short batch and in a long one."
        )
    if are(lambda name: each[-1][name]):
        yield "These are the norms of the last batch alone: add to the sum, do not replace it."
    if are(lambda name: each[0][name]):
        yield "These are the norms of the first batch alone: does a return stand inside the loop?"
