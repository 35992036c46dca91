"""0.1 sparsity: the share of a mask's entries that are False. The first function and the first check."""

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

KEEP = see("0.1", "True means keep")
EXPERIMENT = "Try sparsity(torch.tensor([True, True, True, False])): one of four is dropped, 0.25."


def cases(seed: int) -> list[Case]:
    """Masks that are small, whole, empty, of one row, and large; bool, True = keep."""
    source = draw.rng(seed, "sparsity")

    def mask(*shape: int) -> torch.Tensor:
        return draw.normal(source, *shape) > 0.3

    small = draw.until(lambda: mask(2, 5), tells_apart)  # bool [2, 5]
    return [
        Case("two rows of five weights", {"mask": small}),
        Case("a mask that keeps all", {"mask": torch.ones(3, 4, dtype=torch.bool)}),
        Case("a mask that drops all", {"mask": torch.zeros(4, 3, dtype=torch.bool)}),
        Case("a single row", {"mask": torch.arange(7) >= source.randrange(2, 6)}),
        Case("120,000 weights", {"mask": mask(300, 400)}),
    ]


def tells_apart(mask: torch.Tensor) -> bool:
    """Whether the right number and those of the named mistakes all differ for this mask, [rows, columns]."""
    mistakes = [(number, sentence) for sentence, number in guesses(mask).items()]
    return draw.apart([(share(mask), "right"), *mistakes], lambda a, b: round(a, 6) == round(b, 6))


def share(mask: torch.Tensor) -> float:
    """The share of False among the entries of a mask, bool of any shape: the histogram's first bin."""
    dropped, kept = torch.bincount(mask.flatten().long(), minlength=2).tolist()
    return dropped / (dropped + kept)


def guesses(mask: torch.Tensor) -> dict[str, float]:
    """The number that each typical mistake gives for a mask, bool [rows, columns]: sentence -> number."""
    zeros, ones = torch.bincount(mask.flatten().long(), minlength=2).tolist()
    first_row = mask[0].tolist()
    found = {
        "the share of the kept weights was taken, or True was read as drop": ones / (zeros + ones),
        "the dropped weights were counted, and not divided by anything": zeros,
        "the kept weights were counted, and not divided by anything": ones,
        "the answer is in percent; a share from 0 to 1 is asked for": 100 * zeros / (zeros + ones),
        "the dropped weights were divided by the number of rows, not of all weights": zeros / len(mask),
        "only the first row was looked at": first_row.count(False) / len(first_row),
    }
    return found | ({"the dropped weights were divided by the kept ones": zeros / ones} if ones else {})


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the share of a mask, bool of any shape."""
    mask, found = inputs["mask"], answer.value

    def single() -> None:
        if isinstance(found, torch.Tensor) and found.numel() > 1:
            raise Wrong(f"it is a tensor of {found.numel()}: one number for the whole mask is asked for")
        is_number(found)

    def within() -> None:
        if not 0 <= found <= 1:
            raise shown()

    def right() -> None:
        if abs(found - share(mask)) > 1e-6:
            raise shown()

    def shown() -> Wrong:
        asked = "the zeros of the mask, counted, over the number of all its entries"
        return Wrong(mask=mask, your_answer=found, expected=asked)

    return [
        Part("one Python number", single),
        Part("between 0 and 1", within),
        Part("the share of the dropped weights, the False ones", right),
    ]


def cause(inputs: dict, answer: Answer) -> str:
    """The mistake that a wrong number shows."""
    mask, found = inputs["mask"], answer.value
    if isinstance(found, bool) or abs(found - share(mask)) <= 1e-6:
        return ""
    if type(found) is int and found == 0:
        cut = "It looks as if // divided, or int() cut the quotient: both round down to a whole number."
        return f"{cut}\n{EXPERIMENT}"
    rows = mask if mask.dim() > 1 else mask[None]  # [rows, columns]
    mistakes = [mistake for mistake, number in guesses(rows).items() if is_close(found, number, 1e-5)]
    if mistakes:
        return f"It looks as if {mistakes[0]}: {KEEP}\n{EXPERIMENT}"
    if any(found == round(share(mask), digits) for digits in range(5)):
        return "It looks as if the answer was rounded. Round when you print, not when you compute."
    return ""


EXERCISE = Exercise("sparsity", "0.1", cases, parts, cause)
