"""The exercises of lab 04, Wanda: a score from weights and activations, ranked inside output rows."""

import functools
from collections.abc import Callable, Iterator

import torch

from labsupport.check.ask import recipes
from labsupport.check.judge.kit import draw, pruned
from labsupport.check.judge.kit.compare import (
    drop_range,
    drops_lowest,
    has_shape,
    is_mask,
    is_tensor,
    on_same_device,
)
from labsupport.check.judge.kit.exercise import Case, Exercise, Part, Wrong
from labsupport.check.judge.lab02.all_2 import range_cases
from labsupport.given.input_norms import input_norms
from labsupport.linears import apply_masks, pruned_linears

SCORE = 'see section 4.1, "Loud inputs count".'
ROWS = 'see section 4.2, "Why rows?".'
ONE_SHOT = 'see section 4.3, "One shot".'
GROUPS = 'see section 4.4, "Two of every four".'
INVERTED = "It looks as if the mask is inverted: in this course True means keep."


def first(mistakes: Callable[[dict, dict], Iterator[str]]) -> Callable[[dict, dict], str]:
    """The name of the first mistake that an answer shows, or nothing: a cause, as Exercise wants it."""

    @functools.wraps(mistakes)
    def cause(inputs: dict, answer: Answer) -> str:
        return next(mistakes(inputs, answer), "")

    return cause


def mask_parts(score: torch.Tensor, answer: Answer) -> list[Part]:
    """What must hold of any mask before its entries are looked at."""
    mask, shape = answer.value, tuple(score.shape)
    return [
        Part("the mask is torch.bool", lambda: is_mask(mask)),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(mask, shape)),
        Part("on the device of the score", lambda: on_same_device(answer)),
    ]


# 4.1 wanda_score


def score_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "wanda_score")

    def loud(count: int) -> torch.Tensor:
        norm = torch.tensor(source.sample([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], count))
        norm[source.randrange(count)] = 20.0
        return norm

    square = draw.distinct(source, 3, 3)
    square[1, 1] = -square[1, 1].abs()  # one negative weight at least
    half = draw.distinct(source, 4, 5).half() / 8
    huge = torch.tensor(source.sample([90_000.0, 3.0, 0.5, 2.0, 7.0], 5))
    dead = loud(4)
    dead[source.randrange(4)] = 0.0
    return [
        Case("a small square matrix", {"weight": square, "input_norm": loud(3)}),
        Case("more inputs than outputs", {"weight": draw.distinct(source, 2, 5), "input_norm": loud(5)}),
        Case("an input that is always zero", {"weight": draw.distinct(source, 4, 4), "input_norm": dead}),
        Case("weights in half precision, a norm above its range", {"weight": half, "input_norm": huge}),
    ]


def score_parts(inputs: dict, answer: Answer) -> list[Part]:
    weight, norm, score = inputs["weight"].float(), inputs["input_norm"], answer.value
    shape = tuple(weight.shape)

    def typed() -> None:
        is_tensor(score)
        if not score.is_floating_point():
            raise Wrong(f"it is {score.dtype}")

    def finite() -> None:
        if not bool(score.isfinite().all()):
            raise Wrong("half precision ends at 65504", input_norm=norm, your_score=score)

    def positive() -> None:
        if bool((score < 0).any()):
            raise Wrong(weight=weight, your_score=score)

    def by_column() -> None:
        factors = score / weight.abs()  # [out, in]; each row should be input_norm
        if not _close(factors, norm.expand_as(weight)):
            raise Wrong(weight=weight, input_norm=norm, your_score=score, **{"your score / |W|": factors})

    return [
        Part("the score is a tensor of floating-point numbers", typed),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(score, shape)),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part("no score overflows", finite),
        Part("no score is negative", positive),
        Part("each magnitude is multiplied by the norm of its own input", by_column),
    ]


