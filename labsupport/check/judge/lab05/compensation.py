"""5.7 compensation: the bias that stands in for channels that are cut, as in FLAP."""

import random
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, slices
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

STANDS_IN = see("5.7", "What a constant can replace")


def cases(seed: int) -> list[Case]:
    """Whole numbers [T, channels]; then inputs of one to four axes, any order of `keep`, half precision."""
    source = draw.rng(seed, "compensation")
    half, coarse = _random(source, 3, 8, 5, 200), _random(source, 4, 6, 3, 2, 40)
    loud = {**half, "x": half["x"] * 20 + 800}  # the sum of a channel is beyond float16
    shuffled = _random(source, 5, 9, 6, 2, 4)
    return [
        Case("four tokens, three of five channels kept", draw.until(lambda: _whole(source), _suits)),
        Case("a batch of windows, x: [B, L, channels]", _random(source, 5, 12, 7, 2, 6)),
        Case("inputs that are zero now and then", draw.until(lambda: _silent(source), _suits)),
        Case("x with three axes before the channels", _random(source, 3, 6, 2, 2, 3, 4)),
        Case("a single token, x: [channels]", _random(source, 4, 5, 3)),
        Case("`keep` in no order", {**shuffled, "keep": shuffled["keep"].flip(0)}),
        Case("all channels kept: nothing is missing", _random(source, 4, 6, 6, 2, 5)),
        Case("one channel kept", _random(source, 6, 5, 1, 8)),
        Case("float16, with sums beyond its largest number", _in_half(loud, torch.float16)),
        Case("bfloat16, which rounds to three digits", _in_half(coarse, torch.bfloat16)),
    ]


def _whole(source: random.Random) -> dict:
    """Numbers to redo by hand: down_weight [3, 5], x [4, 5] of multiples of 4, and three channels to keep."""
    return {
        "down_weight": draw.distinct(source, 3, 5),
        "x": 4 * draw.distinct(source, 4, 5),
        "keep": slices.keep(source, 5, 3),
    }


def _silent(source: random.Random) -> dict:
    """Whole numbers, with a zero in every channel of x [4, 5] at one token."""
    inputs = _whole(source)
    inputs["x"][[source.randrange(4) for _ in range(5)], range(5)] = 0.0
    return inputs


def _random(source: random.Random, hidden: int, channels: int, kept: int, *axes: int) -> dict:
    """down_weight [hidden, channels], x [*axes, channels] with a mean of its own, and `keep` [kept]."""
    return {
        "down_weight": draw.normal(source, hidden, channels),
        "x": draw.normal(source, *axes, channels) + draw.normal(source, channels),
        "keep": slices.keep(source, channels, kept),
    }


def _in_half(inputs: dict, dtype: torch.dtype) -> dict:
    """The same inputs with weight and x in half precision."""
    return {**inputs, **{name: inputs[name].to(dtype) for name in ("down_weight", "x")}}


def _suits(inputs: dict) -> bool:
    """Whether no two ways of going wrong agree on these inputs, and none is right."""
    found = [(_missing(inputs).mean(dim=0), "right"), *mistakes(inputs)]
    return draw.apart(found, lambda one, other: one.shape == other.shape and torch.allclose(one, other))


