"""How a function that recovers a pruned model is asked and judged: lab 06.

The student's side sends the losses and every weight afterwards. The judge builds the same pruned model
for itself and believes none of it: frozen parts, zeros and ranks are compared with that model, and the
perplexity is measured again.
"""

import functools
import math
from collections.abc import Callable, Iterator

import torch

from labsupport import structured
from labsupport.check import draws, recipes
from labsupport.check.asking import attempt
from labsupport.check.compare import is_number
from labsupport.check.exercise import Case, Part, Wrong
from labsupport.check.wire import Opaque
from labsupport.linears import pruned_linears
from labsupport.perplexity import perplexity

FILLS = 'see section 6.2, "Merging fills the zeros".'
LOOP = 'see section 6.3, "What learns and what does not".'
LOW = 16  # the highest rank of an update that is taken for LoRA's; the exercise asks for 8
ROUNDING = 1e-5  # of the largest weight of a layer: what float32 adds to the rank of an update


def cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "recover")

    def case(pruned: str, steps: int, learning_rate: float) -> dict:
        return {
            "model": {"tiny": source.randrange(10**6)},
            "pruned": pruned,
            "text": {"order": source.sample(range(256), 8), "starts": source.choices(range(8), k=20)},
            "steps": steps,
            "learning_rate": learning_rate,
        }

    return [
        Case("a tiny model, half of its weights masked", case("masked", 24, 0.01)),
        Case("a tiny model, half of one block sliced away", case("sliced", 24, 0.01)),
        Case("fewer steps than batches", case("sliced", 2, 0.003)),
        Case("a learning rate of 0 changes nothing", case("masked", 3, 0.0)),
    ]


def built(inputs: dict):
    """The pruned model of a case: half of every row zero, or half of the second block gone."""
    model = recipes.model(inputs["model"])
    if inputs["pruned"] == "sliced":
        structured.prune_blocks(model, 0.5, range(1, 2), "l1")
        return model
    with torch.no_grad():
        for linear in pruned_linears(model).values():
            size = linear.weight.abs()
            linear.weight.mul_(size > size.median(dim=1, keepdim=True).values)
    return model


