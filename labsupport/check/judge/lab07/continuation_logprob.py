"""continuation_logprob: the log-probability that a model gives to a text after another one."""

import math
from collections.abc import Callable, Iterator

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import Answer
from labsupport.check.ask.own.continuation_logprob import built, pair
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number, rounding
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

PLACE = see("7.1", "Where the guess for a token stands")
LONG = see("7.2", "Long answers are unlikely")
EIGHTHS = {1.0: "1/8", 2.0: "1/4", 4.0: "1/2"}  # counts of eight as probabilities


def cases(seed: int) -> list[Case]:
    """A model to redo on paper, tiny ones, one in half precision, and the course model."""
    source = draw.rng(seed, "continuation_logprob")

    def tiny(context: int, continuation: int) -> dict:
        return {"model": {"tiny": source.randrange(10**6)}, **_ids(source, 256, context, continuation)}

    course = {"model": recipes.course_model(), "text": {"context": 40, "continuation": 12}}
    return [
        Case("a model of four words", _telling(source, _paper, mistakes)),
        Case("a tiny model", tiny(9, 6)),
        Case("a continuation longer than its context", tiny(3, 17)),
        Case("one token after one token", tiny(1, 1)),
        Case("a model in bfloat16: the sum is one of float32 numbers", _telling(source, _half, rounded)),
        Case(f"the course model, {recipes.course_model()['course']}", course, costly=True),
    ]


def _ids(source, words: int, context: int, continuation: int) -> dict:
    """Random token ids: context_ids [context] and continuation_ids [continuation]."""
    ids = torch.tensor([source.randrange(words) for _ in range(context + continuation)])  # [T]
    return {"context_ids": ids[:context].clone(), "continuation_ids": ids[context:].clone()}


def _paper(source) -> dict:
    """Counts 1, 1, 2 and 4 of what follows each word: probabilities 1/8, 1/8, 1/4 and 1/2."""
    counts = [source.sample((1.0, 1.0, 2.0, 4.0), 4) for _ in range(4)]
    return {"model": {"follows": counts}, **_ids(source, 4, source.choice((2, 3)), 3)}


def _half(source) -> dict:
    """A model in bfloat16, and a continuation long enough for its rounding to show."""
    counts = [[source.uniform(0.01, 30.0) for _ in range(4)] for _ in range(4)]
    return {"model": {"follows": counts, "dtype": "bfloat16"}, **_ids(source, 4, 5, 40)}


def _telling(source, drawn: Callable, wrong: Callable[[dict], list]) -> dict:
    """Inputs on which no mistake is right and no two of them agree."""

    def suits(inputs: dict) -> bool:
        outcomes = [(_expected(inputs), "right"), *wrong(inputs)]
        return draw.apart(outcomes, lambda one, other: is_close(one, other, 1e-3))

    return draw.until(lambda: drawn(source), suits)


@torch.no_grad()
def _logits(inputs: dict, ids: torch.Tensor) -> torch.Tensor:
    """The model's logits [T, V] for token ids [T]."""
    model = built(inputs["model"])
    return model(ids[None].to(model.device)).logits[0].cpu()  # [T, V]


def _odds(logits: torch.Tensor, ids: torch.Tensor, ahead: int = 1) -> torch.Tensor:
    """Float64 [T - ahead]: log-probabilities of the tokens `ahead`, from logits [T, V] and ids [T]."""
    logits = logits.double()[: len(ids) - ahead]  # [T - ahead, V]
    return (logits.gather(1, ids[ahead:, None]) - logits.logsumexp(dim=1, keepdim=True)).squeeze(1)


