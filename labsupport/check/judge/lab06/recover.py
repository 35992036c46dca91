"""recover: a pruned model is trained with LoRA, and what it learned is merged.

The answer holds the losses and every weight afterwards. The judge builds the same pruned model for itself
and believes none of it: frozen parts, zeros and ranks are compared with that model, and the perplexity is
measured again.
"""

import functools
import math

import torch

from labsupport.check.ask.own.recover import Recovered, built, texts
from labsupport.check.judge.kit import draw, training
from labsupport.check.judge.kit.compare import Wrong
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many, some_of
from labsupport.check.judge.kit.lora import LOW, ROUNDING, numerical_rank
from labsupport.check.judge.kit.recover_causes import cause
from labsupport.given.perplexity import perplexity

LONG = 40  # steps: gradients that are never set to zero have ruined the model by then


def cases(seed: int) -> list[Case]:
    """Tiny models, masked or sliced; few steps; and a learning rate of 0."""
    source = draw.rng(seed, "recover")

    def case(pruned: str, steps: int, learning_rate: float) -> dict:
        return {
            "model": {"tiny": source.randrange(10**6)},
            "pruned": pruned,
            "text": {"order": source.sample(range(256), 8), "starts": source.choices(range(8), k=20)},
            "steps": steps,
            "learning_rate": learning_rate,
        }

    return [
        Case("a tiny model, half of its weights masked", case("masked", LONG, 0.01)),
        Case("a tiny model, half of one block sliced away", case("sliced", 24, 0.01)),
        Case("fewer steps than batches", case("sliced", 2, 0.003)),
        Case("a learning rate of 0 changes nothing", case("masked", 3, 0.0)),
    ]


def parts(inputs: dict, answer: Recovered) -> list[Part]:
    """What must hold of the losses and of the weights; no weight is compared before `named` holds."""
    losses, weights, steps = answer.value, answer.weights, inputs["steps"]

    @functools.cache
    def pruned():
        return built(inputs)

    def layers() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        return training.layers(weights, pruned())

    def listed() -> None:
        training.listed(losses, steps, texts(inputs)[0])

    def named() -> None:
        training.named(weights, pruned())

    def begins() -> None:
        low, high = loss_range(pruned(), texts(inputs)[0])
        if not 0.98 * low <= losses[0] <= 1.02 * high:
            raise Wrong(
                f"your first loss is {losses[0]:.4g}; on these batches the pruned model has {low:.4g} to "
                f"{high:.4g}. Before the first update LoRA changes nothing"
            )

    def zeros() -> None:
        filled = sum(int((after[before == 0] != 0).sum()) for before, after in layers().values())
        if filled:
            total = sum(int((before == 0).sum()) for before, _ in layers().values())
            raise Wrong(f"{some_of(filled, total, 'zeros was filled', 'zeros were filled')}")

    def thin() -> None:
        for name, (before, after) in layers().items():
            if (rank := numerical_rank(after - before, ROUNDING * float(before.abs().max()))) > LOW:
                raise Wrong(f"that of {name} has rank {rank}; LoRA with r = 8 adds a product of rank 8")

    def falls() -> None:
        if training.rising(losses, texts(inputs)[0]):
            raise Wrong("they rise again", your_losses=torch.tensor(losses))

    def better() -> None:
        before, after = perplexities(inputs, pruned(), weights)
        most = before / (40 if steps == LONG else 10 if steps > 10 else 1)  # right: before / 100, / 40, / 2
        if not after < most:
            raise Wrong(f"it was {before:.4g} and is {after:.4g}; below {most:.4g} is expected")

    counted = many(steps, "loss", "losses")
    if not inputs["learning_rate"]:
        return [
            Part(f"a list of {counted}", listed),
            Part("no adapters left", named),
            Part("no weight changed", lambda: training.unmoved(weights, pruned())),
        ]
    pruning = (
        Part("every zero is still zero", zeros)
        if inputs["pruned"] == "masked"
        else Part(f"the update of every layer has a rank of {LOW} at most", thin)
    )
    return [
        Part(f"returns a list of {counted}, one for every step", listed),
        Part("every loss is a finite Python number", lambda: training.numbers(losses)),
        Part("the first loss is that of the pruned model", begins),
        Part("the model has the layers and shapes it had, and no adapters", named),
        Part("embeddings, norms and lm_head are untouched", lambda: training.frozen(weights, pruned())),
        Part(
            "what was learned is in the weights of every Linear of the layers",
            lambda: training.learned(weights, pruned()),
        ),
        pruning,
        *([Part("the losses fall to the end", falls)] if steps == LONG else []),
        Part("the perplexity on text that it did not train on fell", better),
    ]


@torch.no_grad()
def loss_range(model, batches: list[torch.Tensor]) -> tuple[float, float]:
    """The lowest and the highest loss of a model on any window of batches [B, L]."""
    rows = torch.cat(batches)[:, None].to(model.device)  # [windows, 1, L]
    found = [model(input_ids=row, labels=row, use_cache=False).loss.item() for row in rows]
    return min(found), max(found)


def perplexities(inputs: dict, model, weights: dict[str, torch.Tensor]) -> tuple[float, float]:
    """The judge's own measurement on the evaluation windows, before and after; `model` takes the weights.

    Infinite where no float holds it: finite weights may be as large as they like.
    """
    evaluation = texts(inputs)[1]  # [4, 32]
    before = perplexity(model, evaluation)
    model.load_state_dict(weights)
    try:
        return before, perplexity(model, evaluation)
    except OverflowError:
        return before, math.inf


EXERCISE = Exercise("recover", "6.3", cases, parts, cause, answer=Recovered)