@first
def score_cause(inputs: dict, answer: Answer) -> Iterator[str]:
    weight, norm, score = inputs["weight"].float(), inputs["input_norm"], answer.value
    magnitude = weight.abs()
    factors = score / magnitude  # [out, in]

    def multiplied_by(value: torch.Tensor) -> bool:
        return _close(factors, value.expand_as(weight))

    if bool((score < 0).any()) and _close(factors.abs(), norm.expand_as(weight)):
        yield (
            f"It looks as if the sign of the weights was kept: -4 is as far from zero as 4, {SCORE}\n"
            "Try weight.abs()."
        )
    if len(weight) == len(norm) and multiplied_by(norm[:, None]):
        yield (
            "It looks as if each output row was multiplied by a norm. The norms belong to the inputs, "
            f"the columns of the weight, {SCORE}\nTry input_norm.shape beside weight.shape[1]."
        )
    if multiplied_by(torch.ones(())):
        yield f"It looks as if input_norm was not used: these are the magnitudes of lab 02, {SCORE}"
    if multiplied_by(norm**2):
        yield (
            "It looks as if the norm was squared. It is the root of a sum of squares, and the score takes it "
            f"as it is, {SCORE}\nTry score / weight.abs(): each row should be input_norm."
        )
    if multiplied_by(norm**0.5):
        yield (
            f"It looks as if a root was taken of the norm, which is a root already, {SCORE}\n"
            "Try score / weight.abs(): each row should be input_norm."
        )
    if _close(score - magnitude, norm.expand_as(weight)):
        yield f"It looks as if the norm was added. What counts is the size of weight times input, {SCORE}"
    if _close(factors, magnitude * norm) or _close(factors, magnitude * norm**2):
        yield f"It looks as if the weight, or the whole score, was squared, {SCORE}"
    scale = (factors / norm)[0, 0]
    if multiplied_by(norm * scale):
        yield (
            f"It looks as if input_norm was normalised: all scores are right up to one factor, {scale:.4g}. "
            f"The ranking is the same, but the score is defined without it, {SCORE}"
        )


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one.float(), other.float(), rtol=1e-5, atol=0)


# 4.2 row_mask


def row_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "row_mask")
    plain = draw.distinct(source, 3, 5).abs()
    quiet_row, loud_channel = source.randrange(3), source.randrange(5)
    plain[torch.arange(3) != quiet_row] += 20  # ranked inside columns, all of this row goes
    plain[:, loud_channel] += 50  # ranked over the whole matrix, all of it but this entry
    rounded = draw.distinct(source, 5, 9).abs()
    tied = draw.tied(source, 5, 6).abs()
    tied[source.randrange(5)] = torch.tensor([3.0, 2.0, 2.0, 2.0, 2.0, 1.0])  # a tie at every cut below
    return [
        Case("a small matrix", {"score": plain, "sparsity": 0.4}),
        Case(
            "round(sparsity * in_features) go in each row, where int() would give one less",
            {"score": rounded, "sparsity": draw.truncating_sparsity(source, 9)},
        ),
        Case("equal scores at the cut", {"score": tied, "sparsity": source.choice((1 / 3, 0.5, 2 / 3))}),
        Case("a larger matrix", {"score": draw.normal(source, 48, 64).abs(), "sparsity": 0.5}),
        Case("a sparsity so small that nothing goes", {"score": plain, "sparsity": 0.01}),
        *range_cases({"score": plain}),
    ]