def _tokens(inputs: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """down_weight [hidden, channels] and x as [T, channels], both in float64."""
    weight, x = (inputs[name].double() for name in ("down_weight", "x"))
    return weight, x.reshape(-1, x.shape[-1])


def _missing(inputs: dict) -> torch.Tensor:
    """Float64 [T, hidden]: the output of the whole layer less that of the sliced one, token by token."""
    weight, x = _tokens(inputs)
    keep = inputs["keep"]
    return torch.einsum("tc,hc->th", x, weight) - torch.einsum("tc,hc->th", x[:, keep], weight[:, keep])


def _size(inputs: dict) -> torch.Tensor:
    """Float64 [hidden]: the mean of an output's terms without their signs, the measure of rounding errors."""
    weight, x = _tokens(inputs)
    return weight.abs() @ x.abs().mean(dim=0)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the bias, float32 [hidden]."""
    bias, hidden = answer.value, len(inputs["down_weight"])

    def typed() -> None:
        if bias.dtype is not torch.float32:
            raise WrongForm(f"x is {inputs['x'].dtype}, your bias is {bias.dtype}")

    def finite() -> None:
        if not bool(bias.isfinite().all()):
            raise Wrong("it holds inf or NaN", your_bias=bias)

    def on_average() -> None:
        off = (_missing(inputs) - bias.double()).mean(dim=0)  # [hidden]
        if bool((off.abs() > 1e-5 * _size(inputs) + 1e-7).any()):
            raise Wrong(**inputs, your_bias=bias, the_mean_error_that_is_left=off)

    return [
        Part("returns a tensor", lambda: is_tensor(bias)),
        Part(f"shape (hidden,) = ({hidden},)", lambda: has_shape(bias, (hidden,))),
        Part("the bias is torch.float32, whatever x is", typed),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("every entry is a finite number", finite),
        Part("with it the sliced layer is right on average: over all tokens its mean error is 0", on_average),
    ]


def mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    """The bias [hidden] that each mistake gives, and its name."""
    weight, x = _tokens(inputs)
    keep = inputs["keep"]
    channels = weight.shape[1]
    gone = torch.tensor([c for c in range(channels) if c not in keep.tolist()], dtype=torch.long)  # [dropped]
    missing, lost = _missing(inputs), x[:, gone]  # [T, hidden], [T, dropped]
    turned = -keep - 1
    tail = torch.arange(channels - len(gone), channels)
    found = [
        (torch.zeros(len(weight), dtype=torch.float64), "nothing was added"),
        (weight[:, keep] @ x[:, keep].mean(dim=0), "the kept channels were taken: `keep` names what stays"),
        (weight @ x.mean(dim=0), "all channels were taken. The kept ones are still there"),
        (-missing.mean(dim=0), "the sign is wrong: what was lost is put back"),
        (missing.sum(dim=0), "the sum over the tokens was taken, not the mean"),
        (missing[0], "one token alone was taken"),
        (missing[-1], "one token alone was taken"),
        (weight[:, gone] @ lost.abs().mean(dim=0),
         "absolute values were averaged. Negative inputs count as what they are"),
        (weight[:, gone] @ lost.square().mean(dim=0).sqrt(),
         "the size of the inputs was taken, a root of mean squares, not their mean"),
        (weight[:, gone] @ lost.var(dim=0, unbiased=False),
         "the fluctuation was taken. It is what no constant can replace; the mean is what one can"),
        (weight[:, gone].sum(dim=1) * lost.mean(), "one mean was taken for all channels: each has its own"),
        (weight[:, gone].mean(dim=1) * lost.mean() if len(gone) else missing[0] * 0,
         "one mean was taken for all channels: each has its own"),
        (missing.mean(dim=0) / max(1, len(gone)), "it was also divided by the number of dropped channels"),
        (missing.mean(dim=0) * len(gone) / channels, "the mean was taken over the channels, too"),
        (weight[:, turned] @ x[:, turned].mean(dim=0),
         "~keep was used. On a mask ~ means not; on indices it counts from the end, ~0 is -1\n"
         "Try ~keep"),
        (weight[:, tail] @ x[:, tail].mean(dim=0),
         "the last channels were taken for the dropped ones. `keep` may name any"),
        (weight[:, gone].abs() @ lost.mean(dim=0), "the weights lost their signs"),
    ]  # fmt: skip
    if bool((lost == 0).any()):
        loud = (lost.sum(dim=0) / (lost != 0).sum(dim=0)).nan_to_num()  # [dropped]
        found.append((weight[:, gone] @ loud, "zeros were left out of the mean. They count as well"))
    return found


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong bias shows."""
    bias, hidden = answer.value, len(inputs["down_weight"])
    if not isinstance(bias, torch.Tensor):
        return
    if bias.shape != (hidden,):
        yield from _axes(inputs, bias)
        return
    if not bool(bias.isfinite().all()):
        yield (
            "It looks as if half-precision numbers were added up: float16 ends at 65504.\n"
            "Try x.float() before anything else."
        )
    for wrong, said in mistakes(inputs):
        if torch.allclose(bias.double(), wrong, rtol=1e-4, atol=1e-6):
            text, _, trial = said.partition("\n")
            yield looks(f"{text}, {STANDS_IN}" + (f"\n{trial}." if trial else ""))
    off = bias.double() - _missing(inputs).mean(dim=0)  # [hidden]
    if inputs["x"].dtype is not torch.float32 and bool((off.abs() <= 1e-2 * _size(inputs)).all()):
        yield (
            "It looks as if the bias was computed in half precision and rounded on the way.\n"
            "Try x.float() and down_weight.float() before anything else."
        )


def _axes(inputs: dict, bias: torch.Tensor) -> Iterator[Named]:
    """Mistakes that leave another shape than [hidden]."""
    hidden, x = len(inputs["down_weight"]), inputs["x"]
    if bias.shape == (*x.shape[:-1], hidden):
        yield f"It looks as if no mean was taken: you have one bias for each token, {STANDS_IN}"
    elif bias.numel() == hidden:
        yield "Axes of size 1 remain (keepdim?): the bias has one axis."
    elif bias.shape[-1:] == (hidden,):
        yield "It looks as if the mean ran over one axis. All axes of x but the last are tokens."
    elif bias.dim() == 0:
        yield f"One number for all outputs: each has its own bias, {STANDS_IN}"


EXERCISE = Exercise("compensation", "5.7", cases, parts, cause)