def texts(inputs: dict) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Four batches [4, 32] to learn from and windows [4, 32] to measure on: eight tokens going round."""
    order, starts = inputs["text"]["order"], inputs["text"]["starts"]
    windows = torch.tensor([[order[(start + place) % len(order)] for place in range(32)] for start in starts])
    return list(windows[:16].view(4, 4, 32)), windows[16:]


def ask(function: Callable, inputs: dict) -> dict:
    """Let the function recover a fresh model; answer with the losses and with all weights afterwards."""
    model, (batches, _) = built(inputs), texts(inputs)
    answer = attempt(lambda: function(model, batches, inputs["steps"], inputs["learning_rate"]))
    if not answer["error"]:
        answer["weights"] = {name: weight.detach() for name, weight in model.state_dict().items()}
    return answer


def parts(inputs: dict, answer: dict) -> list[Part]:
    losses, steps = answer["value"], inputs["steps"]

    @functools.cache
    def pruned():
        return built(inputs)

    def layers() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Every pruned Linear's weight before and after."""
        return {
            name: (linear.weight.cpu(), answer["weights"][f"{name}.weight"])
            for name, linear in pruned_linears(pruned()).items()
        }

    def listed() -> None:
        if not isinstance(losses, list):
            kind = losses.type_name if isinstance(losses, Opaque) else type(losses).__name__
            raise Wrong("your function returned None: is a return missing?" if losses is None else
                        f"your function returned a {kind}")  # fmt: skip
        if len(losses) != steps:
            raise Wrong(f"yours has {len(losses)}, for {steps} steps and {len(texts(inputs)[0])} batches")

    def numbers() -> None:
        for step, loss in enumerate(losses, 1):
            try:
                is_number(loss)
            except Wrong as found:
                raise Wrong(f"that of step {step}: {found.reason}") from None

    def begins() -> None:
        low, high = loss_range(pruned(), texts(inputs)[0])
        if not 0.98 * low <= losses[0] <= 1.02 * high:
            raise Wrong(
                f"your first loss is {losses[0]:.4g}; on these batches the pruned model has {low:.4g} to "
                f"{high:.4g}. Before the first update LoRA changes nothing"
            )

    def named() -> None:
        found, wanted = answer["weights"], pruned().state_dict()
        if left := sorted(name for name in found if "lora" in name.lower()):
            raise Wrong(f"{len(left)} adapter weights are left in the model, the first is {left[0]}")
        if odd := sorted(found.keys() ^ wanted.keys()):
            raise Wrong(f"{odd[0]} is {'new' if odd[0] in found else 'gone'}")
        for name, weight in wanted.items():
            if found[name].shape != weight.shape or found[name].dtype != weight.dtype:
                raise Wrong(f"{name} is now {tuple(found[name].shape)} of {found[name].dtype}")
            if not bool(found[name].isfinite().all()):
                raise Wrong(f"{name} holds inf or NaN")

    def frozen() -> None:
        inside = {f"{name}.weight" for name in layers()}
        for name, weight in pruned().state_dict().items():
            if name not in inside and not torch.equal(answer["weights"][name], weight.cpu()):
                raise Wrong(f"{name} changed")

    def zeros() -> None:
        filled = sum(int((after[before == 0] != 0).sum()) for before, after in layers().values())
        if filled:
            total = sum(int((before == 0).sum()) for before, _ in layers().values())
            raise Wrong(f"{filled:,} of {total:,} zeros were filled")

    def thin() -> None:
        for name, (before, after) in layers().items():
            if (rank := numerical_rank(after - before, ROUNDING * float(before.abs().max()))) > LOW:
                raise Wrong(f"that of {name} has rank {rank}; LoRA with r = 8 adds a product of rank 8")

    def same() -> None:
        for name, (before, after) in layers().items():
            if not torch.allclose(before, after, rtol=1e-3, atol=1e-5):
                raise Wrong(f"{name} changed")

    def learned() -> None:
        still = [name for name, (before, after) in layers().items() if torch.equal(before, after)]
        if len(still) == len(layers()):
            raise Wrong("every weight is as it was: what was learned is not in the model")
        if still:
            raise Wrong(f"{len(still)} of {len(layers())} are as they were, the first is {still[0]}")

    def better() -> None:
        before, after = perplexities(inputs, pruned(), answer["weights"])
        most = before / 10 if steps > 10 else before  # all answers that learn end below before / 40
        if not after < most:
            raise Wrong(f"it was {before:.4g} and is {after:.4g}; below {most:.4g} is expected")

    if not inputs["learning_rate"]:
        return [Part(f"a list of {steps} losses", listed), Part("no adapters left", named),
                Part("no weight changed", same)]  # fmt: skip
    masked = inputs["pruned"] == "masked"
    return [
        Part(f"returns a list of {steps} losses, one for every step", listed),
        Part("every loss is a finite Python number", numbers),
        Part("the first loss is that of the pruned model", begins),
        Part("the model has the layers and shapes it had, and no adapters", named),
        Part("embeddings, norms and lm_head are untouched", frozen),
        Part("what was learned is in the weights of every Linear of the layers", learned),
        Part("every zero is still zero", zeros) if masked
        else Part(f"the update of every layer has a rank of {LOW} at most", thin),
        Part("the perplexity on text that it did not train on fell", better),
    ]  # fmt: skip


@torch.no_grad()
def loss_range(model, batches: list[torch.Tensor]) -> tuple[float, float]:
    """The lowest and the highest loss of a model on any window of some batches."""
    rows = torch.cat(batches)[:, None].to(model.device)  # [windows, 1, length]
    found = [model(input_ids=row, labels=row, use_cache=False).loss.item() for row in rows]
    return min(found), max(found)