def row_parts(inputs: dict, answer: Answer) -> list[Part]:
    score, mask, sparsity = inputs["score"], answer.value, inputs["sparsity"]
    rows, width = score.shape
    k = round(sparsity * width)
    ranges = [drop_range(row, k) for row in score]
    tied = any(most > k for _, most in ranges)
    each = f"each row keeps {width - k} of {width}" + ", or fewer where scores tie at the cut" * tied

    def shown() -> dict:
        show = {"score": score, "your_mask": mask}
        *most, last = mask.sum(dim=1).tolist()
        if rows <= 5:
            show["your_rows"] = f"keep {', '.join(map(str, most))} and {last}"
        return {**show, "expected": each}

    def counted() -> None:
        least, most = (sum(ends) for ends in zip(*ranges, strict=True))
        if not least <= int((~mask).sum()) <= most:
            raise Wrong(f"yours keeps {int(mask.sum())}", **shown())

    def even() -> None:
        dropped = (~mask).sum(dim=1).tolist()
        if not all(least <= count <= most for count, (least, most) in zip(dropped, ranges, strict=True)):
            raise Wrong(**shown())

    def lowest() -> None:
        if not drops_lowest(mask, score, k):
            raise Wrong(**shown())

    kept = rows * (width - k)
    return [
        *mask_parts(score, answer),
        Part(f"{kept} of {score.numel()} weights kept, as sparsity = {sparsity:.3g} asks", counted),
        Part("every output row keeps the same number of weights", even),
        Part("in each row those with the lowest scores are dropped", lowest),
    ]


@first
def row_cause(inputs: dict, answer: Answer) -> Iterator[str]:
    score, mask, sparsity = inputs["score"], answer.value, inputs["sparsity"]
    if mask.dtype is not torch.bool:
        return
    rows, width = score.shape
    k = round(sparsity * width)
    dropped = (~mask).sum(dim=1)
    experiment = f"Try mask.sum(dim=1): every number should be {width - k}."
    if drops_lowest(~mask, score, k):
        yield f"{INVERTED}\n{experiment}"
    if drops_lowest(mask, -score, k):
        yield f"It looks as if the highest scores were dropped: those weights matter most, {SCORE}"
    one_less = bool((dropped == k - 1).all()) and drops_lowest(mask, score, k - 1)
    if one_less and int(sparsity * width) == k - 1:
        yield f"It looks as if int() cut {sparsity} * {width} = {sparsity * width:.6g} down; round() it."
    if one_less:
        yield (
            "It looks as if the score at the threshold stayed: it is the k-th smallest of its row, so it "
            "goes too.\nLook at your comparison: > and >= differ by just this one."
        )
    if drops_lowest(mask.flatten(), score.flatten(), round(sparsity * score.numel())):
        yield (
            "It looks as if the scores were ranked over the whole matrix at once.\n"
            f"Wanda ranks inside each output row: {ROWS}\n{experiment}"
        )
    if drops_lowest(mask.T.contiguous(), score.T.contiguous(), round(sparsity * rows)):
        yield (
            "It looks as if the scores were ranked inside each column. A column holds the weights of one "
            f"input, a row those of one output: {ROWS}\n{experiment}"
        )
    if bool((dropped == k + 1).all()) and drops_lowest(mask, score, k + 1):
        yield (
            "It looks as if one too many goes in each row: a sorted list counts from 0, so its entry k is "
            "the (k+1)-th smallest.\nTry k = 1 on a row of three numbers."
        )


# 4.3 prune_wanda

SLACK = 1e-5  # of a score: norms added up in another order differ in their last bits


def prune_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "prune_wanda")
    tiny = source.randrange(10**6)
    texts = {"random": tiny + 2, "count": 6, "length": 48}
    return [
        Case("a tiny model", pruned.tiny_case(tiny, batches=texts, sparsity=source.choice((0.3, 0.4, 0.6)))),
        Case("sparsity 0 leaves the model as it is", pruned.tiny_case(tiny, batches=texts, sparsity=0.0)),
        Case(
            f"the course model, {recipes.course_model()['course']}",
            pruned.course_case(batches=recipes.course_windows("calibration"), sparsity=0.5),
            costly=True,
        ),
    ]


def prune_parts(inputs: dict, answer: Answer) -> list[Part]:
    sparsity = inputs["sparsity"]

    @functools.cache
    def norms() -> dict[str, torch.Tensor]:
        return input_norms(recipes.model(inputs["model"]), _batches(inputs))

    def right(name: str, weight: torch.Tensor, mask: torch.Tensor) -> bool:
        return _drops_rows(mask, (weight.detach().abs() * norms()[name]).cpu(), sparsity)

    rule = f"in each layer every row drops the {sparsity:.0%} with the lowest scores of the dense model"
    return pruned.parts(inputs, answer, rule, right)


