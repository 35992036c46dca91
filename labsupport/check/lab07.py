"""The exercises of lab 07, zero-shot: log-probabilities of choices, accuracies, standard errors."""

import math
from collections.abc import Callable, Iterator

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport import settings
from labsupport.check import draws, recipes
from labsupport.check.asking import attempt, same
from labsupport.check.compare import is_close, is_number
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.lab04 import first
from labsupport.check.wire import Opaque

PLACE = 'see section 7.1, "Where the guess for a token stands".'
LONG = 'see section 7.2, "Long answers are unlikely".'
SHARE = 'see section 7.3, "How far off may a share be?".'

# 7.1 continuation_logprob


def logprob_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "continuation_logprob")

    def tiny(context: int, continuation: int) -> dict:
        return {"model": {"tiny": source.randrange(10**6)}, **_ids(source, 256, context, continuation)}

    course = {"model": recipes.course_model(), "text": {"context": 40, "continuation": 12}}
    return [
        Case("a model of four words", _clear(lambda: _paper(source), _logprob_mistakes)),
        Case("a tiny model", tiny(9, 6)),
        Case("a continuation longer than its context", tiny(3, 17)),
        Case("one token after one token", tiny(1, 1)),
        Case("a model in bfloat16: the sum is one of float32 numbers",
             _clear(lambda: _half(source), _half_mistakes)),
        Case(f"the course model, {recipes.course_model()['course']}", course, costly=True),
    ]  # fmt: skip


def _ids(source, words: int, context: int, continuation: int) -> dict:
    ids = torch.tensor([source.randrange(words) for _ in range(context + continuation)])
    return {"context_ids": ids[:context].clone(), "continuation_ids": ids[context:].clone()}


def _paper(source) -> dict:
    """Counts 1, 1, 2 and 4 of what follows each word: probabilities 1/8, 1/8, 1/4 and 1/2."""
    counts = [source.sample((1.0, 1.0, 2.0, 4.0), 4) for _ in range(4)]
    return {"model": {"follows": counts}, **_ids(source, 4, source.choice((2, 3)), 3)}


def _half(source) -> dict:
    counts = [[source.uniform(0.01, 30.0) for _ in range(4)] for _ in range(4)]
    return {"model": {"follows": counts, "dtype": "bfloat16"}, **_ids(source, 4, 5, 40)}


def _clear(draw: Callable[[], dict], mistakes: Callable[[dict], list]) -> dict:
    """Inputs on which no mistake is right and no two of them agree, unless they share their sentence."""
    while True:
        inputs = draw()
        wrong = mistakes(inputs)
        expected = _expected(inputs)
        if any(is_close(value, expected, 1e-3) for value, _ in wrong):
            continue
        if not any(is_close(value, other, 1e-3) and one != two
                   for i, (value, one) in enumerate(wrong) for other, two in wrong[:i]):  # fmt: skip
            return inputs


def _model(recipe: dict) -> LlamaForCausalLM:
    """The model of a recipe; {"follows": counts} is a Llama without layers that counts what follows what."""
    if "follows" not in recipe:
        return recipes.model(recipe)
    counts = torch.tensor(recipe["follows"])  # [word, next word]
    config = LlamaConfig(
        vocab_size=4, hidden_size=4, intermediate_size=4, num_hidden_layers=0, num_attention_heads=1,
        num_key_value_heads=1, rms_norm_eps=0.0, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config).requires_grad_(False).eval()
    model.model.embed_tokens.weight.copy_(torch.eye(4))
    model.model.norm.weight.fill_(0.5)  # a one-hot vector leaves the norm as it was
    model.lm_head.weight.copy_(counts.log().T)
    return model.to(settings.device(), getattr(torch, recipe.get("dtype", "float32")))


