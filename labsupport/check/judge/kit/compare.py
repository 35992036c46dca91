"""Comparisons of masks and numbers: pure functions that raise Wrong with a sentence and numbers."""

import math
from collections.abc import Collection
from pathlib import Path

import torch

from labsupport import settings
from labsupport.check.ask.answer import Answer
from labsupport.check.ask.wire import Opaque
from labsupport.check.judge.kit.lines import some_of
from labsupport.selection import kth_smallest

NAMED = 3  # keys of a dict that a message shows
PHRASES = ("your_", "its_", "their_", "the_", "these_", "wanted_")  # how labels begin that are no names
ROUNDED = 1e-2  # relative: what the order of sums does to a number of a model in half precision
NUMPY = ("float64", "float32", "float16", "int64", "int32")  # numpy's scalars


class Wrong(Exception):
    """A failed part, with the numbers that show the failure.

    show: the numbers by label. `your_mask` is a phrase and is shown as "your mask"; `input_norm` is a name of
    the lab and is shown as it is. alike: equal ones are told once; by default the reason, without the titles.
    """

    alike = ""

    def __init__(self, reason: str = "", /, **show):
        super().__init__(reason)
        self.reason = reason
        self.show = {_label(name): value for name, value in show.items()}

    @property
    def place(self) -> str:
        """The line of the judges that raised it, as an identifier of the mistake."""
        trace = self.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def _label(name: str) -> str:
    return name.replace("_", " ") if name.startswith(PHRASES) else name


class WrongForm(Wrong):
    """A failed part on the type or device of an answer, which says nothing on its value."""


class Noted(Wrong):
    """A side effect that only the student's process saw (changed arguments, hooks, modes, devices).

    A changed client can claim anything about these, so no point depends on them.
    """


class NotedForm(Noted, WrongForm):
    """One that says nothing on the value: an argument changed in place, or another device."""


def type_name(value) -> str:
    """The name of a value's type, also for an Opaque, which is a type name only."""
    return value.type_name if isinstance(value, Opaque) else type(value).__name__


def a_type(value) -> str:
    """The type of a value with its article: "a list", "an int"; None as it is."""
    name = type_name(value)
    if value is None or (isinstance(value, Opaque) and " " in name):  # a phrase, such as "a huge int"
        return "None" if value is None else name
    return f"an {name}" if name[0].lower() in "aeio" else f"a {name}"


def kind(value, said: str = "it is", article: str = "") -> str:
    """A description of a value of a wrong type: "it is a list", "it is None: is a return missing?"."""
    if value is None:
        return f"{said} None: is a return missing?"
    name = type_name(value)
    return f"{said} {article}{name}" if article and " " not in name else f"{said} {a_type(value)}"


def has_keys(value, wanted: Collection[str], said: str = "it is") -> None:
    """Raise Wrong unless the value is a dict with the wanted keys; shows those that differ first."""
    if not isinstance(value, dict):
        raise Wrong(kind(value, said))
    missing = [name for name in wanted if name not in value]
    extra = [name for name in value if name not in wanted]
    if missing:
        lost = some_of(len(missing), len(wanted), "is", "are")
        reason = f"{lost} missing, the first is {missing[0]}"
    elif extra:
        reason = f"{extra[0][:100]} is not one of them"
    else:
        return
    both = [name for name in wanted if name in value]
    raise Wrong(reason, your_keys=_some(extra + both), wanted_keys=_some(missing + both))


def _some(names: list[str]) -> str:
    """The first names of a list, and their number where there are more."""
    shown = ", ".join(name[:60] for name in names[:NAMED]) or "none"
    return shown if len(names) <= NAMED else f"{shown}, ... ({len(names)} in all)"


def is_tensor(value, what: str = "the answer") -> None:
    """Raise Wrong unless the value is a torch.Tensor."""
    if not isinstance(value, torch.Tensor):
        raise WrongForm(kind(value, f"{what} is", "of type "))


def is_mask(value, where: str = "") -> None:
    """Raise Wrong unless the value is a bool tensor."""
    is_tensor(value, f"the mask{where}")
    if value.dtype is not torch.bool:
        nan = " with NaN inside" if value.is_floating_point() and bool(value.isnan().any()) else ""
        raise WrongForm(f"it is {value.dtype}{nan}; a comparison such as score > threshold gives torch.bool")


def has_shape(value: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Raise Wrong unless the tensor has this shape."""
    if tuple(value.shape) != tuple(shape):
        raise Wrong(f"yours is {tuple(value.shape)}")


def on_same_device(answer: Answer) -> None:
    """Raise Noted unless the answer's tensor is on the device of its inputs, the CPU."""
    if answer.device != "cpu":
        raise NotedForm(f"the inputs are on cpu, your answer is on {answer.device}")


def is_number(value) -> None:
    """Raise Wrong unless the value is a finite Python number."""
    if isinstance(value, torch.Tensor):
        raise WrongForm("it is a tensor; .item() makes it a Python number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        numpy = type_name(value).removeprefix("numpy.") in NUMPY
        raise WrongForm(kind(value) + ("; float() or int() makes it a Python number" if numpy else ""))
    if not math.isfinite(value):
        raise Wrong(f"it is {value}")


def is_whole(value, what: str = "it") -> None:
    """Raise Wrong unless the value is an int, for exact counts."""
    if type(value) is int:
        return
    if isinstance(value, torch.Tensor):
        raise WrongForm(f"{what} is a tensor; .item() makes it a Python number")
    if isinstance(value, float):
        raise WrongForm(f"{what} is a float, {value:.6g}; // divides whole numbers and keeps them whole")
    numpy = type_name(value).removeprefix("numpy.") in NUMPY
    raise WrongForm(
        kind(value, f"{what} is", "of type ") + ("; int() makes it a Python number" if numpy else "")
    )


def is_close(value: float, expected: float, relative: float = 1e-4) -> bool:
    """Whether a number is within a relative tolerance of the expected one."""
    return math.isclose(value, expected, rel_tol=relative, abs_tol=relative * 1e-3)


def exact(inputs: dict) -> bool:
    """Whether a case's model is in float32; the course model may be in bfloat16, and rounding shows."""
    return "course" not in inputs["model"] or settings.current().dtype is torch.float32


def rounding(inputs: dict, relative: float) -> float:
    """The relative tolerance of a number that a case's model gives: this one, or that of bfloat16."""
    return relative if exact(inputs) else max(relative, ROUNDED)


def drops_lowest(mask: torch.Tensor, scores: torch.Tensor, k: int, slack: float = 0.0) -> bool:
    """Whether a mask drops the k lowest scores along the last axis, tie-aware.

    With t the k-th smallest score: all below t are dropped, none above t is, and at least k are. Scores
    within a relative `slack` of t may be kept or dropped. mask, scores: [..., n].
    """
    dropped = ~mask
    if k == 0:
        return not bool(dropped.any())
    threshold = kth_smallest(scores, k)
    margin = threshold.abs() * slack
    must_go = scores < threshold - margin
    may_go = scores <= threshold + margin
    enough = bool((dropped.sum(dim=-1) >= k).all())
    return enough and bool((dropped | ~must_go).all()) and bool((may_go | ~dropped).all())


def drop_range(scores: torch.Tensor, k: int) -> tuple[int, int]:
    """The least and largest number of entries that a right mask drops in a row: k, more with ties."""
    return (k, int((scores <= kth_smallest(scores, k)).sum())) if k else (0, 0)
