"""Judges input_norms, exercise 3.2: the norms, and what the function leaves behind on the model."""

from typing import Any

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.own.input_norms import Normed, batches_of, built
from labsupport.check.judge.kit import draw, left_behind, norms
from labsupport.check.judge.kit.carried import Earlier, Failed, Form
from labsupport.check.judge.kit.compare import Noted, Wrong, has_keys, has_shape, is_tensor
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.norm_causes import cause, right_norms, tolerance
from labsupport.check.judge.kit.norms import agree


def cases(seed: int) -> list[Case]:
    """Tiny models on random tokens, by their recipes, then the course model.

    fails_at: the run of the model that raises an error; training: the model's mode; half: float16;
    weighed: the tensors that stay alive between batches are counted.
    """
    source = draw.rng(seed, "input_norms")
    course = recipes.course_model()["course"]

    def tiny(*shapes: tuple[int, int], **more) -> dict:
        batches = [{"random": source.randrange(10**6), "count": n, "length": length} for n, length in shapes]
        return {"model": {"tiny": source.randrange(10**6)}, "batches": batches, **more}

    return [
        Case("a tiny model", tiny((2, source.randrange(20, 30)), (1, source.randrange(40, 60)), (3, 16))),
        Case("when the model raises an error", tiny((1, 16), (1, 16), (1, 16), fails_at=2)),
        Case("a model in training mode", tiny((1, 16), (2, 8), training=True)),
        Case("a model in float16, batches of 2,048 tokens", tiny((16, 128), (16, 128), half=True)),
        Case("memory does not grow with the number of batches", tiny(*[(1, 64)] * 6, weighed=True)),
        Case(
            f"the course model, {course}",
            {"model": {"course": course}, "batches": [recipes.course_windows("calibration")]},
            costly=True,
        ),
    ]


def parts(inputs: dict, answer: Normed, given: norms.Norms | None = None) -> list[Part]:
    """What must hold of the norms, or of what an error or a long calibration leaves behind.

    given: the norms [in] by layer to expect instead of the judge's own.
    """
    if "fails_at" in inputs:
        return [
            Part("the error comes through", lambda: came_through(inputs, answer)),
            Part("no hook is left on the model", lambda: left_behind.unhooked(answer.hooks)),
        ]
    if "weighed" in inputs:
        return [Part("a batch's inputs are gone when the next one runs", lambda: let_go(inputs, answer))]
    return [
        Part("returns a dict of norms by full name, one for every Linear of the decoder layers",
             lambda: named(inputs, answer)),
        Part("every norm is torch.float32, shape (in_features,) of its layer",
             lambda: shaped(inputs, answer)),
        Part("they are the L2 norms of the layers' inputs over all tokens of all batches",
             lambda: agreed(inputs, answer))
        if given is None
        else Part("they are the roots of what your sum_of_squares gives for all batches together",
                  lambda: followed(inputs, answer, given)),
        Part("no hook is left on the model", lambda: left_behind.unhooked(answer.hooks)),
        Part("the model has the layers that it had", lambda: same_layers(inputs, answer)),
        Part("one pass: every token goes through the model once", lambda: once(inputs, answer)),
        Part("the model is in the mode it was found in",
             lambda: left_behind.as_found(answer.training, inputs.get("training", False))),
    ]  # fmt: skip


def came_through(inputs: dict, answer: Normed) -> None:
    """Raises Noted unless the model raised its error, and the function let it pass."""
    if len(answer.runs) < inputs["fails_at"]:
        raise Noted(f"it comes with batch {inputs['fails_at']}, which never reached the model")
    if not answer.came_through:
        raise Noted("it stopped inside your function, which returned as if all were well")


def let_go(inputs: dict, answer: Normed) -> None:
    """Raises Noted when every batch leaves tensors alive, as large as half an input."""
    batches, alive = batches_of(inputs), answer.alive  # each batch [B, L]
    if len(answer.runs) != len(batches):
        return
    early, late = alive.get("2"), alive.get(str(len(batches)))
    if early is None or late is None:
        raise Noted("the tensors that stay alive were not counted")
    kept = (late - early) / (len(batches) - 2)  # bytes a batch
    if kept > batches[0].numel() * built(inputs).config.hidden_size * 4 / 2:
        raise Noted(f"every batch leaves {kept / 1024:,.0f} KiB of tensors behind")