def _pair(inputs: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Context and continuation, those of the course's text cut here."""
    if "text" not in inputs:
        return inputs["context_ids"], inputs["continuation_ids"]
    ids = recipes.windows(recipes.course_windows("evaluation"))[0]
    end = inputs["text"]["context"]
    return ids[:end], ids[end : end + inputs["text"]["continuation"]]


def logprob_ask(function: Callable, inputs: dict) -> dict:
    """Ask about a fresh model; the ids are on the CPU, wherever the model is."""
    kept = _pair(inputs)
    pair = [ids.clone() for ids in kept]
    model = _model(inputs["model"])
    answer = attempt(lambda: function(model, *pair))
    names = ("context_ids", "continuation_ids")
    answer["changed"] = [n for n, one, two in zip(names, kept, pair, strict=True) if not same(one, two)]
    return answer


@torch.no_grad()
def _logits(inputs: dict, *parts: torch.Tensor) -> torch.Tensor:
    model = _model(inputs["model"])
    return model(torch.cat(parts)[None].to(model.device)).logits[0].cpu()  # [tokens, vocabulary]


def _odds(logits: torch.Tensor, ids: torch.Tensor, ahead: int = 1) -> torch.Tensor:
    """What every position gives the token `ahead` of it: float64 [tokens - ahead]."""
    logits = logits.double()[: len(ids) - ahead]
    return (logits.gather(1, ids[ahead:, None]) - logits.logsumexp(dim=1, keepdim=True)).squeeze(1)


def _expected(inputs: dict) -> float:
    context, continuation = _pair(inputs)
    each = _odds(_logits(inputs, context, continuation), torch.cat([context, continuation]))
    return each[-len(continuation) :].sum().item()


def logprob_parts(inputs: dict, answer: dict) -> list[Part]:
    found = answer["value"]
    context, continuation = _pair(inputs)

    def negative() -> None:
        if found > 0:
            raise Wrong(f"yours is {found:.6g}: the logarithm of a probability is never above 0")

    def summed() -> None:
        expected = _expected(inputs)
        if is_close(found, expected, 1e-3 if "text" in inputs else 1e-4):
            return
        show = {"your sum": float(found), "expected": expected}
        counts = inputs["model"].get("follows")
        if counts and "dtype" not in inputs["model"]:
            odds = "; ".join(f"after {word}: {_eighths(row)}" for word, row in enumerate(counts))
            show["expected"] = f"{round(expected / math.log(2))} ln 2 = {expected:.6g}"
            show = {"p of 0, 1, 2, 3": odds, "context": context, "continuation": continuation, **show}
        raise Wrong(**show)

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("no log-probability is above 0", negative),
        Part("the sum over the tokens of the continuation, and over no others", summed),
    ]


def _eighths(counts: list[float]) -> str:
    return ", ".join({1.0: "1/8", 2.0: "1/4", 4.0: "1/2"}[count] for count in counts)


