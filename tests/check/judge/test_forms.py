"""A right value in a wrong form: the reason names the form, and no mistake is made up for it."""

import functools

import numpy as np
import pytest
import torch

from labsupport.check.ask import wire
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from tests.check.judge.test_answers import LENGTHY
from tests.check.judge.test_malformed import cases, honest
from tests.sample import few

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("tiny_course")]
ON_FORM = ("Axes of size 1 remain", "Perplexity is reported", "return floats")  # causes that are true


def mapped(value, change):
    """A value with all of its tensors and numbers changed."""
    if isinstance(value, dict):
        return {name: mapped(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mapped(item, change) for item in value)
    return value if value is None else change(value)


def tensor(value):
    return torch.tensor(value) if isinstance(value, int | float) else value


def one_element(value):
    return torch.tensor([value]) if isinstance(value, int | float) else value[None]


def numpy(value):
    return value.numpy() if isinstance(value, torch.Tensor) else np.float64(value)


def float64(value):
    return value.double() if isinstance(value, torch.Tensor) else np.float64(value)


def half(value):
    return value.half() if isinstance(value, torch.Tensor) and value.dtype is torch.bool else value


def int32(value):
    return value.int() if isinstance(value, torch.Tensor) else value


def listed(value):
    return value.tolist() if isinstance(value, torch.Tensor) else value


def same(value):
    return value


FORMS = {change.__name__: change for change in (tensor, one_element, numpy, float64, half, int32, listed)}
FORMS |= {"list": same, "in place": same, "elsewhere": same}


@functools.cache
def right_answers(name: str) -> list[dict]:
    return honest(name)


def sent(answer: dict, form: str) -> dict:
    """A right answer, its value in another form, as it travels."""
    value = mapped(answer["value"], FORMS[form])
    if form == "list" and isinstance(value, tuple):
        value = list(value)
    more = {"changed": ["x"]} if form == "in place" else {"device": "cuda"} if form == "elsewhere" else {}
    return wire.unpack(wire.pack({**answer, "value": value, **more}))


@pytest.mark.parametrize("name", few(EXERCISES, of=[name for name in EXERCISES if name not in LENGTHY]))
def test_no_false_cause(name):
    """A tensor for a number was not "rounded", and an argument changed in place not "normalised"."""
    for form in FORMS:
        queue = iter([sent(answer, form) for answer in right_answers(name)])
        verdict = judge(EXERCISES[name], cases(name), lambda _case, queue=queue: next(queue))
        assert not verdict.cause or verdict.cause.startswith(ON_FORM), (form, verdict.message())