def named(inputs: dict, answer: Normed) -> None:
    """Raises Wrong unless the answer is a dict with the names of the pruned Linears."""
    norms, wanted = answer.value, right_norms(inputs).keys()
    if answer.stumbled:
        raise Wrong(f"your function raised RuntimeError: {answer.stumbled}")
    has_keys(norms, wanted)


def shaped(inputs: dict, answer: Normed) -> None:
    """Raises Wrong unless every norm is a float32 tensor [in]."""
    for name, right in right_norms(inputs).items():
        norm = answer.value[name]
        is_tensor(norm, f"that of {name}")
        if norm.shape != right.shape:
            raise Wrong(f"that of {name} is {tuple(norm.shape)}, not {tuple(right.shape)}")
        if norm.dtype is not torch.float32:
            raise Wrong(f"that of {name} is {norm.dtype}")


def agreed(inputs: dict, answer: Normed) -> None:
    """Raises Wrong unless every norm [in] is the judge's own."""
    for name, right in right_norms(inputs).items():
        norm = answer.value[name]
        off = (~agree(norm, right, tolerance(inputs))).nonzero().flatten()[:5]  # channels [at most 5]
        if len(off):
            raise Wrong(layer=name, channels=off, yours=norm[off], reference=right[off])


def followed(inputs: dict, answer: Normed, given: norms.Norms) -> None:
    """Raises Wrong unless every norm [in] is the given one, which may overflow."""
    for name, right in given.items():
        norm = answer.value[name].double()  # [in]
        finite = right[right.isfinite()]
        slack = 1e-3 * float(finite.median()) if len(finite) else 0.0  # sums of signed numbers may cancel
        if not torch.allclose(norm, right, rtol=tolerance(inputs), atol=slack, equal_nan=True):
            raise Wrong(layer=name, yours=norm, **{"your sum_of_squares gives": right})


def given(inputs: dict, earlier: Earlier) -> norms.Norms:
    """The roots of the student's sums of squares, float64 [in] by layer; none where no norm is judged."""
    if not inputs.keys().isdisjoint(("fails_at", "weighed")):
        return {}
    model: Any = built(inputs).eval()  # attributes of nn.Module are untyped
    squares: norms.Norms = {}
    for batch in batches_of(inputs):

        def add(name: str, x: torch.Tensor, batch=batch) -> None:  # x: [B * L, in]
            form = sums(x.shape[-1])
            try:
                found = earlier("sum_of_squares", form, {"x": x.view(*batch.shape, -1).cpu()}).float()  # [in]
            except (Failed, Wrong):  # a function that takes tokens only, [B * L, in]
                found = earlier("sum_of_squares", form, {"x": x.cpu()}).float()
            squares[name] = squares[name] + found if name in squares else found

        with torch.no_grad(), norms.listening(model, add):
            model.model(batch.to(model.device), use_cache=False)
    return {name: total.sqrt().double() for name, total in squares.items()}


def sums(count: int) -> Form:
    """The form of sums: floating-point numbers [count], which may overflow."""

    def form(value) -> None:
        is_tensor(value)
        has_shape(value, (count,))
        if not value.is_floating_point():
            raise Wrong("these are no sums")

    return form


def same_layers(inputs: dict, answer: Normed) -> None:
    """Raises Noted where a module of the model was replaced or removed, or its forward."""
    weights = {name for name, _ in built(inputs).named_parameters()}
    if odd := [name for name in answer.changed if name not in weights]:
        raise Noted(f"{odd[0]} was replaced or is gone")


def once(inputs: dict, answer: Normed) -> None:
    """Raises Noted when more tokens went through the model than the batches hold."""
    held, seen = sum(batch.numel() for batch in batches_of(inputs)), sum(answer.runs)
    if seen > held:
        raise Noted(f"the batches hold {held} tokens, and {seen} went through the model")


EXERCISE = Exercise("input_norms", "3.2", cases, parts, cause, Normed, ("sum_of_squares",), given)
