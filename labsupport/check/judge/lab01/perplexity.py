"""1.3 perplexity: one number for a model and all its windows, and a model left as it was found."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.own.perplexity import Measured
from labsupport.check.judge.kit import draw, memo
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.surprise import surprise
from labsupport.progress import bar

SHIFT = see("1.2", "Every token is guessed from those before it")
ONCE = see("1.3", "One exp, at the very end")
MANY = 37  # windows: every usual size of a batch leaves some over
SIZES = (2, 4, 8, 16, 32)  # of such batches


def cases(seed: int) -> list[Case]:
    """Tiny models in every state they may be found in, and at last the course model."""
    source = draw.rng(seed, "perplexity")

    def tiny(count: int, length: int, training: bool = False, gradients: bool = True) -> dict:
        return {
            "model": {"tiny": source.randrange(10**6)},
            "windows": {"random": source.randrange(10**6), "count": count, "length": length},
            "training": training,
            "gradients": gradients,
        }

    course = {"model": recipes.course_model(), "windows": recipes.course_windows("evaluation")}
    name = course["model"]["course"]
    return [
        Case("a tiny model", tiny(source.choice((3, 4, 5)), source.choice((8, 9, 10)))),
        Case("a model left in training mode, with dropout", tiny(3, 12, training=True)),
        Case("called where gradients are switched off", tiny(2, 16, gradients=False)),
        Case("a single window", tiny(1, 24)),
        Case(f"{MANY} windows, which batches do not divide evenly", tiny(MANY, 6)),
        Case(f"the course model, {name}", {**course, "training": False, "gradients": True}, costly=True),
    ]


def truth(inputs: dict) -> float:
    """The perplexity of a case, computed once for each model and windows."""
    about = {name: inputs[name] for name in ("model", "windows")}
    place = memo.key("perplexity of a case", about, {})
    return memo.at(place, lambda: measured(recipes.model(about["model"]), recipes.windows(about["windows"])))


@torch.no_grad()
def measured(model: nn.Module, token_windows: torch.Tensor) -> float:
    """Perplexity of a model on windows, int64 [n, L]: one window at a time, all of its logits at once."""
    total = 0.0
    for window in bar(token_windows, "perplexity"):
        window = window.to(model.device)  # [L]
        logits = model(window[None], use_cache=False).logits[0, :-1].float()  # [L - 1, V]
        ln_p = logits.log_softmax(dim=-1).gather(1, window[1:, None])  # [L - 1, 1]
        total -= ln_p.double().sum().item()
    n, length = token_windows.shape
    return math.exp(total / (n * (length - 1)))


def parts(inputs: dict, answer: Measured) -> list[Part]:
    """What must hold of the number, and of the state in which the model was left."""
    found = answer.value
    course = "course" in inputs["windows"]

    def value() -> None:
        expected = truth(inputs)
        if not is_close(found, expected, 1e-3 if course else 1e-4):
            n, length = recipes.windows(inputs["windows"]).shape
            targets = f"{n} windows of {length} tokens, {n} * ({length} - 1) = {n * (length - 1)} targets"
            raise Wrong(token_windows=targets, your_perplexity=float(found), expected=expected)

    def mode() -> None:
        before, after = ("training" if state else "eval" for state in (inputs["training"], answer.training))
        if before != after:
            raise Wrong(f"it was found in {before} mode and left in {after} mode")

    def gradients() -> None:
        if answer.gradients != inputs["gradients"]:
            raise Wrong(f"torch.is_grad_enabled() was {inputs['gradients']} and is now {answer.gradients}")
        if not answer.flags:
            raise Wrong("requires_grad of the weights changed")
        if answer.left:
            raise Wrong(f"{answer.left} weights have a .grad now")

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("the perplexity of all targets of all windows", value),
        Part("the model is in the mode in which it was found", mode),
        Part("gradients are as they were found", gradients),
    ]


def cause(inputs: dict, answer: Measured) -> Named:
    """The mistake that a wrong number shows, or a model that was not left as found."""
    found = answer.value
    if isinstance(found, torch.Tensor):
        return "Perplexity is reported, compared and printed: return a float. Try .item() or math.exp."
    if "course" in inputs["windows"]:
        return ""
    if is_close(found, truth(inputs)):
        return restore_cause(inputs, answer)
    if answer.trained_inside:
        return (
            "It looks as if the model was evaluated in training mode: dropout was at work, and two "
            "calls give two perplexities. Try model.eval() first; restore the mode after it."
        )
    model, token_windows = recipes.model(inputs["model"]), recipes.windows(inputs["windows"])
    return next((named for wrong, named in mistakes(model, token_windows) if is_close(found, wrong)), "")


def restore_cause(inputs: dict, answer: Measured) -> str:
    """The mistake of an answer whose number is right and whose model was not left as found."""
    if answer.training != inputs["training"]:
        return (
            "The number is right. Remember model.training before model.eval(), and give it back at the "
            "end, in a finally: block, so that an error gives it back too."
        )
    if answer.gradients != inputs["gradients"] or not answer.flags:
        return (
            "The number is right. Whoever trains the model next finds its gradients switched. "
            "torch.no_grad() as a decorator or in a with statement puts them back by itself."
        )
    return ""


def mistakes(model: nn.Module, token_windows: torch.Tensor) -> Iterator[tuple[float, Named]]:
    """The perplexity that each mistake gives, and the sentences that name it. token_windows: [n, L]."""

    def exp(loss: float) -> float:
        return math.exp(min(loss, 700))  # there is no larger one

    def shifted(windows: torch.Tensor, ahead: int = 1) -> float:
        """The perplexity of windows, [n, L], when position t guesses the token `ahead` of it."""
        cost, count = surprise(model(windows.to(model.device)).logits.double(), windows, ahead)
        return exp(cost / count)

    n, length = token_windows.shape
    each = [math.log(shifted(window[None])) for window in token_windows]  # mean loss of every window
    mean = math.fsum(each) / n
    targets, tokens = n * (length - 1), n * length
    one = (
        "It looks as if only the {} window counts. Add every window's sum to the total.\n"
        "Try your function on windows[:1] and on windows[-1:]."
    )
    yield (
        math.fsum(map(exp, each)) / n,
        "It looks as if this is the average of the windows' own perplexities, which is always higher: "
        f"add up the losses first, {ONCE}",
    )
    whole = (
        f"It looks as if the total was divided by all {tokens} tokens. The first token of each window "
        f"is no target, so there are {targets}: {SHIFT}"
    )
    yield exp(mean * targets / tokens), Cause(whole, "divided by all tokens")
    yield (
        shifted(token_windows, 2),
        f"It looks as if logits and tokens were shifted twice: {SHIFT} "
        "A loss that is given labels may shift them itself; window_nll does, too.",
    )
    yield shifted(token_windows, 0), f"It looks as if logits and tokens were not shifted: {SHIFT}"
    yield mean, "It looks as if this is the average loss; its exp is missing."
    yield 2**mean, "It looks as if 2 was raised to a loss in nats. Base 2 goes with bits, exp with nats."
    bits = "It looks as if exp was taken of bits: a logarithm to base 2 goes with 2 ** loss."
    yield exp(mean / math.log(2)), bits
    yield exp(each[-1]), one.format("last")
    yield exp(each[0]), one.format("first")
    yield (
        exp(mean * targets / n),
        "It looks as if the total was divided by the windows instead of the targets.",
    )
    for size in SIZES:
        means = [math.fsum(each[i : i + size]) / len(each[i : i + size]) for i in range(0, n, size)]
        yield (
            exp(math.fsum(means) / len(means)),
            "It looks as if the mean losses of batches were averaged. The last batch is smaller and counts "
            f"as much as a full one: add up sums, and divide once, {ONCE}",
        )
    start = torch.full((n, 1), model.config.bos_token_id or 0)
    yield (
        shifted(torch.cat([start, token_windows], dim=1)),  # [n, L + 1]
        "It looks as if a token was put before every window, so that its first token is scored too. Here "
        f"the first token of a window is no target: {SHIFT}",
    )


EXERCISE = Exercise("perplexity", "1.3", cases, parts, cause, Measured)
