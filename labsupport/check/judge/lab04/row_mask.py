"""Judges row_mask, exercise 4.2: every output row drops its lowest scores."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, drop_range, drops_lowest
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.check.judge.kit.magnitudes import RANKS, SHARE, STAYING, at_an_end, none_to_drop
from labsupport.check.judge.kit.ranges import range_cases
from labsupport.check.judge.kit.score_masks import INVERTED, comparable, mask_parts

SCORE = see("4.1", "Loud inputs count")
ROWS = see("4.2", "Why rows?")


def cases(seed: int) -> list[Case]:
    """Scores [out, in] whose rows, columns and whole matrix rank to different masks."""
    source = draw.rng(seed, "row_mask")
    plain = draw.distinct(source, 3, 8).abs()  # [out, in]
    quiet_row, loud_channel = source.randrange(3), source.randrange(8)
    plain[torch.arange(3) != quiet_row] += 30  # ranked inside columns, all of this row goes
    plain[:, loud_channel] += 60  # ranked over the whole matrix, all of it but this entry
    plain[quiet_row, plain[quiet_row].argmin()] = 0  # as an input that is always zero gives
    # where int() gives one less, torch.quantile does not
    cut = draw.until(lambda: draw.truncating_sparsity(source, 9), lambda s: s * 9 % 1 > s)
    rounded = draw.distinct(source, 5, 9).abs()  # [out, in]
    tied = draw.tied(source, 5, 6).abs()  # [out, in]
    tied[source.randrange(5)] = torch.tensor([3.0, 2.0, 2.0, 2.0, 2.0, 1.0])  # a tie at every cut below
    return [
        Case("a small matrix", {"score": plain, "sparsity": 0.375}),
        Case(
            "round(sparsity * in_features) go in each row, where int() would give one less",
            {"score": rounded, "sparsity": cut},
        ),
        Case("equal scores at the cut", {"score": tied, "sparsity": source.choice((1 / 3, 0.5, 2 / 3))}),
        Case("a larger matrix", {"score": draw.normal(source, 48, 67).abs(), "sparsity": 0.5}),  # 34 of 67 go
        Case("a sparsity so small that nothing goes", {"score": plain, "sparsity": 0.01}),
        *range_cases({"score": plain}),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the mask, bool [out, in]."""
    score, mask, sparsity = inputs["score"], answer.value, inputs["sparsity"]
    rows, width = score.shape
    k = round(sparsity * width)
    ranges = [drop_range(row, k) for row in score]
    tied = any(most > k for _, most in ranges)
    rule = f"each row keeps {width - k} of {width}" + ", or fewer where scores tie at the cut" * tied

    def shown() -> dict:
        show = {"score": score, "your_mask": mask}
        *most, last = mask.sum(dim=1).tolist()
        if rows <= 5:
            show["your_rows"] = f"keep {', '.join(map(str, most))} and {last}"
        return {**show, "expected": rule}

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


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong mask shows."""
    score, mask, sparsity = inputs["score"], answer.value, inputs["sparsity"]
    if not comparable(mask, score):
        return
    rows, width = score.shape
    k = round(sparsity * width)
    dropped = (~mask).sum(dim=1)  # [out]
    experiment = f"Try mask.sum(dim=1): every number should be {width - k}."
    if not 0 < k < width and len(set(dropped.tolist())) == 1:
        yield from at_an_end(int(dropped[0]), k, width)
    elif drops_lowest(~mask, score, k):
        yield Cause(f"{INVERTED}\n{experiment}", "inverted mask")
    if drops_lowest(mask, -score, k):
        yield f"It looks as if the highest scores were dropped: those weights matter most, {SCORE}"
    one_less = bool((dropped == k - 1).all()) and drops_lowest(mask, score, k - 1)
    if one_less and k == width:
        yield "One weight of each row stays at sparsity 1. There k is in_features, so the highest goes too."
    if one_less and width - round((1 - sparsity) * width) == k - 1:
        yield Cause(STAYING.format(sparsity, width, k), "what stays was rounded")
    if one_less and int(sparsity * width) == k - 1:
        product = f"{sparsity} * {width} = {sparsity * width:.6g}"
        cut = f"It looks as if int() cut {product} down, or ceil() lifted what stays; round() what goes."
        yield Cause(cut, "int instead of round")
    if one_less:
        yield (
            "It looks as if the score at the threshold stayed: it is the k-th smallest of its row, so it "
            "goes too.\nLook at your comparison: > and >= differ by just this one."
        )
    if drops_lowest(mask.flatten(), score.flatten(), round(sparsity * score.numel())):
        text = (
            "It looks as if the scores were ranked over the whole matrix at once.\n"
            f"Wanda ranks inside each output row: {ROWS}\n{experiment}"
        )
        yield Cause(text, "ranked over the whole matrix")
    if drops_lowest(mask.T.contiguous(), score.T.contiguous(), round(sparsity * rows)):
        text = (
            "It looks as if the scores were ranked inside each column. A column holds the weights of one "
            f"input, a row those of one output: {ROWS}\n{experiment}"
        )
        yield Cause(text, "ranked inside columns")
    if k == 0 and bool((dropped == 1).all()) and drops_lowest(mask, score, 1):
        yield none_to_drop("score of a row", sparsity * width)
    if bool((dropped == k + 1).all()) and drops_lowest(mask, score, k + 1):
        yield (
            "It looks as if one too many goes in each row: a sorted list counts from 0, so its entry k is "
            "the (k+1)-th smallest.\nTry k = 1 on a row of three numbers."
        )
    yield from _other_rules(score, mask, sparsity, k)


def _other_rules(score: torch.Tensor, mask: torch.Tensor, sparsity: float, k: int) -> Iterator[Named]:
    """Mistakes that are no miscount by one. score, mask: [out, in]."""
    rows, width = score.shape
    counts = {int(count) for count in (~mask).sum(dim=1)}
    order = score.argsort(dim=1)  # [out, in]
    lowest = torch.zeros_like(mask).scatter_(1, order[:, :k], True)  # [out, in]
    if torch.equal(mask, order >= k):
        yield RANKS
    done = torch.tensor([bool(row.all()) for row in mask])  # [out], all of these stay
    if bool(done.any()) and not bool(done.all()) and k > 0 and drops_lowest(mask[~done], score[~done], k):
        out = some_of(int(done.sum()), rows, "rows was", "rows were")
        yield (
            f"It looks as if {out} left out. Does a loop end before the last row, or does its return stand "
            "inside?"
        )
    if k > 0 and torch.equal(mask, ~lowest.any(dim=0).expand_as(mask)):
        yield (
            "It looks as if each row's places went into mask[:, places]: that drops these columns in all "
            "rows. mask.scatter_(1, places, False) takes each row's own."
        )
    if counts == {width - k} and drops_lowest(mask, score, width - k):
        yield SHARE
    if counts == {round(sparsity * rows)} and drops_lowest(mask, score, round(sparsity * rows)):
        text = f"It looks as if k came from the {rows} rows. A row has {width} entries, score.shape[1]."
        yield Cause(text, "k from the number of rows")
    if torch.equal(mask, (score > 0) & ~lowest):
        yield "It looks as if a score of 0 drops its weight at any sparsity. Only the k lowest go."


EXERCISE = Exercise("row_mask", "4.2", cases, parts, cause)
