"""The exercises of lab 01, perplexity."""

import math
from itertools import pairwise

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.call import attempt, same
from labsupport.check.ask.wire import Opaque
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.compare import has_shape, is_close, is_number, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part, Wrong
from labsupport.given.perplexity import perplexity

SHIFT = 'see section 1.2, "Every token is guessed from those before it".'
ONCE = 'see section 1.3, "One exp, at the very end".'

# 1.1 windows


def window_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "windows")
    count, length = source.choice(((2, 3), (2, 4), (2, 5), (3, 4), (3, 5), (4, 3)))
    tail = source.randrange(1, length)
    first = source.randrange(5, 60)
    consecutive = torch.arange(first, first + count * length + tail)
    text = torch.randint(1000, (60,), generator=draw.generator(source))
    return [
        Case("a short text", {"token_ids": consecutive, "length": length}),
        Case("a text of exactly four windows", {"token_ids": text[:20], "length": 5}),
        Case("a text of one window", {"token_ids": text[:7], "length": 7}),
        Case("a text one token short of four windows", {"token_ids": text[:31], "length": 8}),
        Case("windows of two tokens", {"token_ids": text[:9], "length": 2}),
        Case("a text below one window raises ValueError", {"token_ids": text[:5], "length": 6}, "ValueError"),
    ]


def window_parts(inputs: dict, answer: Answer) -> list[Part]:
    token_ids, length, found = inputs["token_ids"], inputs["length"], answer.value
    count = len(token_ids) // length

    def whole_numbers() -> None:
        is_tensor(found)
        if found.dtype is not torch.int64:
            raise Wrong(f"it is {found.dtype}; token ids stay torch.int64")

    def shape() -> None:
        if found.shape != (count, length):
            raise Wrong(f"yours is {tuple(found.shape)}", token_ids=token_ids, your_windows=found)

    def content() -> None:
        for row, window in enumerate(found.tolist()):
            start = row * length
            if window != token_ids[start : start + length].tolist():
                raise Wrong(
                    token_ids=token_ids,
                    your_windows=found,
                    expected=f"window {row} begins with token {start} of the text, {int(token_ids[start])}, "
                    "and goes on in the order of the text",
                )

    return [
        Part("a tensor of token ids", whole_numbers),
        Part("on the device of the text", lambda: on_same_device(answer)),
        Part(f"{count} windows of {length} tokens, from a text of {len(token_ids)}", shape),
        Part("each window goes on where the one before it ended", content),
    ]


def window_cause(inputs: dict, answer: Answer) -> str:
    ids, length, found = inputs["token_ids"].tolist(), inputs["length"], answer.value.tolist()
    count, tail = len(ids) // length, len(ids) % length
    starts = [next((i for i in range(len(ids)) if ids[i : i + length] == row), None) for row in found]
    wide = all(len(row) == length for row in found)
    if None not in starts:
        steps = {b - a for a, b in pairwise(starts)}
        if starts and starts[0] == tail > 0 and steps <= {length}:
            return "It looks as if the head of the text was dropped and the ragged tail kept. " \
                   "The windows begin with the first token; what is left over at the end goes."  # fmt: skip
        if wide and len(steps) == 1 and 0 < min(steps) < length:
            return f"It looks as if the windows overlap: yours begin {min(steps)} apart, {length} long. " \
                   "A token in two windows would be counted twice: see section 1.1."  # fmt: skip
        if wide and len(found) == count - 1 and starts == [length * i for i in range(count - 1)]:
            return "It looks as if the last whole window went with the tail. A multiple of the length " \
                   "leaves nothing over. Try len(token_ids) // length."  # fmt: skip
    if tail and len(found) == count + 1 and found[-1][:tail] == ids[count * length :]:
        return "It looks as if the ragged tail was kept and filled up to a whole window. Filler would be " \
               "scored as if it were text; the tail is dropped: see section 1.1."  # fmt: skip
    if len(found) == count > 1 and [row[i] for i in range(length) for row in found] == ids[: count * length]:
        return "It looks as if rows and columns are exchanged: the text runs down your columns.\n" \
               "Try windows[0]: it should be the beginning of the text."  # fmt: skip
    return ""