def _batches(inputs: dict) -> list[torch.Tensor]:
    return list(recipes.windows(inputs["batches"])[:, None])  # as pruning.ask hands them out


def _drops_rows(mask: torch.Tensor, score: torch.Tensor, sparsity: float) -> bool:
    return drops_lowest(mask, score, round(sparsity * score.shape[1]), SLACK)


def _drops_matrix(mask: torch.Tensor, score: torch.Tensor, sparsity: float) -> bool:
    return drops_lowest(mask.flatten(), score.flatten(), round(sparsity * score.numel()), SLACK)


@first
def prune_cause(inputs: dict, answer: Answer) -> Iterator[str]:
    """Only for a tiny model: each mistake is made here in turn, on all that its layers saw."""
    if "tiny" not in inputs["model"]:
        return
    masks, sparsity, batches = answer.value, inputs["sparsity"], _batches(inputs)
    model = recipes.model(inputs["model"])
    magnitudes = {name: linear.weight.abs().cpu() for name, linear in pruned_linears(model).items()}
    seen = _seen_inputs(model, batches)

    def made_by(channel: Callable[[torch.Tensor], torch.Tensor], drops=_drops_rows, found=masks) -> bool:
        return all(drops(found[name], w * channel(seen[name]), sparsity) for name, w in magnitudes.items())

    if made_by(_norm, found={name: ~mask for name, mask in masks.items()}):
        yield INVERTED
    if made_by(_norm, _drops_matrix):
        yield (
            "It looks as if the scores were ranked over the whole matrix at once. Wanda ranks inside each "
            f"output row: {ROWS}\nTry mask.sum(dim=1) on one of your masks: its numbers should be equal."
        )
    if made_by(_ones):
        yield (
            "It looks as if the input norms had no say: each row dropped its smallest magnitudes. One factor "
            "for a whole row, such as the norm of its output, changes nothing inside that row either, "
            f"{SCORE}\nTry one score by hand: abs(weight[0, 0]) * norms[name][0]."
        )
    if made_by(_ones, _drops_matrix):
        yield (
            f"It looks as if the input norms had no say: these are the masks of prune_magnitude, {ONE_SHOT}"
        )
    if made_by(lambda x: x.abs().mean(dim=0)):
        yield (
            "It looks as if mean absolute inputs were taken for norms: a norm lets large inputs count for "
            f"more, {SCORE}\nTry labsupport.calibration.input_norms, which is given."
        )
    if made_by(lambda x: x.square().sum(dim=0)):
        yield (
            "It looks as if the square root is missing: sums of squares were taken for norms, or norms were "
            f"squared, {SCORE}"
        )
    for place, part in (("last", slice(-batches[-1].numel(), None)), ("first", slice(batches[0].numel()))):
        if made_by(lambda x, part=part: _norm(x[part])):
            yield (
                f"It looks as if only the {place} batch was counted: norms run over all tokens of all "
                f"batches, {ONE_SHOT}"
            )
    if _sequential(inputs, masks, batches):
        yield (
            "It looks as if the norms of later layers were taken after earlier layers were pruned. That is "
            "sequential calibration, a method in its own right. Here one shot is asked for: first all norms "
            f"of the dense model, then every layer, {ONE_SHOT}"
        )


def _norm(x: torch.Tensor) -> torch.Tensor:
    return x.norm(dim=0)


def _ones(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(x.shape[1])


@torch.no_grad()
def _seen_inputs(model, batches: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """All that every pruned Linear saw, kept whole: name -> [tokens, in_features]."""
    seen = {name: [] for name in pruned_linears(model)}
    for name, linear in pruned_linears(model).items():
        linear.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0][0]))
    for batch in batches:
        model(batch.to(model.device))
    return {name: torch.cat(tokens).cpu() for name, tokens in seen.items()}


