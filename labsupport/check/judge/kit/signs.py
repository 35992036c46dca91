"""How an error shows a mistake, and the errors that show the same one in every exercise."""

import re
from typing import NamedTuple

from labsupport.check.ask.answer import Failure

SIZES = r"The size of tensor a \(\d+\) must match the size of tensor b"
NO_MEMBER = r"'{}' object has no attribute"
WHOLE_NUMBER = (
    "It looks as if a float is where a whole number belongs: / gives a float, // divides whole numbers and "
    "keeps them whole."
)
POWER = (
    "It looks as if ^ was used for a power. In Python it works on single bits: a power is written with two "
    "stars, as in norm ** 2."
)
TURNED = (
    "It looks as if ~ met numbers that are no bools. It turns a bool mask round: make one by a comparison, "
    "such as score > threshold."
)
OF_TORCH = re.compile(
    r"\".*\" not implemented for '|Could not run '|The operator '|Module \["
)  # no stub's text


class Sign(NamedTuple):
    """A class of exceptions and a pattern of its text that only one mistake gives in these exercises."""

    exercises: tuple[str, ...]
    error: str
    text: str
    cause: str


ANYWHERE = (
    Sign((), "TypeError", r"(arg)?sort\(\) (takes from 1 to 0 positional|received an invalid .*stable)",
         "sort and argsort take dim by its name where stable is given: argsort(dim=1, stable=True)."),
    Sign((), "TypeError", r"(view|reshape|new_zeros|zeros|ones|empty)\(\)[^-]*- got \(.*float",
         WHOLE_NUMBER),
    Sign((), "TypeError", "slice indices must be integers|'float' object cannot be interpreted as an integer",
         WHOLE_NUMBER),
    Sign((), "RuntimeError", "Boolean value of Tensor with more than one value is ambiguous",
         "It looks as if a whole tensor was asked for true or false, as in `if mask:` or `one and other`. It "
         "holds many answers: `&` and `|` combine two masks, .any() and .all() make one answer of many."),
    Sign((), "Exception", r".*torch\.return_types|'(topk|sort|kthvalue|min|max|aminmax)' object",
         "It looks as if a pair was taken for a tensor. topk, sort, kthvalue, and min and max with dim, "
         "return two: .values are the numbers, .indices are their places."),
    Sign((), "IndexError", "tensors used as indices must be long",
         "It looks as if floats were used as places. .values of topk or sort are numbers, .indices are "
         "places; / gives floats, // keeps whole numbers whole."),
    Sign((), "NotImplementedError", r"\"bitwise_xor", POWER),
    Sign((), "TypeError", r"unsupported operand type\(s\) for \^", POWER),
    Sign((), "NotImplementedError", r"\"bitwise_not", TURNED),
    Sign((), "TypeError", r"~ \(operator.invert\)|bad operand type for unary ~", TURNED),
    Sign((), "RuntimeError", "(Subtraction|Negation), the `-` operator, (on a|with a) bool",
         "It looks as if a mask was turned round by 1 - mask or -mask. ~mask does that. Is it wanted? In "
         "this course True means keep."),
)  # fmt: skip


def is_stub(error: Failure) -> bool:
    """Whether a function is not written yet. torch raises the same error, as for ^ between floats."""
    return error.names[0] == "NotImplementedError" and not OF_TORCH.match(error.text)
