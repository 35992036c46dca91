"""5.6 prune_blocks: a whole model made smaller, block by block."""

from collections.abc import Iterator
from typing import Any

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NOT_SENT, Attempt
from labsupport.check.ask.fingerprints import others
from labsupport.check.ask.own.prune_blocks import PROMPT, Blocks, Looked, generated, windows_of
from labsupport.check.judge.kit import block_causes, block_checks, draw, left_behind
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, exact, is_close, is_number, kind, rounding
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.given_slices import EARLIER, Given, given_slices, holds
from labsupport.check.judge.kit.remains import Remains
from labsupport.check.judge.kit.weight_names import replaced
from labsupport.given.perplexity import perplexity


def cases(seed: int) -> list[Case]:
    """A tiny model by every criterion and at the ends of the range, then the course model."""
    source = draw.rng(seed, "prune_blocks")
    tiny = draw.until(lambda: source.randrange(10**6), _telling)
    texts = {"random": tiny + 2, "count": 4, "length": 32}

    def case(title: str, ratio: float, layers: list[int], criterion: str, **more) -> Case:
        asked = {"model": {"tiny": tiny}, "ratio": ratio, "layers": layers, "criterion": criterion}
        return Case(title, asked | more | {"evaluation": {"random": tiny + 1, "count": 2, "length": 64}})

    ratio = source.choice((0.55, 0.6, 0.7))  # not one half: what goes and what stays must differ
    course = {
        "model": recipes.course_model(), "ratio": 0.3, "layers": "middle", "criterion": "taylor",
        "batches": recipes.course_windows("calibration"), "evaluation": recipes.course_windows("evaluation"),
        "windows": {"batches": 1, "evaluation": 2},
    }  # fmt: skip
    return [
        case(f"a tiny model, {ratio:.0%} by l1", ratio, [0, 2], "l1"),
        case("20 % by l2: too little for a key-value head", 0.2, [0, 2], "l2"),
        case("the first layer alone, by l2", ratio, [0, 1], "l2"),
        case("the last layer alone, by l1", ratio, [1, 2], "l1"),
        case("by taylor, with several batches", 0.5, [0, 2], "taylor", batches=texts),
        case("by random", 0.5, [0, 2], "random"),
        case("a ratio of 1: a channel and a head stay, no layer ends empty", 1.0, [1, 2], "l2"),
        Case(f"the course model, {course['model']['course']}, 30 % by taylor", course, costly=True),
    ]


def _telling(tiny: int) -> bool:
    """Whether interleaved query heads would keep another KV head in some layer, by l1."""
    dense = Remains({"model": {"tiny": tiny}, "criterion": "l1"}, {})

    def best(turns: str) -> list[int]:
        """The best KV head of either layer."""
        return [int(dense.scores(i, "attention", "l1", None, turns).argmax()) for i in range(2)]

    return draw.apart([(best(""), "neighbours"), (best("qo"), "interleaved")])


def parts(inputs: dict, answer: Blocks, given: Given | None = None) -> list[Part]:
    """What must hold of a pruned model: sizes, then content, then that it still works.

    given: the slices to expect instead of those with the highest scores.
    """
    left: Any = answer.left.value if answer.left else None
    remains = Remains(inputs, left.prints if left else {})

    def in_place() -> None:
        if answer.value is not None:
            raise Wrong(kind(answer.value, "your function returned"))
        if answer.left and answer.left.error:
            broken = answer.left.error
            raise Wrong(f"the layers cannot be read any more: {broken.names[0]}: {broken.text}")
        if _succeeded(answer.left) is None or not remains.consistent:
            raise Wrong(NOT_SENT)

    def untouched() -> None:
        wanted = others(remains.dense, remains.layers)
        for name, value in wanted.items():
            if left.digests.get(name) != value:
                said = replaced(name, left.digests, value) or f"{name} changed"
                raise Wrong(said, layers=str(remains.layers))
        if new := sorted(left.digests.keys() - wanted.keys()):
            raise Wrong(f"{new[0][:120]} is new", layers=str(remains.layers))

    def generates() -> None:
        value = _succeeded(answer.generated)
        if not isinstance(value, list) or not all(type(token) is int for token in value):
            raise Wrong(NOT_SENT)
        if value != (right := generated(remains.model)) and exact(inputs):
            raise Wrong(your_model_writes=value[: len(PROMPT) + 8], these_slices_write=right)

    def same_perplexity(value) -> None:
        if not isinstance(value, float):
            raise Wrong(NOT_SENT)
        is_number(value)
        evaluation = windows_of(inputs, "evaluation")
        right = remains.remembered("perplexity of slices", lambda: perplexity(remains.model, evaluation))
        if not is_close(value, right, rounding(inputs, 1e-4)):
            raise Wrong(f"it is {value:.6g}, and these slices have {right:.6g}")

    def survives() -> None:
        value = _succeeded(answer.reloaded)
        if not isinstance(value, dict) or value.keys() != {"files", "perplexity"}:
            raise Wrong(NOT_SENT)
        files = value["files"]
        if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
            raise Wrong(NOT_SENT)
        own = ("sliced_llama.py", "layer_widths.py")  # the source of a model with unequal widths
        known = (".json", ".safetensors", *own)
        if foreign := [name for name in files if not name.endswith(known)]:
            raise Wrong(f"{foreign[0]} was saved")
        same_perplexity(value["perplexity"])

    highest = f"what is left has the highest scores by {remains.criterion}, those of the dense model"
    drawn = "what is left was drawn at random"
    chosen = (
        [
            Part("what is coupled was removed together", lambda: block_checks.coupled(remains)),
            Part("what is left stands in its old order", lambda: block_checks.in_order(remains)),
            Part(
                drawn if remains.criterion == "random" else highest, lambda: block_checks.best_kept(remains)
            ),
        ]
        if given is None
        else [holds(remains, given)]
    )
    return [
        Part("changes the model in place and returns None", in_place),
        Part("the seven matrices of every layer in the range have the sizes that the ratio asks for",
             lambda: block_checks.sized(remains, left.digests)),
        Part("other layers, embeddings and norms are untouched", untouched),
        Part("what is left of them is the dense model's, bit for bit",
             lambda: block_checks.identical(remains)),
        *chosen,
        Part("the config says how wide each layer is", lambda: block_checks.noted(remains, left.config)),
        Part("the model generates", generates),
        Part("its perplexity is the one of these slices",
             lambda: same_perplexity(_succeeded(answer.measured))),
        Part("saved without pickle and loaded again it has the same perplexity", survives),
        left_behind.part(answer),
    ]  # fmt: skip


def _succeeded(tried: Attempt | Looked | None):
    """The value of something that was tried after the function had returned."""
    if tried is None:
        raise Wrong(NOT_SENT)
    if tried.error:
        raise Wrong(f"{tried.error.names[0]}: {tried.error.text}")
    return tried.value


def cause(inputs: dict, answer: Blocks) -> Iterator[Named]:
    """Mistakes on a tiny model; the course model would take too long."""
    if "tiny" in inputs["model"] and answer.left and answer.left.value:
        yield from block_causes.causes(inputs, answer.left.value)


EXERCISE = Exercise("prune_blocks", "5.6", cases, parts, cause, Blocks, EARLIER, given_slices)
