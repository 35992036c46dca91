"""10.5 distill: a smaller model learns the guesses of the dense one.

The judge builds student and teacher for itself: frozen parts and ranks are compared with that student, and
the distance to the teacher's guesses is measured again.
"""

import functools

import torch

from labsupport.check.ask import recipes
from labsupport.check.ask.own.distill import Taught, built, texts
from labsupport.check.ask.pruned import digests
from labsupport.check.judge.kit import draw, training
from labsupport.check.judge.kit.carried import Earlier
from labsupport.check.judge.kit.compare import Noted, Wrong, has_shape, is_tensor
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lessons import TEMPERATURE, apart, cause, first_losses, logits_of, one_of
from labsupport.check.judge.kit.lines import many
from labsupport.check.judge.kit.lora import LOW, ROUNDING, numerical_rank

LONG = 40  # steps: gradients that are never set to zero have ruined the student by then


def cases(seed: int) -> list[Case]:
    """Tiny students with half of a block sliced away, and a learning rate of 0."""
    source = draw.rng(seed, "distill")

    def case(steps: int, learning_rate: float) -> dict:
        return {
            "model": {"tiny": source.randrange(10**6)},
            "pruned": "sliced",
            "text": {"order": source.sample(range(256), 8), "starts": source.choices(range(8), k=20)},
            "steps": steps,
            "learning_rate": learning_rate,
        }

    return [
        Case("a tiny student, half of one block sliced away", case(LONG, 0.01)),
        Case("fewer steps than batches", case(2, 0.003)),
        Case("a learning rate of 0 changes nothing", case(3, 0.0)),
    ]


def given(inputs: dict, earlier: Earlier) -> list[float]:
    """The first loss of every batch by the student's own distill_loss."""

    def form(value) -> None:
        is_tensor(value)
        has_shape(value, ())
        if not bool(value.isfinite()):
            raise Wrong("this is no loss")

    models = (built(inputs), recipes.model(inputs["model"]))
    found = []
    for batch in texts(inputs)[0]:
        logits = [logits_of(model, batch) for model in models]
        asked = dict(zip(("student_logits", "teacher_logits"), logits, strict=True))
        asked |= {"token_ids": batch, "temperature": TEMPERATURE}
        found.append(float(earlier("distill_loss", form, asked)))
    return found


def parts(inputs: dict, answer: Taught, losses_given: list[float] | None = None) -> list[Part]:
    """What must hold of losses, student and teacher; no weight is compared before its name is known.

    losses_given: the first losses to expect instead of the right ones.
    """
    losses, weights, steps, batches = answer.value, answer.weights, inputs["steps"], texts(inputs)[0]

    @functools.cache
    def student():
        return built(inputs)

    @functools.cache
    def teacher():
        return recipes.model(inputs["model"])

    def begins() -> None:
        right = losses_given or first_losses(student(), teacher(), batches, TEMPERATURE)
        if not one_of(losses[0], right):
            raise Wrong(
                f"your first loss is {losses[0]:.4g}. Before the first update LoRA changes nothing: at T = "
                f"{TEMPERATURE:g} these batches cost the student {', '.join(f'{each:.4g}' for each in right)}"
            )

    def bit_identical() -> None:
        wanted = digests(teacher())
        if answer.teacher.keys() != wanted.keys():
            raise Wrong("its weights have other names")
        for name, value in wanted.items():
            if answer.teacher[name] != value:
                raise Wrong(f"{name} changed")

    def no_gradients() -> None:
        if answer.left:
            some = many(answer.left, "of its weights has", "of its weights have")
            raise Noted(f"{some} one: torch.no_grad() saves that memory")

    def thin() -> None:
        for name, (before, after) in training.layers(weights, student()).items():
            if (rank := numerical_rank(after - before, ROUNDING * float(before.abs().max()))) > LOW:
                raise Wrong(f"that of {name} has rank {rank}; LoRA with r = 8 adds a product of rank 8")

    def falls() -> None:
        if training.rising(losses, batches):
            raise Wrong("they rise again", your_losses=torch.tensor(losses))

    def nearer() -> None:
        evaluation = texts(inputs)[1]  # [4, 32]
        before = apart(student(), teacher(), evaluation)
        student().load_state_dict(weights)
        after = apart(student(), teacher(), evaluation)
        student.cache_clear()
        if not after < before / 3:
            raise Wrong(f"it was {before:.4g} nats and is {after:.4g}; below {before / 3:.4g} is expected")

    comes = Part("on text that it did not train on, its guesses come nearer to the teacher's", nearer)
    same = Part("the teacher is as it was, bit for bit", bit_identical)
    counted = Part(f"a list of {many(steps, 'loss', 'losses')}, one for every step",
                   lambda: training.listed(losses, steps, batches))  # fmt: skip
    shaped = Part("the student has the layers and shapes it had, and no adapters",
                  lambda: training.named(weights, student()))  # fmt: skip
    if not inputs["learning_rate"]:
        still = Part("no weight changed", lambda: training.unmoved(weights, student()))
        right = losses_given or first_losses(student(), teacher(), batches, TEMPERATURE)
        turn = Part("each loss is that of a batch, each in turn", lambda: training.in_turn(losses, right))
        return [counted, shaped, still, same, turn]
    return [
        counted,
        Part("every loss is a finite Python number", lambda: training.numbers(losses)),
        Part("the first loss is that of 10.4, of the student as it came", begins),
        shaped,
        same,
        Part("no gradient is left in the teacher", no_gradients),
        Part("embeddings, norms and lm_head are untouched", lambda: training.frozen(weights, student())),
        Part("what was learned is in the weights of every Linear of the layers",
             lambda: training.learned(weights, student())),
        Part(f"the update of every layer has a rank of {LOW} at most", thin),
        *([Part("the losses fall to the end", falls)] if steps == LONG else []),
        *([comes] if steps == LONG and losses_given is None else []),
    ]  # fmt: skip


EXERCISE = Exercise("distill", "10.5", cases, parts, cause, Taught, ("distill_loss",), given)