# 1.2 window_nll


def nll_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "window_nll")
    plain = plain_nll(source)
    while not tells_apart(plain):
        plain = plain_nll(source)
    generator = draw.generator(source)

    def some(batch: int, length: int, vocabulary: int, loud: float) -> dict:
        logits = torch.randn(batch, length, vocabulary, generator=generator) * loud
        token_ids = torch.randint(vocabulary, (batch, length), generator=generator)
        return {"logits": logits, "token_ids": token_ids}

    even = some(2, source.randrange(5, 20), source.choice((3, 5, 6, 7, 10)), 0)
    huge = some(1, 5, 2, 0)
    wrong_guesses = 1 - huge["token_ids"][0, 1:]  # [4], of two tokens the one that is not the target
    huge["logits"][0, torch.arange(4), wrong_guesses] = 40_000.0
    return [
        Case("two windows of three tokens, a vocabulary of four", plain),
        Case("three windows, logits at random", some(3, 6, 11, 2.0)),
        Case("one window of two tokens", some(1, 2, 5, 2.0)),
        Case("logits so far apart that exp overflows", some(2, 4, 9, 400.0)),
        Case("logits in bfloat16, all equal", {**even, "logits": even["logits"].bfloat16()}),
        Case("logits in float16, every target missed by 40,000", {**huge, "logits": huge["logits"].half()}),
    ]


def plain_nll(source) -> dict:
    """Logits that are logarithms of 1, 1, 2 and 4, so that probabilities are 1/8, 1/8, 1/4 and 1/2."""
    weights = torch.tensor([[source.sample((1.0, 1.0, 2.0, 4.0), 4) for _ in range(3)] for _ in range(2)])
    token_ids = torch.tensor([source.choices(range(4), k=3) for _ in range(2)])
    return {"logits": weights.log(), "token_ids": token_ids}


def tells_apart(inputs: dict) -> bool:
    """Whether the named mistakes all lead to sums of their own."""
    sums = [round(value, 3) for value, _ in [surprise(**inputs, ahead=1), *nll_mistakes(**inputs)]]
    return len(set(sums)) == len(sums)


def surprise(logits: torch.Tensor, token_ids: torch.Tensor, ahead: int) -> tuple[float, int]:
    """Sum and number of -ln p(the token `ahead` of a position), in Python's own floats."""
    costs = []
    for rows, window in zip(logits.tolist(), token_ids.tolist(), strict=True):
        for position, row in enumerate(rows):
            if 0 <= position + ahead < len(window):
                top = max(row)
                total = math.fsum(math.exp(value - top) for value in row)
                costs.append(top - row[window[position + ahead]] + math.log(total))
    return math.fsum(costs), len(costs)