def _logprob_mistakes(inputs: dict) -> list[tuple[float, str]]:
    """What the number would be with a mistake, and the sentences that name it."""
    context, continuation = _pair(inputs)
    ids, n = torch.cat([context, continuation]), len(continuation)
    logits = _logits(inputs, ids)  # [tokens, vocabulary]
    each = _odds(logits, ids)
    asked, given = each[-n:], each[: len(context) - 1]
    right = asked.sum().item()

    def chosen(values: torch.Tensor) -> float:
        return values[:-1].gather(1, ids[1:, None])[-n:].sum().item()

    found = {
        "logits and tokens were not shifted: the logits at position t are a guess of token t + 1, "
        f"{PLACE}\nTry it on paper with the first token of the continuation.":
            _odds(logits[-n:], ids[-n:], ahead=0).sum(),
        "the first token of the continuation is missing. Its guess is made by the last token of the "
        f"context, which the model has to see, {PLACE}": asked[1:].sum(),
        "the last token of the continuation is missing. The last row of the logits is a guess of what "
        f"comes after it, {PLACE}": asked[:-1].sum(),
        "the tokens of the context were counted too: they are given, and only the continuation is "
        f"asked, {PLACE}\nHow many numbers do you add?": each.sum(),
        "the context was counted, not the continuation.": given.sum(),
        f"this is the mean over the {n} tokens instead of their sum. Dividing by a length comes later, "
        f"{LONG}": right / n,
        f"the sum was divided by all {len(ids)} tokens; nothing is divided here.": right / len(ids),
        f"the mean over all tokens was multiplied by the {n} of the continuation, but the context has a say "
        f"in that mean, {PLACE}": each.mean() * n,
        "the logits themselves were added up: a log-softmax over the vocabulary makes log-probabilities "
        f"of them, {PLACE}": chosen(logits),
        "probabilities were added up instead of their logarithms.": asked.exp().sum(),
        "this is the probability of the continuation; its logarithm is asked for.": math.exp(right),
        "the sign is that of a loss: log-probabilities are negative.": -right,
        "the logarithm is to base 2; the natural one is asked for.": right / math.log(2),
        "the softmax ran over the positions. It runs over the vocabulary, the last axis.":
            chosen(logits.log_softmax(dim=0)),
    }  # fmt: skip
    return [(float(wrong), f"It looks as if {sentence}") for sentence, wrong in found.items()]


def _half_mistakes(inputs: dict) -> list[tuple[float, str]]:
    """Of a model in half precision: logarithms, or their sum, left in it."""
    context, continuation = _pair(inputs)
    n = len(continuation)
    logits = _logits(inputs, context, continuation)[-n - 1 : -1]
    chosen = logits.log_softmax(dim=-1).gather(1, continuation[:, None])
    sentence = "It looks as if the logarithms, or their sum, were left in half precision: bfloat16 has " \
               "8 bits.\nTry logits.float() before anything else."  # fmt: skip
    return [(chosen.sum().item(), sentence), (chosen.float().sum().item(), sentence)]


@first
def logprob_cause(inputs: dict, answer: dict) -> Iterator[str]:
    found = answer["value"]
    if isinstance(found, torch.Tensor):
        yield "The number is compared and printed: return a float. Try .item()."
        return
    half = "dtype" in inputs["model"]
    for wrong, sentence in _half_mistakes(inputs) if half else _logprob_mistakes(inputs):
        if is_close(found, wrong, 1e-2 if half else 1e-4):
            yield sentence


# 7.2 accuracies


def accuracy_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "accuracies")
    some = _questions(source, 5, 4)
    some["logprobs"][::2, 3], some["lengths"][::2, 3] = -torch.inf, 1
    some["answers"][::2] = some["answers"][::2] % 3
    alone = _questions(source, 1, 4)
    return [
        Case("six questions of three choices", _telling(source)),
        Case("as many questions as choices", _questions(source, 4, 4)),
        Case("questions with three and with four choices", some),
        Case("a single question", alone),
        Case("two hundred questions", _questions(source, 200, 4)),
        Case("every answer is right", _certain(source, right=True)),
        Case("no answer is right", _certain(source, right=False)),
    ]


def _questions(source, n: int, choices: int) -> dict:
    """Questions on which no choice ties with another, by sum or by byte."""
    rows = []
    while len(rows) < n:
        sums, sizes = source.sample(range(-48, -4), choices), source.sample(range(2, 13), choices)
        if len({value / size for value, size in zip(sums, sizes, strict=True)}) == choices:
            rows.append((sums, sizes))
    logprobs, lengths = (torch.tensor(values) for values in zip(*rows, strict=True))
    answers = torch.tensor([source.randrange(choices) for _ in range(n)])
    return {"logprobs": logprobs.double(), "lengths": lengths, "answers": answers}


