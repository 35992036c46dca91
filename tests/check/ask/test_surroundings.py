"""What a notebook changes for its whole process changes neither a check's inputs nor its verdict."""

import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from grader.grade.try_function import attempt
from labsupport import check
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import CheckFailed
from tests.check.judge.test_answers import answers
from tests.check.judge.test_malformed import equal


@contextmanager
def switched(switch, value, back):
    switch(value)
    try:
        yield
    finally:
        switch(back)


@contextmanager
def newer_switch():
    """After it torch's older switch cannot be read any more."""
    torch.backends.cuda.matmul.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def patched(space, name, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, name, value, raising=False)
        yield


@contextmanager
def seeded():
    torch.manual_seed(4)
    yield


class Silent(nn.Linear):
    def forward(self, input):
        return super().forward(input) * 0


CHANGES = {
    "float64 by default": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16 by default": lambda: switched(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "meta by default": lambda: switched(torch.set_default_device, "meta", None),
    "in a block on meta": lambda: torch.device("meta"),
    "no gradients": lambda: switched(torch.set_grad_enabled, False, True),
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "a seed": seeded,
    "one thread": lambda: switched(torch.set_num_threads, 1, torch.get_num_threads()),
    "deterministic": lambda: switched(torch.use_deterministic_algorithms, True, False),
    "TF32": lambda: switched(torch.set_float32_matmul_precision, "high", "highest"),
    "TF32 by the newer switch": newer_switch,
    "autocast of a GPU": lambda: switched(lambda on: torch.set_autocast_enabled("cuda", on), True, False),
    "warnings as errors": warnings_are_errors,
    "torch.equal": lambda: patched(torch, "equal", lambda *_: True),
    "torch.randn": lambda: patched(torch, "randn", lambda *shape, **_: torch.ones(shape)),
    "Tensor.abs": lambda: patched(torch.Tensor, "abs", lambda tensor: tensor),
    "Linear.forward": lambda: patched(nn.Linear, "forward", Silent.forward),
    "nn.Linear": lambda: patched(nn, "Linear", Silent),
}


def functions(name: str) -> list:
    """A right answer and a wrong one."""
    found = [param.values for param in answers() if param.values[0] == name]
    right = next(function for _, which, function in found if which.startswith("right_"))
    return [right, next(function for _, which, function in found if not which.startswith("right_"))]


def said(name: str, function) -> str:
    """What the check of an exercise says at home."""
    try:
        getattr(check, name)(function)
    except CheckFailed as failed:
        return str(failed)
    return ""


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["sparsity", "window_nll", "magnitude_mask"])
def test_the_check_says_the_same(name):
    """Public and hidden cases are then answered alike, and a wrong function is told the same mistake."""
    for function in functions(name):
        as_usual = said(name, function)
        for change, make in CHANGES.items():
            with make():
                found = said(name, function)
            assert found == as_usual, (change, found)


@pytest.mark.lengthy
@pytest.mark.usefixtures("tiny_course")
@pytest.mark.parametrize("name", ["prune_magnitude", "input_norms"])
def test_the_answer_is_the_same(name):
    """Bit for bit, what the sandbox would send to the examiner."""
    function, _ = functions(name)
    inputs = EXERCISES[name].cases(3)[0].inputs
    as_usual = answer_here(name, function, inputs)
    for change, make in CHANGES.items():
        with make():
            found = answer_here(name, function, inputs)
        assert equal(found, as_usual), change


def test_float32_is_exact_in_a_check():
    """And afterwards as the notebook had set it, by whichever switch."""
    seen = []

    def looks(mask):
        seen.append((torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cuda")))
        torch.set_float32_matmul_precision("high")
        return (~mask).sum().item() / mask.numel()

    for change in ("TF32", "TF32 by the newer switch", "autocast of a GPU"):
        with CHANGES[change]():
            before = torch.backends.cuda.matmul.fp32_precision
            said("sparsity", looks)
            assert torch.backends.cuda.matmul.fp32_precision == before, change
    assert set(seen) == {("highest", False)}


def test_a_function_that_changes_them_changes_no_later_case():
    """What one case leaves behind does not reach the next, nor the judge."""

    def right(mask):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        return (~mask).sum().item() / mask.numel()

    assert said("sparsity", right) == ""
    assert (torch.get_default_dtype(), torch.get_default_device().type) == (torch.float32, "cpu")
    assert torch.is_grad_enabled()


def test_the_notebook_gets_its_changes_back():
    """A check puts them aside, and does not undo them."""
    for change in ("float64 by default", "meta by default", "torch.equal", "no gradients"):
        with CHANGES[change]():
            before = state()
            random = torch.random.get_rng_state()
            said("sparsity", functions("sparsity")[0])
            assert state() == before, change
            assert bytes(torch.random.get_rng_state().numpy()) == bytes(random.numpy())


def state() -> tuple:
    return torch.get_default_dtype(), torch.get_default_device(), torch.equal, torch.is_grad_enabled()


FILE = """
import warnings
import torch

torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
torch.set_grad_enabled(False)
torch.inference_mode().__enter__()
torch.use_deterministic_algorithms(True)
torch.backends.cuda.matmul.fp32_precision = "tf32"
torch.set_num_threads(1)
torch.manual_seed(77)
torch.randn = torch.randint = lambda *_, **__: None
warnings.simplefilter("error")


def perplexity(model, token_windows):
    from torch.nn.functional import cross_entropy

    training, total, count = model.training, 0.0, 0
    model.eval()
    with torch.no_grad():
        for window in token_windows:
            logits = model(window[None].to(model.device)).logits[0, :-1].float()
            total += cross_entropy(logits, window[1:].to(model.device), reduction="sum").item()
            count += len(window) - 1
    model.train(training)
    return float(torch.tensor(total / count).exp())
"""


@pytest.mark.sandbox
def test_hidden_cases_in_the_sandbox(tmp_path, monkeypatch, empty_course):
    """All of it at once, asked by the examiner: the function is right, and earns its points."""
    (tmp_path / "answer.py").write_text(FILE)
    verdict = attempt("perplexity", tmp_path / "answer.py")
    assert verdict.share == 1, verdict.message()