def nll_mistakes(logits: torch.Tensor, token_ids: torch.Tensor) -> list[tuple[float, str]]:
    """What the sum would be with a mistake, and the sentences that name it."""
    right, targets = surprise(logits, token_ids, 1)
    flat = logits.flatten(0, 1)[None], token_ids.flatten()[None]
    p = logits.double().softmax(dim=-1)
    chosen = p[:, :-1].gather(2, token_ids[:, 1:, None]).sum().item()
    raw = logits[:, :-1].double().gather(2, token_ids[:, 1:, None]).sum().item()
    unshifted = "It looks as if logits and tokens were not shifted: the logits at position t are a guess " \
                f"of token t + 1, {SHIFT}\nTry it on paper with the first window."  # fmt: skip
    logged = "A probability p costs -ln p: take the logarithm of the softmax over the last axis."
    unlogged = f"It looks as if probabilities were added up instead of their logarithms. {logged}"
    return [
        (surprise(logits, token_ids, 0)[0], unshifted),
        (surprise(logits[:, :-1], token_ids[:, :-1], 0)[0], unshifted),
        (surprise(logits[:, 1:], token_ids[:, 1:], 0)[0], unshifted),
        (surprise(logits, token_ids, 2)[0],
         f"It looks as if logits and tokens were shifted twice, so position t guesses t + 2: {SHIFT} "
         "Shift in one place only: by hand, or inside a loss that shifts for you."),
        (surprise(logits, token_ids, -1)[0],
         "It looks as if they were shifted the wrong way: position t was asked for token t - 1, "
         f"which the model has read already: {SHIFT}"),
        (surprise(*flat, 1)[0],
         "It looks as if the windows were joined before the shift, so the end of one window guesses "
         "the start of the next. Shift along dim 1 first, flatten afterwards."),
        (right / targets, "It looks as if this is the mean over the targets instead of their sum. "
         "Windows can only be added up as sums, " + ONCE),
        (right / math.log(2), "It looks as if the logarithm is to base 2: the result is in bits. "
         "Perplexity here is exp of nats, so use the natural logarithm."),
        (-right, "It looks as if the minus sign is missing: ln p is negative, and the cost is -ln p."),
        (chosen, unlogged),
        (-chosen, unlogged),
        (targets - chosen, unlogged),
        (surprise(p, token_ids, 1)[0], "It looks as if softmax was taken twice: cross_entropy takes logits."),
        (-raw, f"It looks as if the logits themselves were added up. {logged}"),
    ]  # fmt: skip


def nll_parts(inputs: dict, answer: Answer) -> list[Part]:
    logits, token_ids, value = inputs["logits"], inputs["token_ids"], answer.value
    batch, length, vocabulary = logits.shape

    def pair() -> None:
        if not isinstance(value, tuple) or len(value) != 2:
            kind = type_name(value)
            raise Wrong("it is None: is a return missing?" if value is None else f"yours is a {kind}")
        is_tensor(value[0], "the sum")

    def scalar() -> None:
        has_shape(value[0], ())
        if value[0].dtype not in (torch.float32, torch.float64):
            raise Wrong(f"it is {value[0].dtype}")

    def counted() -> None:
        if type(value[1]) is not int:
            kind = "tensor" if isinstance(value[1], torch.Tensor) else type(value[1]).__name__
            raise Wrong(f"yours is a {kind}; a Python int is asked for")
        if value[1] != batch * (length - 1):
            raise Wrong(f"yours is {value[1]}")

    def summed() -> None:
        expected, _ = surprise(logits, token_ids, 1)
        if not is_close(float(value[0]), expected, 1e-5):
            show = {"your sum": float(value[0]), "expected": expected}
            if vocabulary == 4:
                halvings = f"{expected / math.log(2):.0f} ln 2 = {expected:.6g}"
                given = {"exp(logits)": logits.exp().round(), "token ids": token_ids}
                show = {**given, **show, "expected": halvings}
            raise Wrong(**show)

    return [
        Part("a tuple of a tensor and a count", pair),
        Part("the sum is one number in float32", scalar),
        Part(f"the count of targets is {batch} * ({length} - 1) = {batch * (length - 1)}", counted),
        Part("the sum of these targets' negative log-likelihoods", summed),
    ]


def nll_cause(inputs: dict, answer: Answer) -> str:
    (total, count), expected = answer.value, surprise(**inputs, ahead=1)[0]
    if inputs["logits"].dtype is not torch.float32:
        return half_cause(inputs["logits"], total, expected)
    if not math.isfinite(total):
        return "It looks as if exp overflowed, or a probability became 0 before its logarithm was taken. " \
               "A log-softmax in one step never forms the probability."  # fmt: skip
    if is_close(float(total), expected, 1e-5):
        return count_cause(inputs["token_ids"], count)
    mistakes = nll_mistakes(**inputs)
    return next((sentences for wrong, sentences in mistakes if is_close(float(total), wrong)), "")