def _telling(source) -> dict:
    """Questions on which every named mistake shows, each in its own pair of numbers."""
    while True:
        inputs = _questions(source, 6, 3)
        acc, norm = _shares(**inputs)
        wrong = [pair for pair, _ in _accuracy_mistakes(inputs)]
        pairs = [(acc, norm), *wrong]
        if acc and norm and len({(round(a, 6), round(b, 6)) for a, b in pairs}) == len(pairs):
            return inputs


def _certain(source, right: bool) -> dict:
    inputs = _questions(source, 7, 4)
    best = inputs["logprobs"].argmax(dim=1)
    inputs["lengths"].fill_(source.randrange(3, 9))
    inputs["answers"] = best if right else (best + 1) % 4
    return inputs


def _chosen(scores: torch.Tensor, answers: torch.Tensor) -> float:
    """The share of questions whose answer has the highest score, in Python's own numbers."""
    pairs = zip(scores.tolist(), answers.tolist(), strict=True)
    return sum(row.index(max(row)) == answer for row, answer in pairs) / len(answers)


def _shares(logprobs: torch.Tensor, lengths: torch.Tensor, answers: torch.Tensor) -> tuple[float, float]:
    return _chosen(logprobs, answers), _chosen(logprobs / lengths, answers)


def accuracy_parts(inputs: dict, answer: dict) -> list[Part]:
    found, n = answer["value"], len(inputs["answers"])
    expected = _shares(**inputs)

    def pair() -> None:
        if not isinstance(found, tuple) or len(found) != 2:
            kind = found.type_name if isinstance(found, Opaque) else type(found).__name__
            size = f" of {len(found)}" if isinstance(found, tuple) else ""
            raise Wrong("it is None: is a return missing?" if found is None else f"yours is a {kind}{size}")

    def numbers() -> None:
        for value in found:
            is_number(value)

    def shares() -> None:
        if not all(0 <= value <= 1 for value in found):
            raise Wrong(your_pair=found, questions=n)

    def right(index: int) -> None:
        if not is_close(found[index], expected[index], 1e-6):
            small = inputs if n <= 6 else {"questions": n}
            raise Wrong(**small, your_pair=found)

    return [
        Part("a tuple of two", pair),
        Part("both are Python floats", numbers),
        Part("both are shares, from 0 to 1", shares),
        Part("acc: the share of questions whose right choice has the highest sum", lambda: right(0)),
        Part("acc_norm: the share whose right choice has the highest sum per byte", lambda: right(1)),
    ]


def _accuracy_mistakes(inputs: dict) -> list[tuple[tuple[float, float], str]]:
    """What the pair would be with a mistake, and the sentences that name it."""
    logprobs, lengths, answers = inputs["logprobs"], inputs["lengths"], inputs["answers"]
    n, choices = logprobs.shape
    acc, norm = _shares(**inputs)
    per_byte = f"Each choice's sum is divided by the length of that choice, {LONG}"
    found = {
        "the two changed places: acc comes first.": (norm, acc),
        f"the lengths had no say: both numbers are acc. {per_byte}": (acc, acc),
        f"both numbers are normalised: acc takes the sums as they are, {LONG}": (norm, norm),
        f"you return how many of the {n} are right; a share is asked for.": (acc * n, norm * n),
        f"you divided by the {choices} choices; there are {n} questions.":
            (acc * n / choices, norm * n / choices),
        "these are percentages; shares go from 0 to 1.": (100 * acc, 100 * norm),
        "these are the shares of wrong answers.": (1 - acc, 1 - norm),
        f"the sums were multiplied by the lengths. {per_byte}\n"
        "Try a choice of -10 with 5 bytes: it should come out as -2.":
            (acc, _chosen(logprobs * lengths, answers)),
        f"probabilities were divided by lengths: the logarithms are what adds up, {LONG}":
            (acc, _chosen(logprobs.exp() / lengths, answers)),
        "the least likely choice was taken: log-probabilities are negative, and the one nearest to 0 is "
        "the best.": (_chosen(-logprobs, answers), _chosen(-logprobs / lengths, answers)),
    }  # fmt: skip
    return [(pair, f"It looks as if {sentence}") for sentence, pair in found.items()]


