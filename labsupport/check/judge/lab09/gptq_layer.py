"""Judges gptq_layer, exercise 9.5: one layer, rounded column by column, its open columns moved."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, grids
from labsupport.check.judge.kit.causes import Named, looks
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.correlated import layer, quiet
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.open_columns import damped, error, inverses
from labsupport.check.judge.kit.rounded_causes import GRID, mistakes, right
from labsupport.check.judge.kit.rounded_columns import Walk, nearest, walked

ROUNDING = 1e-2  # of a step: float32 against float64, on matrices whose inverses have large entries
DIGITS = 1e-5  # of the largest weight


def cases(seed: int) -> list[Case]:
    """Layers of correlated inputs: groups and blocks of all sizes, few tokens, dead inputs."""
    source = draw.rng(seed, "gptq_layer")

    def case(title: str, of: dict, bits: int, group: int, block: int) -> Case:
        more = {"bits": bits, "group": group, "block": block, "damp": of.get("damp", 0.01)}
        return Case(title, {"weight": of["weight"], "hessian": of["hessian"], **more})

    def small() -> Case:
        title = "2 bits, three rows of twelve inputs in groups of four"
        return case(title, {**quiet(layer(source, 3, 12, 30, draw.distinct)), "damp": 0.02}, 2, 4, 8)

    shown = draw.until(small, suits)
    large, ragged, alone = layer(source, 32, 64, 200), layer(source, 6, 11, 40), layer(source, 8, 16, 60)
    few, dead, equal = layer(source, 12, 24, 10), layer(source, 8, 16, 40), layer(source, 6, 12, 40)
    alone["hessian"] = alone["hessian"].diagonal().diag()
    dead["hessian"][4:8] = dead["hessian"][:, 4:8] = 0.0
    equal["weight"][0, :4], equal["weight"][1, :4] = source.choice((0.3, -0.7)), 0.0
    return [
        shown,
        case("the same in one block", shown.inputs, 2, 4, 128),
        case("the last block and the last group are narrower", ragged, 3, 4, 8),
        case("groups of one: there is nothing to round", ragged, 2, 1, 4),
        case("a group of equal weights, and one of zeros", equal, 3, 4, 12),
        case("inputs that never move together: each weight goes to the nearest value", alone, 3, 8, 8),
        case("fewer tokens than inputs: H is singular", few, 3, 8, 16),
        case("a group of inputs that are always zero", dead, 4, 4, 16),
        case("64 inputs in groups of 16", large, 2, 16, 32),
    ]


def suits(case: Case) -> bool:
    """Whether each mistake comes to another weight, and moving the others helps."""
    walk = right(case.inputs)
    beyond = (walk.stood - walk.rounded).abs() / (walk.high - walk.low) > 0.6 / (2 ** case.inputs["bits"] - 1)
    if not bool(beyond.any()) or not helps(case.inputs):  # the cheap tests first
        return False
    return draw.apart([(walk.rounded, "right"), *mistakes(case.inputs)], grids.close)


def helps(inputs: dict) -> bool:
    """Whether a right answer's output error is clearly below that of rounding to nearest."""
    weight, hessian = inputs["weight"], inputs["hessian"]
    plain = grids.rounded(weight, inputs["bits"], inputs["group"])  # [out, in]
    return error(weight, right(inputs).rounded, hessian) < 0.8 * error(weight, plain, hessian)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the rounded weight [out, in]."""
    weight, hessian, bits, group = (inputs[name] for name in ("weight", "hessian", "bits", "group"))
    found, width = answer.value, weight.shape[1]
    live = hessian.diagonal() > 0  # [in]

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not weight.dtype:
            raise WrongForm(f"it is {found.dtype}")

    def finite() -> None:
        if not bool(found.isfinite().all()):
            raise Wrong("it holds inf or NaN")

    def few() -> None:
        for start in range(0, width, group):
            part = found[:, start : start + group].double().sort(dim=1).values  # [out, group]
            same = ROUNDING * (part[:, -1:] - part[:, :1]) / 2**bits + DIGITS * weight.abs().max()  # [out, 1]
            counts = 1 + (part.diff(dim=1) > same).sum(dim=1)  # [out]
            if int(counts.max()) > 2**bits:
                where = f"inputs {start} to {min(start + group, width) - 1} of row {int(counts.argmax())}"
                raise Wrong(f"{where} have {int(counts.max())}", weight=weight, your_answer=found)

    def less() -> None:
        plain = error(weight, grids.rounded(weight, bits, group), hessian)
        if helps(inputs) and not error(weight, found, hessian) < plain:
            raise Wrong(f"yours is {error(weight, found, hessian):.6g}, that of rounding alone {plain:.6g}")

    def walk() -> Walk:
        """The student's own walk: each column becomes what it is in the answer."""
        rows, values = inverses(damped(hessian, inputs["damp"])), found.double()
        return walked(weight, rows, group, lambda j, *_: values[:, j])

    def far(off: torch.Tensor, walk: Walk) -> None:
        """Raise Wrong with the group of the first column in which a weight is off."""
        slack = ROUNDING * (walk.high - walk.low) / (2**bits - 1) + DIGITS * weight.abs().max()  # [out, in]
        wrong = (off > slack) & live  # [out, in]
        if bool(wrong.any()):
            j = int(wrong.any(dim=0).nonzero()[0])
            row, start = int(wrong[:, j].nonzero()[0]), j - j % group
            here = (row, slice(start, start + group))
            raise Wrong(
                f"not so at input {j} of row {row}",
                the_weights_when_reached=walk.stood[here].float(),
                the_grid_goes_from=[round(float(end[row, j]), 4) for end in (walk.low, walk.high)],
                your_answer_there=found[here],
            )

    def on_grid() -> None:
        own = walk()
        far((found.double() - nearest(found.double(), own.low, own.high, bits)).abs(), own)

    def closest() -> None:
        own = walk()
        least = (own.stood - nearest(own.stood, own.low, own.high, bits)).abs()  # [out, in]
        far((found.double() - own.stood).abs() - least, own)

    ends = "from the smallest to the largest weight of the group when it begins"
    return [
        Part(f"the answer is a {weight.dtype} tensor", typed),
        Part(
            f"shape (out_features, in_features) = {tuple(weight.shape)}",
            lambda: has_shape(found, weight.shape),
        ),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part("every weight is a finite number", finite),
        Part(f"each row of a group of {group} inputs has at most {2**bits} different values", few),
        Part("the others moved: the output error is below that of rounding to nearest alone", less),
        Part(f"each weight lies on its grid, {ends}", on_grid),
        Part("each is the value nearest to where obs_drop's moves have put it", closest),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a weight shows."""
    found = answer.value
    if not isinstance(found, torch.Tensor) or found.shape != inputs["weight"].shape:
        return
    walk = right(inputs)
    if bool(found[walk.low == walk.high].isnan().any()):
        yield looks(f"a scale of 0 divided: all weights of a group may be equal, {GRID}")
    for weight, said in mistakes(inputs):
        if found.is_floating_point() and grids.close(found, weight, relative=1e-3):
            yield looks(said)


EXERCISE = Exercise("gptq_layer", "9.5", cases, parts, cause)