def half_cause(logits: torch.Tensor, total: torch.Tensor, expected: float) -> str:
    """The mistake of an answer that was right until the logits came in half precision."""
    if total.dtype is logits.dtype or not math.isfinite(total):
        return "It looks as if the sum was taken in half precision: float16 ends at 65504, bfloat16 has " \
               "8 bits.\nTry logits.float() before anything else."  # fmt: skip
    if is_close(float(total), expected, 1e-2):
        return "It looks as if the logarithms were taken in half precision and made float32 too late.\n" \
               "Try logits.float() before anything else."  # fmt: skip
    return ""


def count_cause(token_ids: torch.Tensor, count: int) -> str:
    """The mistake in the number of targets, where the sum is right."""
    batch, length = token_ids.shape
    if count == batch * length:
        return "It looks as if every token was counted. The first token of a window is no target, for " \
               f"nothing stands before it: {SHIFT}"  # fmt: skip
    if count == length - 1:
        return f"It looks as if one window was counted, and this batch has {batch}."
    return ""


# 1.3 perplexity


def perplexity_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "perplexity")

    def tiny(count: int, length: int, training: bool = False, gradients: bool = True) -> dict:
        return {
            "model": {"tiny": source.randrange(10**6)},
            "windows": {"random": source.randrange(10**6), "count": count, "length": length},
            "training": training,
            "gradients": gradients,
        }

    course = {"model": recipes.course_model(), "windows": recipes.course_windows("evaluation")}
    return [
        Case("a tiny model", tiny(source.choice((3, 4, 5)), source.choice((8, 9, 10)))),
        Case("a model left in training mode, with dropout", tiny(3, 12, training=True)),
        Case("called where gradients are switched off", tiny(2, 16, gradients=False)),
        Case("a single window", tiny(1, 24)),
        Case(f"the course model, {recipes.course_model()['course']}",
             {**course, "training": False, "gradients": True}, costly=True),
    ]  # fmt: skip


def perplexity_ask(function, inputs: dict) -> dict:
    """Ask for the perplexity of a fresh model; answer also with the state the model was left in."""
    model, token_windows = recipes.model(inputs["model"]), recipes.windows(inputs["windows"])
    model.train(inputs["training"])
    if inputs["training"]:
        model.requires_grad_(True)
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = 0.5
    modes = []
    model.model.register_forward_pre_hook(lambda inner, _arguments: modes.append(inner.training))
    flags = [weight.requires_grad for weight in model.parameters()]
    kept = token_windows.clone()
    with torch.set_grad_enabled(inputs["gradients"]):
        answer = attempt(lambda: function(model, token_windows))
        answer["gradients"] = torch.is_grad_enabled()
    answer.changed = [] if same(kept, token_windows) else ["token_windows"]
    answer["training"] = model.training
    answer["trained_inside"] = any(modes)
    answer["flags"] = flags == [weight.requires_grad for weight in model.parameters()]
    answer["left"] = sum(weight.grad is not None for weight in model.parameters())
    return answer


def perplexity_parts(inputs: dict, answer: Answer) -> list[Part]:
    found = answer.value
    course = "course" in inputs["windows"]

    def value() -> None:
        token_windows = recipes.windows(inputs["windows"])
        expected = perplexity(recipes.model(inputs["model"]), token_windows)
        if not is_close(found, expected, 1e-3 if course else 1e-4):
            n, length = token_windows.shape
            targets = f"{n} windows of {length} tokens, {n} * ({length} - 1) = {n * (length - 1)} targets"
            raise Wrong(token_windows=targets, your_perplexity=float(found), expected=expected)

    def mode() -> None:
        before, after = ("training" if state["training"] else "eval" for state in (inputs, answer))
        if before != after:
            raise Wrong(f"it was found in {before} mode and left in {after} mode")

    def gradients() -> None:
        if answer["gradients"] != inputs["gradients"]:
            raise Wrong(f"torch.is_grad_enabled() was {inputs['gradients']} and is now {answer['gradients']}")
        if not answer["flags"]:
            raise Wrong("requires_grad of the weights changed")
        if answer["left"]:
            raise Wrong(f"{answer['left']} weights have a .grad now")

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("the perplexity of all targets of all windows", value),
        Part("the model is in the mode in which it was found", mode),
        Part("gradients are as they were found", gradients),
    ]