@first
def accuracy_cause(inputs: dict, answer: dict) -> Iterator[str]:
    found = answer["value"]
    if any(isinstance(value, torch.Tensor) for value in found):
        yield "Shares are compared and printed: return floats. Try .item() on each of the two."
        return
    for pair, sentence in _accuracy_mistakes(inputs):
        if all(is_close(one, other, 1e-6) for one, other in zip(found, pair, strict=True)):
            yield sentence


# 7.3 standard_error

ROUND = [(0.5, 26), (0.5, 101), (0.2, 26), (0.8, 17), (0.9, 37), (0.1, 10), (0.2, 65), (0.9, 145)]


def error_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "standard_error")
    accuracy, n = source.choice(ROUND)
    return [
        Case(f"{accuracy:.0%} of {n} questions", {"accuracy": accuracy, "n": n}),
        Case("the report's 30.12 % of 1,172 questions", {"accuracy": 0.3012, "n": 1172}),
        Case("another share", {"accuracy": source.randrange(20, 90) / 100, "n": source.randrange(50, 2000)}),
        Case("one of two questions", {"accuracy": 0.5, "n": 2}),
        Case("not one question right", {"accuracy": 0.0, "n": 40}),
        Case("every question right", {"accuracy": 1.0, "n": 40}),
    ]


def error_parts(inputs: dict, answer: dict) -> list[Part]:
    found, p, n = answer["value"], inputs["accuracy"], inputs["n"]

    def right() -> None:
        if found < 0 or not is_close(found**2 * (n - 1), p - p * p, 1e-6):
            raise Wrong(accuracy=p, n=n, your_standard_error=float(found))

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("the standard error of a share, as the harness reports it", right),
    ]


def _error_mistakes(p: float, n: int) -> list[tuple[float, str]]:
    """What the number would be with a mistake, and the sentences that name it."""
    spread = p * (1 - p)
    root = math.sqrt(spread / (n - 1))
    found = {
        f"n = {n} was taken where n - 1 belongs: the share is estimated from the same {n} questions, "
        f"{SHARE}": math.sqrt(spread / n),
        f"n + 1 was taken where n - 1 belongs, {SHARE}": math.sqrt(spread / (n + 1)),
        f"the square root is missing: this is the variance, {SHARE}": spread / (n - 1),
        f"the square root is missing, and n stands where n - 1 belongs, {SHARE}": spread / n,
        f"n had no say: this is how far single answers scatter, not their share, {SHARE}": math.sqrt(spread),
        f"only p (1 - p) is under the root, {SHARE}": math.sqrt(spread) / (n - 1),
        f"only n - 1 is under the root, {SHARE}": spread / math.sqrt(n - 1),
        f"the factor 1 - p is missing, {SHARE}": math.sqrt(p / (n - 1)),
        "this is in percentage points; accuracy goes from 0 to 1.": 100 * root,
        "this is half a 95 % interval, 1.96 standard errors. One is asked for.": 1.96 * root,
        "this is two standard errors; one is asked for.": 2 * root,
    }
    return [(wrong, f"It looks as if {sentence}") for sentence, wrong in found.items()]


@first
def error_cause(inputs: dict, answer: dict) -> Iterator[str]:
    for wrong, sentence in _error_mistakes(inputs["accuracy"], inputs["n"]):
        if is_close(answer["value"], wrong, 1e-6):
            yield sentence


EXERCISES = [
    Exercise("continuation_logprob", "7.1", logprob_cases, logprob_parts, logprob_cause, logprob_ask),
    Exercise("accuracies", "7.2", accuracy_cases, accuracy_parts, accuracy_cause),
    Exercise("standard_error", "7.3", error_cases, error_parts, error_cause),
]
