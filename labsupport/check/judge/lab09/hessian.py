"""Judges hessian, exercise 9.1: which inputs of a layer move together."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

WHOLE = see("9.1", "The whole matrix")


def cases(seed: int) -> list[Case]:
    """Inputs x of one to three axes, in every floating type that a model may have."""
    source = draw.rng(seed, "hessian")
    plain = draw.distinct(source, 4, 3)  # [T, in]
    plain[:, source.randrange(3)] *= 10  # one loud channel
    large = torch.tensor([[source.randrange(300, 900) for _ in range(3)] for _ in range(4)]).half()  # [T, in]
    odd = torch.tensor([[source.randrange(101, 255, 2) for _ in range(3)] for _ in range(5)]).bfloat16()
    return [
        Case("four tokens of three inputs", {"x": plain}),
        Case("a batch [B, L, in_features]", {"x": draw.distinct(source, 2, 3, 4)}),
        Case("a single token [in_features]", {"x": draw.distinct(source, 5)}),
        Case("float16 numbers above 256, whose products overflow", {"x": large}),
        Case("bfloat16 numbers, whose products are rounded", {"x": odd}),
        Case("more inputs than tokens", {"x": draw.normal(source, 6, 20)}),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the matrix, float32 [in, in]."""
    x, found = inputs["x"], answer.value
    tokens, count = as_tokens(x), x.shape[-1]  # tokens: [T, in]

    def typed() -> None:
        if found.dtype is not torch.float32:
            raise WrongForm(f"x is {x.dtype}, yours is {found.dtype}")

    def diagonal() -> None:
        if not near(found.diagonal(), tokens.square().sum(dim=0), tokens):
            raise Wrong(x=x, your_diagonal=found.diagonal())

    def products() -> None:
        for i in range(count):
            right = (tokens[:, i, None] * tokens).sum(dim=0)  # [in]
            wrong = ~close(found[i], right, tokens)  # [in]
            if bool(wrong.any()):
                j = int(wrong.nonzero()[0])
                raise Wrong(x=x, your_matrix=found, **{f"entry {i}, {j}": f"yours {float(found[i, j]):.6g}"})

    return [
        Part("returns a tensor", lambda: is_tensor(found)),
        Part(f"shape (in_features, in_features) = ({count}, {count})",
             lambda: has_shape(found, (count, count))),
        Part("torch.float32, whatever x is", typed),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("on its diagonal stand the sums of squares of lab 03", diagonal),
        Part("entry i, j is the sum over all tokens of input i times input j", products),
    ]  # fmt: skip


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    """x [..., in] as float64 [T, in]."""
    return x.double().reshape(-1, x.shape[-1])


def close(found: torch.Tensor, right: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Bool [in]: where sums of products [in] agree; those of tokens [T, in] may cancel."""
    slack = 1e-6 * float(tokens.square().sum(dim=0).max())
    return torch.isclose(found.double(), right, rtol=1e-5, atol=slack)


def near(found: torch.Tensor, right: torch.Tensor, tokens: torch.Tensor) -> bool:
    """Whether sums of products of any shape agree throughout."""
    return found.shape == right.shape and bool(close(found, right, tokens).all())


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong matrix shows."""
    x, found = inputs["x"], answer.value
    if not isinstance(found, torch.Tensor):
        return
    if found.shape == (x.shape[-1],) * 2:
        yield from wrong_products(x, found)
    else:
        yield from wrong_axes(x, found)


def wrong_axes(x: torch.Tensor, found: torch.Tensor) -> Iterator[Named]:
    """Mistakes that leave another shape than [in, in]; x [..., in]."""
    tokens, count = as_tokens(x), x.shape[-1]  # tokens: [T, in]
    if found.shape == (len(tokens),) * 2:
        yield (
            f"It looks as if x stands on the wrong side: you have a number for each pair of tokens, {WHOLE}\n"
            "Try x.T @ x beside x @ x.T: which has in_features rows?"
        )
    elif found.shape == (count,):
        yield (
            "It looks as if this is the diagonal alone, the sums of squares of lab 03. The other entries say "
            f"which inputs move together, {WHOLE}"
        )
    elif found.shape == (*x.shape[:-2], count, count):
        yield (
            "It looks as if each window has a matrix of its own. It does not matter which window a token "
            f"came from: the matrices add up, {WHOLE}\nTry x.reshape(-1, x.shape[-1]).shape."
        )
    elif found.dim() == 0:
        yield f"One number for all pairs of inputs: no input may be summed away, {WHOLE}"


def wrong_products(x: torch.Tensor, found: torch.Tensor) -> Iterator[Named]:
    """Mistakes that leave wrong numbers or another type; x [..., in], found [in, in]."""
    tokens = as_tokens(x)  # [T, in]
    right, centred = tokens.T @ tokens, tokens - tokens.mean(dim=0)  # [in, in], [T, in]
    if x.dtype is not torch.float32 and not bool(found.isfinite().all()):
        yield (
            "It looks as if half-precision numbers were multiplied: float16 ends at 65504, and 256 squared "
            f"is 65536, {WHOLE}\nTry hessian(x.half()).isfinite().all()."
        )
    if found.dtype is x.dtype is not torch.float32:
        yield f"The matrix took the type of x; it needs float32, {WHOLE}\nTry hessian(x.half()).dtype."
    if near(found, right, tokens):
        return
    size = right.diagonal().sqrt()  # [in]
    guesses = {
        "the mean over the tokens was taken. Then a batch of few tokens counts as much as one of many; "
        "sums simply add up": (right / len(tokens), "mean"),
        "the 2 of the paper's formula was kept. Here H is the plain sum": (2 * right, "factor 2"),
        "the factor 2 / n of the published code was kept. Here H is the plain sum": (
            2 * right / len(tokens), "factor 2 / n"),
        "the mean was taken away first. A covariance forgets that an input is large throughout": (
            centred.T @ centred, "covariance"),
        "a covariance was computed. It takes away the mean and divides; H is the plain sum": (
            centred.T @ centred / max(len(tokens) - 1, 1), "covariance over n - 1"),
        "the damping was added already. It comes later": (
            right + 0.01 * right.diagonal().mean() * torch.eye(len(right), dtype=right.dtype), "damped"),
        "each input was divided by its norm. Correlations forget how loud it is": (
            right / (size[:, None] * size).clamp_min(1e-30), "correlation"),
        "all but the diagonal was set to zero": (right.diagonal().diag(), "diagonal only"),
        "norms were multiplied, not inputs: two loud inputs need not move together": (
            size[:, None] * size, "product of norms"),
    }  # fmt: skip
    for mistake, (matrix, name) in guesses.items():
        if near(found, matrix, tokens if name != "correlation" else tokens / size):
            yield Cause(f"It looks as if {mistake}, {WHOLE}", name)
    if bool(found.diagonal().allclose(right.diagonal().float())) and not bool(found.tril(-1).any()):
        yield f"It looks as if only half of the pairs were filled in: H is symmetric, {WHOLE}"
    if torch.allclose(found.double(), right, rtol=2e-2):
        text = f"It looks as if the products were rounded to {x.dtype} before they were added, {WHOLE}"
        yield Cause(text, "products rounded before they were added")


EXERCISE = Exercise("hessian", "9.1", cases, parts, cause)