def perplexity_cause(inputs: dict, answer: Answer) -> str:
    found = answer.value
    if isinstance(found, torch.Tensor):
        return "Perplexity is reported, compared and printed: return a float. Try .item() or math.exp."
    if "course" in inputs["windows"]:
        return ""
    model, token_windows = recipes.model(inputs["model"]), recipes.windows(inputs["windows"])
    if is_close(found, perplexity(model, token_windows)):
        return restore_cause(inputs, answer)
    if answer["trained_inside"]:
        return "It looks as if the model was evaluated in training mode: dropout was at work, and two " \
               "calls give two perplexities. Try model.eval() first; restore the mode after it."  # fmt: skip
    for wrong, sentences in perplexity_mistakes(model, token_windows):
        if is_close(found, wrong):
            return sentences
    return ""


def restore_cause(inputs: dict, answer: Answer) -> str:
    """The mistake of an answer whose number is right and whose model was not left as found."""
    if answer["training"] != inputs["training"]:
        return "The number is right. Remember model.training before model.eval(), and give it back at the " \
               "end, in a finally: block, so that an error gives it back too."  # fmt: skip
    if answer["gradients"] != inputs["gradients"] or not answer["flags"]:
        return "The number is right. Whoever trains the model next finds its gradients switched. " \
               "torch.no_grad() as a decorator or in a with statement puts them back by itself."  # fmt: skip
    return ""


@torch.no_grad()
def perplexity_mistakes(model, token_windows: torch.Tensor) -> list[tuple[float, str]]:
    """What the perplexity would be with a mistake, and the sentences that name it."""
    logits = model(token_windows.to(model.device)).logits.double().cpu()
    n, length = token_windows.shape
    pieces = [surprise(logits[i : i + 1], token_windows[i : i + 1], 1)[0] for i in range(n)]
    total, targets = math.fsum(pieces), n * (length - 1)
    mean = total / targets
    other = {ahead: surprise(logits, token_windows, ahead) for ahead in (0, 2)}
    unshifted, twice = (math.exp(min(cost / count, 700)) for cost, count in other.values())
    one = "It looks as if only the {} window counts. Add every window's sum to the total.\n" \
          "Try your function on windows[:1] and on windows[-1:]."  # fmt: skip
    return [
        (math.fsum(math.exp(piece / (length - 1)) for piece in pieces) / n,
         "It looks as if this is the average of the windows' own perplexities, which is always higher: "
         f"add up the losses first, {ONCE}"),
        (math.exp(total / (n * length)),
         f"It looks as if the total was divided by all {n * length} tokens. The first token of each window "
         f"is no target, so there are {targets}: {SHIFT}"),
        (twice, f"It looks as if logits and tokens were shifted twice: {SHIFT} "
         "A loss that is given labels may shift them itself; window_nll does, too."),
        (unshifted, f"It looks as if logits and tokens were not shifted: {SHIFT}"),
        (mean, "It looks as if this is the average loss; its exp is missing."),
        (2**mean, "It looks as if 2 was raised to a loss in nats. Base 2 goes with bits, exp with nats."),
        (math.exp(min(mean / math.log(2), 700)),
         "It looks as if exp was taken of bits: a logarithm to base 2 goes with 2 ** loss."),
        (math.exp(pieces[-1] / (length - 1)), one.format("last")),
        (math.exp(pieces[0] / (length - 1)), one.format("first")),
        (math.exp(min(total / n, 700)),
         "It looks as if the total was divided by the windows instead of the targets."),
    ]  # fmt: skip


EXERCISES = [
    Exercise("windows", "1.1", window_cases, window_parts, window_cause),
    Exercise("window_nll", "1.2", nll_cases, nll_parts, nll_cause),
    Exercise("perplexity", "1.3", perplexity_cases, perplexity_parts, perplexity_cause, perplexity_ask),
]
