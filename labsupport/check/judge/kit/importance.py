"""Judging scores of coupled structures, for channel_importance and kv_group_importance."""

import torch

from labsupport.check.ask.answer import NOT_SENT, Answer
from labsupport.check.ask.call import same
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Part
from labsupport.check.judge.kit.owners import Coupled, near

RULES = {
    "l1": "absolute values of all its weights",
    "l2": "squares of all its weights",
    "taylor": "absolute values of weight times gradient, over all its weights",
}
SMALL = 40  # entries of a weight that a message shows


def case(title: str, arguments: dict, criterion: str, grads: dict | None = None) -> Case:
    """A case for l1, l2 or taylor. arguments: weights [out, in] by name, then sizes; grads: like weights."""
    more = {"grads": tuple(grads.values())} if grads else {}
    return Case(title, {**arguments, "criterion": criterion, **more})


def random_case(arguments: dict, seed: int) -> Case:
    """The case for "random"; arguments as in `case`; seed: the first state of the generator."""
    title = '"random": drawn from the generator'
    return Case(title, {**arguments, "criterion": "random", "seed": seed})


def coupled(names: tuple[str, ...], owners: list[torch.Tensor], count: int, inputs: dict) -> Coupled:
    """The weights of a case, by these names, with their owners."""
    weights = [inputs[name] for name in names]
    return Coupled(weights, owners, count, inputs["criterion"], list(inputs.get("grads", ())) or None)


def parts(names: tuple[str, ...], what: str, where: str, of: Coupled, answer: Answer) -> list[Part]:
    """The conditions on scores.

    names: of the weights; what: the lab's name for the number of structures; where: a description of the
    slices of a structure; of: the weights of the case with their owners.
    """
    score = answer.value  # [count] in a right answer
    if of.criterion == "random":
        title = f"one finite number for each of the {what}, as the generator has it"
        return [Part(title, lambda: _random(score, of.count))]

    def typed() -> None:
        is_tensor(score)
        if not score.is_floating_point():
            raise Wrong(f"it is {score.dtype}")

    def shown() -> dict:
        if any(weight.numel() > SMALL for weight in of.weights):
            return {"your_scores": score}
        grads = {f"grad of {name}": grad for name, grad in zip(names, of.grads or (), strict=False)}
        return {**dict(zip(names, of.weights, strict=True)), **grads, "your_scores": score}

    def finite() -> None:
        if not bool(score.isfinite().all()):
            raise Wrong("float16 ends at 65504: sum in float32", **shown())

    def positive() -> None:
        if bool((score < 0).any()):
            raise Wrong(**shown())

    def summed() -> None:
        if not near(score, of.scores()):
            raise Wrong(**shown())

    return [
        Part("the scores are a tensor of floating-point numbers", typed),
        Part(f"shape ({what},) = ({of.count},)", lambda: has_shape(score, (of.count,))),
        Part("on the device of the weights", lambda: on_same_device(answer)),
        Part("no score overflows", finite),
        Part("no score is negative", positive),
        Part(f"each is the sum of the {RULES[of.criterion]} ({where})", summed),
    ]


def _random(draws, count: int) -> None:
    """Raise Wrong unless these are random [count]: two from one generator state, one from another."""
    if not isinstance(draws, list | tuple) or len(draws) != 3:
        raise Wrong(NOT_SENT)
    for score in draws:
        is_tensor(score)
        has_shape(score, (count,))
        if not score.is_floating_point():
            raise Wrong(f"it is {score.dtype}")
        if not bool(score.isfinite().all()):
            raise Wrong("some are not finite")
    once, again, other = draws
    if bool((once == once[0]).all()):
        raise Wrong("all are equal", your_scores=once)
    if not same(once, again):
        raise Wrong("two generators in the same state gave different scores: draw from `generator`")
    if same(once, other):
        raise Wrong("generators in different states gave the same scores: draw from `generator`")