def _sequential(inputs: dict, masks: dict[str, torch.Tensor], batches: list[torch.Tensor]) -> bool:
    """Whether each mask follows from a model whose earlier layers, or blocks, wear their masks already."""
    order = list(pruned_linears(recipes.model(inputs["model"])))

    def right(name: str, earlier: list[str]) -> bool:
        model = recipes.model(inputs["model"])
        apply_masks(model, {other: masks[other] for other in earlier})
        score = pruned_linears(model)[name].weight.abs() * input_norms(model, batches)[name]
        return _drops_rows(masks[name], score.cpu(), inputs["sparsity"])

    blocks = [name.split(".")[2] for name in order]
    return all(right(name, order[:place]) for place, name in enumerate(order)) or all(
        right(name, order[: blocks.index(block)]) for name, block in zip(order, blocks, strict=True)
    )


# 4.4 n_of_m_mask


def group_cases(seed: int) -> list[Case]:
    source = draw.rng(seed, "n_of_m_mask")
    plain = draw.distinct(source, 3, 6).abs()
    quiet_row, quiet_group = source.randrange(3), source.randrange(2)
    quiet = slice(3 * quiet_group, 3 * quiet_group + 3)
    plain[0, quiet] = plain[0, quiet].sort().values[[0, 2, 1]]  # whole rows drop its ends, strides the middle
    plain += 20.0 * (torch.arange(6) // 3 != quiet_group)  # both drop two of the three in this group
    plain[torch.arange(3) != quiet_row] += 40  # groups that run down the columns drop all of this row
    plain[:, 3 - 3 * quiet_group + source.randrange(3)] += 60  # the whole matrix all of it but this entry
    tied = draw.tied(source, 3, 8).abs()
    tied[source.randrange(3)] = torch.tensor([2.0, 1.0, 2.0, 2.0, 1.0, 3.0, 1.0, 1.0])  # ties at every cut
    uneven = draw.distinct(source, 4, 6).abs()
    large = draw.normal(source, 16, 32).abs()
    n, m = source.choice(((1, 4), (3, 4), (4, 8), (2, 8)))
    return [
        Case("2 of every 3 in a small matrix", {"score": plain, "n": 2, "m": 3}),
        Case("equal scores: the lower index stays", {"score": tied, "n": 2, "m": 4}),
        Case("equal scores everywhere", {"score": torch.ones(2, 8), "n": 1, "m": 4}),
        Case("2 of every 4 in a larger matrix", {"score": large, "n": 2, "m": 4}),
        Case(f"{n} of every {m} in a larger matrix", {"score": large, "n": n, "m": m}),
        Case("n = m keeps every weight", {"score": plain, "n": 3, "m": 3}),
        Case(
            "6 inputs in groups of 4 raise ValueError", {"score": uneven, "n": 2, "m": 4}, raises="ValueError"
        ),
    ]


def group_parts(inputs: dict, answer: Answer) -> list[Part]:
    score, n, m, mask = inputs["score"], inputs["n"], inputs["m"], answer.value
    groups = score.numel() // m

    def shown() -> dict:
        kept = mask.reshape(-1, m).sum(dim=1).reshape(len(score), -1)
        show = {"score": score, "your_mask": mask, "your_groups_keep": kept}
        return {**show, "expected": f"{n} of every {m} inputs"}

    def counted() -> None:
        if int(mask.sum()) != groups * n:
            raise Wrong(f"yours keeps {int(mask.sum())}", **shown())

    def even() -> None:
        if not bool((mask.reshape(-1, m).sum(dim=1) == n).all()):
            raise Wrong(**shown())

    def best() -> None:
        if not keeps_best(mask.reshape(-1, m), score.reshape(-1, m), n):
            raise Wrong(**shown())

    return [
        *mask_parts(score, answer),
        Part(f"{groups * n} of {score.numel()} weights kept, as {n} of every {m} asks", counted),
        Part(f"every {m} consecutive inputs of a row keep exactly {n}", even),
        Part("in each group those with the highest scores, at a tie those with the lower index", best),
    ]


def keeps_best(mask: torch.Tensor, score: torch.Tensor, n: int, lower_first: bool = True) -> bool:
    """Whether every row of a mask keeps n entries and no dropped entry is better than a kept one.

    Better is a higher score, or an equal one at a lower index (a higher one, if not `lower_first`).
    """
    place = torch.arange(score.shape[-1])
    nearer = place[:, None] < place if lower_first else place[:, None] > place
    one, other = score[:, :, None], score[:, None, :]  # [groups, m, m] when compared
    better = (one > other) | ((one == other) & nearer)
    wrong = ~mask[:, :, None] & mask[:, None, :] & better
    return bool((mask.sum(dim=-1) == n).all()) and not bool(wrong.any())


@first
def group_cause(inputs: dict, answer: Answer) -> Iterator[str]:
    score, n, m, mask = inputs["score"], inputs["n"], inputs["m"], answer.value
    if mask.dtype is not torch.bool:
        return
    rows, width = score.shape
    scores, masks = score.reshape(-1, m), mask.reshape(-1, m)  # [groups, m]
    kept = masks.sum(dim=1, keepdim=True)
    worst_kept = scores.masked_fill(~masks, torch.inf).amin(dim=1, keepdim=True)
    experiment = f"Try mask.view(-1, {m}).sum(dim=1): every number should be {n}."
    if keeps_best(~masks, scores, n):
        yield f"{INVERTED}\n{experiment}"
    if keeps_best(masks, scores, m - n):
        yield (
            f"It looks as if {n} of every {m} were dropped: n is the number that stays, {GROUPS}\n"
            f"{experiment}"
        )
    if keeps_best(masks, -scores, n) or keeps_best(masks, -scores, m - n):
        yield f"It looks as if the lowest scores were kept and the highest dropped, {GROUPS}"
    if keeps_best(masks, scores, n, lower_first=False):
        yield (
            "It looks as if the higher index stayed where scores are equal; here the lower one does, "
            f"{GROUPS}\nTry a group of equal scores. Which sorts of torch promise an order among equals?"
        )
    if bool((kept >= n).all()) and torch.equal(masks, scores >= worst_kept):
        yield (
            f"It looks as if all that tie with place {n} of their group stayed. The format has room for "
            f"exactly {n}, {GROUPS}\n{experiment}"
        )
    if rows % m == 0 and keeps_best(mask.T.reshape(-1, m), score.T.reshape(-1, m), n):
        yield (
            f"It looks as if the groups run down the columns, over outputs; they run along a row, {GROUPS}\n"
            f"{experiment}"
        )
    if keeps_best(_strided(mask, m), _strided(score, m), n):
        yield (
            f"It looks as if inputs 0, {width // m}, ... make a group. Its {m} inputs are neighbours: "
            f"0 to {m - 1}, then {m} to {2 * m - 1}, {GROUPS}\n{experiment}"
        )
    if drops_lowest(mask, score, width - width * n // m):
        yield (
            f"It looks as if each row was ranked at once, as in row_mask, without groups, {GROUPS}\n"
            f"{experiment}"
        )
    if drops_lowest(mask.flatten(), score.flatten(), score.numel() - score.numel() * n // m):
        yield f"It looks as if the whole matrix was ranked at once, without groups, {GROUPS}\n{experiment}"


def _strided(value: torch.Tensor, m: int) -> torch.Tensor:
    """Groups of inputs j, j + w, j + 2w ... with w = in_features / m: [groups, m]."""
    return value.reshape(len(value), m, -1).transpose(1, 2).reshape(-1, m)


EXERCISES = [
    Exercise("wanda_score", "4.1", score_cases, score_parts, score_cause),
    Exercise("row_mask", "4.2", row_cases, row_parts, row_cause),
    Exercise("prune_wanda", "4.3", prune_cases, prune_parts, prune_cause, pruned.ask),
    Exercise("n_of_m_mask", "4.4", group_cases, group_parts, group_cause),
]
