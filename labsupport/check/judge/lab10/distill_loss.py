"""10.4 distill_loss: how far the student's guesses are from the teacher's."""

import math
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import NOT_SENT
from labsupport.check.ask.own.distill_loss import Distilled
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_close, is_tensor
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.softened import SOFT, divergences, mistakes, slope

TEACHES = see("10.4", "Who learns")
MODERATE = 50  # logits below it: no exp overflows, and no probability becomes 0


def cases(seed: int) -> list[Case]:
    """Guesses with whole numbers of eighths; then random ones, equal ones, and extreme ones."""
    source = draw.rng(seed, "distill_loss")

    def some(batch: int, length: int, vocabulary: int, temperature: float, loud: float = 2.0) -> dict:
        student, teacher = (draw.normal(source, batch, length, vocabulary) * loud for _ in range(2))
        generator = draw.generator(source)
        token_ids = torch.randint(vocabulary, (batch, length), generator=generator)
        return {"student_logits": student, "teacher_logits": teacher, "token_ids": token_ids,
                "temperature": temperature}  # fmt: skip

    equal, coarse = some(2, 4, 6, 3.0), some(1, 40, 5, 2.0)
    equal["student_logits"] = equal["teacher_logits"].clone()
    for who in ("student_logits", "teacher_logits"):
        coarse[who] = coarse[who].bfloat16()
    return [
        Case(
            "two windows of three tokens, a vocabulary of four, T = 5",
            draw.until(lambda: eighths(source), suits),
        ),
        Case("a student that guesses what the teacher guesses", equal),
        Case("T = 1, three windows", some(3, 5, 7, 1.0)),
        Case("T = 20: the gradient keeps its size", some(2, 6, 9, 20.0)),
        Case("logits so far apart that exp overflows", some(2, 4, 9, 1.0, 400.0)),
        Case("logits in bfloat16", coarse),
    ]


def eighths(source) -> dict:
    """Logits [2, 3, 4] whose guesses at T = 5 are 1/8, 1/8, 1/4 and 1/2 in some order, and token ids."""

    def guesses() -> torch.Tensor:
        rows = [[source.sample((1.0, 1.0, 32.0, 1024.0), 4) for _ in range(3)] for _ in range(2)]
        return torch.tensor(rows).log()

    token_ids = torch.tensor([source.choices(range(4), k=3) for _ in range(2)])
    return {"student_logits": guesses(), "teacher_logits": guesses(), "token_ids": token_ids,
            "temperature": 5.0}  # fmt: skip


def suits(inputs: dict) -> bool:
    """Whether every mistake shows in a loss of its own."""
    found = [(right(inputs), "right"), *mistakes(**inputs)]
    return right(inputs) > 0.1 and draw.apart(found, lambda a, b: is_close(a, b, 1e-3))


def right(inputs: dict) -> float:
    """T squared times the mean divergence over all guesses that have a target."""
    student, teacher, _, temperature = inputs.values()
    windows = divergences(student, teacher, temperature)  # [B][L]
    targets = [each for window in windows for each in window[:-1]]
    return temperature**2 * math.fsum(targets) / len(targets)


def parts(inputs: dict, answer: Distilled) -> list[Part]:
    """What must hold of the loss, float32 [], and of its gradients."""
    student, teacher, _, temperature = inputs.values()
    batch, length, vocabulary = student.shape
    value = answer.value

    def scalar() -> None:
        is_tensor(value, "the loss")
        has_shape(value, ())
        if value.dtype not in (torch.float32, torch.float64):
            raise WrongForm(f"it is {value.dtype}")

    def divergence() -> None:
        expected = right(inputs)
        if not math.isclose(float(value), expected, rel_tol=1e-4, abs_tol=1e-5):
            show = {}
            if vocabulary == 4:
                show = {f"8 p of the {who} at T = 5": (8 * (each / 5).softmax(dim=-1)).round()
                        for who, each in (("student", student), ("teacher", teacher))}  # fmt: skip
            raise Wrong(**show, your_loss=float(value), expected=expected)

    def slopes() -> list:
        found = answer.slopes
        if found is None:
            raise Wrong(NOT_SENT)
        if found.error:
            raise Wrong(f"{found.error.names[0]}: {found.error.text}")
        if not isinstance(found.value, list) or len(found.value) != 2:
            raise Wrong(NOT_SENT)
        return found.value

    def learns() -> None:
        found, _ = slopes()
        if found is None:
            raise Wrong("none arrives")
        if not isinstance(found, torch.Tensor) or found.shape != student.shape:
            raise Wrong(NOT_SENT)
        expected = slope(student, teacher, temperature)  # [B, L, V]
        room = 1e-2 if found.dtype is torch.bfloat16 else 1e-4
        found = found.double()  # of whatever type was sent
        if not torch.allclose(found, expected, rtol=room, atol=room * float(expected.abs().max()) + 1e-6):
            worst = int((found - expected).abs().argmax())
            window, rest = divmod(worst, length * vocabulary)
            position, token = divmod(rest, vocabulary)
            mine, wanted = (float(each.flatten()[worst]) for each in (found, expected))
            raise Wrong(
                f"for window {window}, position {position}, token {token} it is {mine:.4g}, not {wanted:.4g}"
            )

    def teaches() -> None:
        if slopes()[1] is not None:
            raise Wrong("one arrives there")

    return [
        Part("a tensor with one number, in float32", scalar),
        Part(f"T squared times the mean divergence over {batch} * ({length} - 1) = {batch * (length - 1)} "
             "guesses", divergence),
        Part("the student's logits get its gradient", learns),
        Part("no gradient reaches the teacher's logits", teaches),
    ]  # fmt: skip


def cause(inputs: dict, answer: Distilled) -> Iterator[Named]:
    """The mistake that a wrong loss, or a wrong gradient, shows."""
    value, expected, slopes = float(answer.value), right(inputs), answer.slopes
    if math.isclose(value, expected, rel_tol=1e-4, abs_tol=1e-5):
        if slopes and slopes.error:
            yield (
                "It looks as if the loss was cut off from the student's logits, by detach(), item() or "
                f"no_grad(): nothing could learn from it. Only the teacher is cut off, {TEACHES}"
            )
        elif slopes and slopes.value[1] is not None:
            yield (
                "It looks as if gradients flow into the teacher. It is a target, like a label: "
                f"{TEACHES}\nTry teacher_logits.detach()."
            )
        return
    if math.isnan(value) and float(inputs["teacher_logits"].abs().max()) < MODERATE:
        yield (
            "It looks as if kl_div took logarithms for probabilities: it takes the logarithm of its second "
            "argument by itself.\nTry log_target=True, or teacher.exp()."
        )
    if not math.isfinite(value):
        yield (
            "It looks as if a probability became 0 before its logarithm was taken, or exp overflowed. "
            f"A log-softmax in one step forms no logarithm of 0, {SOFT}"
        )
    if inputs["student_logits"].dtype is torch.bfloat16:
        yield (
            "It looks as if the loss was computed in half precision: bfloat16 keeps three digits.\n"
            "Try logits.float() before anything else."
        )
    for wrong, said in mistakes(**inputs):
        if is_close(value, wrong):
            yield said


EXERCISE = Exercise("distill_loss", "10.4", cases, parts, cause, answer=Distilled)
