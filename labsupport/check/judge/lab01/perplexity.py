"""1.3 perplexity: one number for a model and all its windows, and a model left as it was found."""

import math
from collections.abc import Iterator

import torch
from transformers import LlamaForCausalLM

from labsupport.check.ask import recipes
from labsupport.check.ask.own.perplexity import Measured
from labsupport.check.judge.kit import draw, memo
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Noted, Wrong, is_close, is_number, rounding
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many
from labsupport.check.judge.kit.surprise import losses, surprise
from labsupport.check.judge.kit.window_sums import one_of, perplexities

SHIFT = see("1.2", "Every token is guessed from those before it")
ONCE = see("1.3", "One exp, at the very end")
MANY = 19  # windows: every usual size of a batch leaves some over
SIZES = (2, 4, 8, 16)  # of such batches


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

    course: dict = {"model": recipes.course_model(), "windows": recipes.course_windows("evaluation")}
    course |= {"training": False, "gradients": True}
    return [
        Case("a tiny model", tiny(source.choice((3, 4, 5)), source.choice((8, 9, 10)))),
        Case("a model left in training mode, with dropout", tiny(3, 12, training=True)),
        Case("called where gradients are switched off", tiny(2, 16, gradients=False)),
        Case("a single window", tiny(1, 24)),
        Case(f"{MANY} windows, a prime number", draw.until(lambda: tiny(MANY, 6), uneven)),
        Case(f"the course model, {course['model']['course']}", course, costly=True),
    ]


def truth(inputs: dict) -> float:
    """The perplexity of a case, computed once for each model and windows."""
    about = {name: inputs[name] for name in ("model", "windows")}
    return memo.at(memo.key("perplexity of a case", about, {}), lambda: averaged(losses(*built(about)), 1))


def built(inputs: dict) -> tuple[LlamaForCausalLM, torch.Tensor]:
    """The model of a case, and its token windows: int64 [n, L]."""
    return recipes.model(inputs["model"]), recipes.windows(inputs["windows"])


def averaged(each: list[float], size: int) -> float:
    """The perplexity by the mean losses of batches of this size: right for 1, as windows are equally long."""
    batches = [each[start : start + size] for start in range(0, len(each), size)]
    means = [math.fsum(batch) / len(batch) for batch in batches]
    return exp(math.fsum(means) / len(means))


def uneven(inputs: dict) -> bool:
    """Whether the means of batches of every size give another perplexity than the right one."""
    each = losses(*built(inputs))
    batches = [(averaged(each, size), "batches") for size in SIZES]
    return draw.apart([(averaged(each, 1), "right"), *batches], lambda a, b: is_close(a, b, 1e-3))


def exp(loss: float) -> float:
    """exp of a loss, or of 700, which is nearly the largest that there is."""
    return math.exp(min(loss, 700))


def parts(inputs: dict, answer: Measured, given: list[float] | None = None) -> list[Part]:
    """What must hold of the number, and of the model's state; given: the numbers to expect instead."""
    found, course = answer.value, "course" in inputs["windows"]

    def value() -> None:
        expected = truth(inputs)
        if not is_close(found, expected, rounding(inputs, 1e-3 if course else 1e-4)):
            n, length = recipes.windows(inputs["windows"]).shape
            targets = (
                f"{many(n, 'window')} of {length} tokens, {n} * {length - 1} = {n * (length - 1)} targets"
            )
            raise Wrong(token_windows=targets, your_perplexity=float(found), expected=expected)

    def mode() -> None:
        before, after = ("training" if state else "eval" for state in (inputs["training"], answer.training))
        if before != after:
            raise Noted(f"it was found in {before} mode and left in {after} mode")

    def gradients() -> None:
        if answer.gradients != inputs["gradients"]:
            raise Noted(f"torch.is_grad_enabled() was {inputs['gradients']} and is now {answer.gradients}")
        if not answer.flags:
            raise Noted("requires_grad of the weights changed")
        if answer.left:
            raise Noted(f"{many(answer.left, 'weight has', 'weights have')} a .grad now")

    whole = Part("the perplexity of all targets of all windows", value)
    return [
        Part("a Python float", lambda: is_number(found)),
        whole if given is None else one_of(given, found),
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
    return next((named for wrong, named in mistakes(inputs) if is_close(found, wrong)), "")


def restore_cause(inputs: dict, answer: Measured) -> str:
    """The mistake of an answer whose number is right and whose model was not left as found."""
    if answer.training != inputs["training"]:
        return (
            "The number is right. Remember model.training before model.eval(), and restore it at the "
            "end, in a finally: block, so that it is restored after an error too."
        )
    if answer.gradients != inputs["gradients"] or not answer.flags:
        return (
            "The number is right, but gradients are switched to another state afterwards. "
            "torch.no_grad() as a decorator or in a with statement puts them back by itself."
        )
    return ""


def mistakes(inputs: dict) -> Iterator[tuple[float, Named]]:
    """The perplexity that each mistake gives, and the sentences that name it."""
    model, token_windows = built(inputs)  # token_windows: [n, L]

    def shifted(windows: torch.Tensor, ahead: int = 1) -> float:
        """The perplexity of windows, [n, L], when position t guesses the token `ahead` of it."""
        cost, count = surprise(model(windows.to(model.device)).logits.double(), windows, ahead)
        return exp(cost / count)

    n, length = token_windows.shape
    each = losses(model, token_windows)
    mean = math.fsum(each) / n
    targets, tokens = n * (length - 1), n * length
    one = (
        "It looks as if only the {} window counts. Add every window's sum to the total.\n"
        "Try your function on windows[:1] and on windows[-1:]."
    )
    average = (
        "It looks as if this is the average of the windows' own perplexities, which is always higher: "
        f"add up the losses first, {ONCE}"
    )
    yield math.fsum(map(exp, each)) / n, average
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
    yield exp(mean / math.log(2)), "It looks as if exp was taken of bits: log2 goes with 2 ** loss."
    yield exp(each[-1]), one.format("last")
    yield exp(each[0]), one.format("first")
    by_windows = "It looks as if the total was divided by the windows instead of the targets."
    yield exp(mean * targets / n), by_windows
    for size in SIZES:
        yield (
            averaged(each, size),
            "It looks as if the mean losses of batches were averaged. The last batch is smaller and counts "
            f"as much as a full one: add up sums, and divide once, {ONCE}",
        )
    start = torch.full((n, 1), model.config.bos_token_id or 0)
    yield (
        shifted(torch.cat([start, token_windows], dim=1)),  # [n, L + 1]
        "It looks as if a token was put before every window, so that its first token is scored too. Here "
        f"the first token of a window is no target: {SHIFT}",
    )


EXERCISE = Exercise("perplexity", "1.3", cases, parts, cause, Measured, ("window_nll",), perplexities)