def _expected(inputs: dict) -> float:
    """The log-probability of the continuation."""
    ids = torch.cat(pair(inputs))  # [T]
    return _odds(_logits(inputs, ids), ids)[-len(pair(inputs)[1]) :].sum().item()


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the sum."""
    found = answer.value

    def negative() -> None:
        if found > 0:
            raise Wrong(f"yours is {found:.6g}: the logarithm of a probability is never above 0")

    def summed() -> None:
        expected = _expected(inputs)
        if is_close(found, expected, rounding(inputs, 1e-3 if "text" in inputs else 1e-4)):
            return
        show: dict = {"your sum": float(found), "expected": expected}
        counts = inputs["model"].get("follows")
        if counts and "dtype" not in inputs["model"]:
            rows = [", ".join(EIGHTHS[count] for count in row) for row in counts]
            odds = "; ".join(f"after {word}: {row}" for word, row in enumerate(rows))
            show["expected"] = f"{round(expected / math.log(2))} ln 2 = {expected:.6g}"
            context, continuation = pair(inputs)
            show = {"p of 0, 1, 2, 3": odds, "context": context, "continuation": continuation, **show}
        raise Wrong(**show)

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("no log-probability is above 0", negative),
        Part("the sum over the tokens of the continuation, and over no others", summed),
    ]


def mistakes(inputs: dict) -> list[tuple[float, Named]]:
    """The number that each mistake comes to, and its name."""
    context, continuation = pair(inputs)
    ids, n = torch.cat([context, continuation]), len(continuation)  # [T]
    logits = _logits(inputs, ids)  # [T, V]
    each = _odds(logits, ids)  # [T - 1]
    asked, given = each[-n:], each[: len(context) - 1]  # [n], [T - n - 1]
    right, guesses = asked.sum().item(), logits[-n - 1 : -1]  # [n, V]

    def chosen(values: torch.Tensor) -> float:
        """The sum of what values [T, V] hold for the tokens of the continuation."""
        return values[:-1].gather(1, ids[1:, None])[-n:].sum().item()

    unshifted = (
        "logits and tokens were not shifted: the logits at position t are a guess of token t + 1, "
        f"{PLACE}\nTry it on paper with the first token of the continuation."
    )
    no_first = (
        "the first token of the continuation is missing. Its guess is made by the last token of the "
        f"context, which the model has to see, {PLACE}"
    )
    no_last = (
        "the last token of the continuation is missing. The last row of the logits is a guess of what "
        f"comes after it, {PLACE}"
    )
    whole = (
        "the tokens of the context were counted too: they are given, and only the continuation is "
        f"asked, {PLACE}\nHow many numbers do you add?"
    )
    mean = f"this is the mean over the {n} tokens instead of their sum. Lengths come later, {LONG}"
    all_mean = f"the sum was divided by all {len(ids)} tokens; nothing is divided here."
    scaled = (
        f"the mean over all tokens was multiplied by the {n} of the continuation, but the context counts "
        f"in that mean, {PLACE}"
    )
    raw = f"the logits themselves were added up: a log-softmax makes log-probabilities of them, {PLACE}"
    sideways = "the softmax ran over the positions. It runs over the vocabulary, the last axis."
    greedy = f"the likeliest token was taken at each place, not the one of the continuation, {PLACE}"
    found = [
        (_odds(logits[-n:], ids[-n:], ahead=0).sum(), unshifted),
        (asked[1:].sum(), no_first),
        (asked[:-1].sum(), no_last),
        (each.sum(), whole),
        (given.sum(), "the context was counted, not the continuation."),
        (right / n, Cause(mean, "the mean over the tokens instead of their sum")),
        (right / len(ids), Cause(all_mean, "the sum was divided by all tokens")),
        (each.mean() * n, Cause(scaled, "the mean over all tokens times those of the continuation")),
        (chosen(logits), raw),
        (asked.exp().sum(), "probabilities were added up instead of their logarithms."),
        (math.exp(right), "this is the probability of the continuation; its logarithm is asked for."),
        (-right, "the sign is that of a loss: log-probabilities are negative."),
        (right / math.log(2), "the logarithm is to base 2; the natural one is asked for."),
        (guesses.log_softmax(dim=-1).amax(dim=-1).sum(), greedy),
        (chosen(logits.log_softmax(dim=0)), sideways),
        (guesses.log_softmax(dim=0).gather(1, continuation[:, None]).sum(), sideways),
    ]
    return [(float(wrong), looks(said)) for wrong, said in found]


def rounded(inputs: dict) -> list[tuple[float, Named]]:
    """Of a model in half precision: logarithms, or their sum, left in it."""
    context, continuation = pair(inputs)
    logits = _logits(inputs, torch.cat([context, continuation]))[-len(continuation) - 1 : -1]  # [n, V]
    chosen = logits.log_softmax(dim=-1).gather(1, continuation[:, None])  # [n, 1]
    said = (
        "It looks as if the logarithms, or their sum, were left in half precision: bfloat16 has 8 bits.\n"
        "Try logits.float() before anything else."
    )
    return [(chosen.sum().item(), said), (chosen.float().sum().item(), said)]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number shows."""
    found = answer.value
    if isinstance(found, torch.Tensor):
        yield "The number is compared and printed: return a float. Try .item()."
        return
    half = "dtype" in inputs["model"]
    for wrong, said in rounded(inputs) if half else mistakes(inputs):
        if is_close(found, wrong, 1e-2 if half else 1e-4):
            yield said


EXERCISE = Exercise("continuation_logprob", "7.1", cases, parts, cause)