def numerical_rank(update: torch.Tensor, noise: float) -> int:
    """How many singular values of an update rise above a thousandth of the first, and above the noise."""
    values = torch.linalg.svdvals(update.double())
    return int((values > max(1e-3 * float(values[0]), noise)).sum())


def perplexities(inputs: dict, model, weights: dict[str, torch.Tensor]) -> tuple[float, float]:
    """The judge's own measurement on the evaluation windows, before and after; `model` takes the weights."""
    evaluation = texts(inputs)[1]
    before = perplexity(model, evaluation)
    model.load_state_dict(weights)
    return before, perplexity(model, evaluation)


def mistakes(inputs: dict, answer: dict) -> Iterator[str]:
    model, weights = built(inputs), answer["weights"]
    before = {name: weight.cpu() for name, weight in model.state_dict().items()}
    linears = {f"{name}.weight" for name in pruned_linears(model)}
    losses = answer["value"]
    if isinstance(losses, list) and len(losses) == len(texts(inputs)[0]) != inputs["steps"]:
        yield (
            "It looks as if each batch was used once. Steps count updates: when the batches are through, "
            f"begin anew, {LOOP}\nTry itertools.cycle."
        )
    if any("lora" in name.lower() for name in weights):
        yield (
            "It looks as if the adapters were never merged: the model still carries them, and its own "
            f"weights learned nothing, {LOOP}\nTry merge_and_unload."
        )
    if not inputs["learning_rate"]:
        yield f"It looks as if the learning rate that you were given has no say, {LOOP}"
    still = [name for name in before if name in linears and torch.equal(weights[name], before[name])]
    if len(still) == len(linears) and _flat(losses, texts(inputs)[0]):
        yield (
            "It looks as if no step moved the LoRA matrices: your losses do not fall. A step is backward(), "
            f"step() and zero_grad(), in this order, on the weights that require gradients, {LOOP}"
        )
    if still and len(still) < len(linears):
        kinds = ", ".join(sorted({name.split(".")[-2] for name in still}))
        yield (
            f"It looks as if no LoRA matrices stood beside {kinds}. Every Linear of the decoder layers gets "
            f"them, {LOOP}\nTry lora.targeted_module_names: which are missing?"
        )
    if _shifted_twice(model, losses, texts(inputs)[0]):
        yield (
            "It looks as if the labels were shifted twice. The model shifts them itself: tokens and labels "
            f"are the same tensor, {LOOP}"
        )
    if all(torch.equal(weights[name], before[name]) for name in before):
        yield f"It looks as if the adapters were taken out without being merged, {LOOP}"
    if any(not torch.equal(weights[name], before[name]) for name in before if name not in linears):
        yield (
            "It looks as if the base was trained too. LoRA freezes every weight that was there and trains "
            f"its own matrices alone, {LOOP}\n"
            "Try [name for name, p in model.named_parameters() if p.requires_grad]."
        )
    if any(bool((weights[name][before[name] == 0] != 0).any()) for name in linears):
        yield (
            "It looks as if the masks were forgotten in the merge: B A is dense and fills the zeros, "
            f"{FILLS}\nTry linears.model_sparsity(model) before and after."
        )
    if inputs["pruned"] == "sliced" and any(
        numerical_rank(weights[name] - before[name], ROUNDING) > LOW for name in linears
    ):
        yield f"It looks as if the weights themselves were trained, not two thin matrices, {LOOP}"


def _flat(losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the last round over the batches lost as much as the first one."""
    once = len(batches)
    return len(losses) >= 2 * once and sum(losses[-once:]) > 0.9 * sum(losses[:once])


@torch.no_grad()
def _shifted_twice(model, losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the first loss is the one of predicting not the next token, but the one after it."""
    found = []
    for batch in batches:
        batch = batch.to(model.device)
        found.append(model(input_ids=batch[:, :-1], labels=batch[:, 1:], use_cache=False).loss.item())
    return any(math.isclose(losses[0], loss, rel_tol=1e-5) for loss in found)
