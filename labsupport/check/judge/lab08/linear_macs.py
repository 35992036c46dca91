"""linear_macs: the multiply-accumulates of one Linear layer."""

from collections.abc import Iterator

from torch import nn

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.compare import Wrong, is_whole
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.given import macs

ONCE = see("8.1", "Once for every token")


def cases(seed: int) -> list[Case]:
    """Sizes without a common factor, one token, TinyLlama's, and more MACs than a float can count."""
    source = draw.rng(seed, "linear_macs")

    def sizes(*values: int) -> dict:
        return dict(zip(("out_features", "in_features", "tokens"), values, strict=True))

    tokens = source.choice((13, 17, 19))  # no factor that another mistake has, such as 3 for q, k and v
    small = [*source.sample((3, 5, 7, 11), 2), tokens]
    odd = [source.randrange(start, 2 * start) | 1 for start in (1000, 1000, 10**11)]  # so is their product
    return [
        Case("a small layer", sizes(*small)),
        Case("one token", sizes(source.randrange(20, 40), source.randrange(50, 90), 1)),
        Case("up_proj of TinyLlama at 64 tokens", sizes(5632, 2048, 64)),
        Case("more MACs than a float can count", sizes(*odd)),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the count."""
    rows, columns, tokens = inputs.values()
    found = answer.value

    def shown(expected: str) -> Wrong:
        return Wrong(**inputs, your_answer=f"{found:,}", expected=expected)

    def shared() -> None:
        if found <= 0 or found % tokens:
            raise shown(f"every token costs the same, so {tokens} divides the answer")

    def right() -> None:
        if found != _right(inputs):
            raise shown(f"each weight of the [{rows}, {columns}] matrix multiplies once for each token")

    as_many = Part(f"{tokens} tokens cost {tokens} times as much as one", shared)
    return [
        Part("a whole number (an int)", lambda: is_whole(found)),
        *([as_many] if tokens > 1 else []),
        Part("each weight multiplies once for each token", right),
    ]


def _right(inputs: dict) -> int:
    layer = nn.Linear(inputs["in_features"], inputs["out_features"], bias=False, device="meta")
    return macs.linear_macs(layer, inputs["tokens"])


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a count shows."""
    rows, columns, tokens = inputs.values()
    found, right = answer.value, _right(inputs)
    if not isinstance(found, int | float):
        return
    experiment = "Try a layer of one output and one input, and one token: one multiplication."
    if found in (2 * right, 2 * right - rows * tokens):
        yield (
            "It looks as if FLOPs were counted: a multiplication and its addition are two FLOPs, and one "
            f"MAC, {ONCE}\n{experiment}"
        )
    if found * tokens == right:
        yield f"It looks as if the tokens were forgotten: each one passes the whole layer, {ONCE}"
    if found == right * tokens:
        yield (
            "It looks as if the tokens were counted twice. In a Linear layer tokens do not meet one another, "
            f"{ONCE}"
        )
    if found == right + rows * tokens:
        yield f"It looks as if a bias was counted, but adding multiplies nothing, {ONCE}\n{experiment}"
    if found == (rows + columns) * tokens:
        yield (
            "It looks as if the numbers that go in and out were counted. Every output needs every input, "
            f"{ONCE}"
        )
    if type(found) is int and found != right and abs(found - right) <= right * 2**-50:
        yield "It looks as if a float was used: above 2**53 it cannot hold every whole number. Use int alone."


EXERCISE = Exercise("linear_macs", "8.1", cases, parts, cause)
