"""Judges bits_per_weight, exercise 11.6: codes, grids and places, for each weight of the matrix."""

from collections.abc import Iterator

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

COST = see("11.6", "What a weight costs")
PATTERNS = ("dense", "bitmask", "2:4")


def cases(seed: int) -> list[Case]:
    """Bits and groups on which no two mistakes agree, each pattern, and what must be refused."""
    source = draw.rng(seed, "bits_per_weight")

    def asked(pattern: str, sparsity: float) -> dict:
        group, bits = source.choice((16, 128)), source.choice((3, 5, 6))
        return {"sparsity": sparsity, "bits": bits, "group": group, "pattern": pattern}

    scattered = draw.until(lambda: asked("bitmask", source.choice((0.3, 0.4, 0.6, 0.7))), _suits)
    ordered = draw.until(lambda: asked("2:4", 0.5), _suits)
    dense = draw.until(lambda: asked("dense", 0.0), _suits)
    by_hand = {"sparsity": 0.5, "bits": 4, "group": 32}
    return [
        Case(f"{scattered['bits']} bits, {scattered['sparsity']:.0%} dropped, a bitmask", scattered),
        Case(f"{ordered['bits']} bits, 2:4", ordered),
        Case(f"{dense['bits']} bits, nothing dropped", dense),
        Case("4 bits in groups of 32, half dropped, a bitmask", {**by_hand, "pattern": "bitmask"}),
        Case("4 bits in groups of 32, 2:4", {**by_hand, "pattern": "2:4"}),
        Case("zeros that are stored as codes", {**by_hand, "pattern": "dense"}),
        Case("everything dropped, a bitmask", {**by_hand, "sparsity": 1.0, "pattern": "bitmask"}),
        Case("an unknown pattern raises ValueError", {**by_hand, "pattern": "zip"}, "ValueError"),
        Case(
            "a sparsity of 1.2 raises ValueError",
            {**by_hand, "sparsity": 1.2, "pattern": "dense"},
            "ValueError",
        ),
        Case(
            "a negative sparsity raises ValueError",
            {**by_hand, "sparsity": -0.1, "pattern": "bitmask"},
            "ValueError",
        ),
        Case("2:4 at 40 % raises ValueError", {**by_hand, "sparsity": 0.4, "pattern": "2:4"}, "ValueError"),
    ]


def _suits(inputs: dict) -> bool:
    """Whether no two mistakes come to the same number, and none to the right one."""
    return draw.apart([(_right(inputs), "right"), *mistakes(inputs)], is_close)


def _stored(inputs: dict) -> tuple[float, float, float]:
    """Bits of the codes, of the grids, and of the places, over a matrix of as many weights as fit whole."""
    weights = 1000 * inputs["group"]
    left = round((1 - inputs["sparsity"]) * weights) if inputs["pattern"] != "dense" else weights
    places = {"dense": 0, "bitmask": weights, "2:4": 2 * left}[inputs["pattern"]]
    return left * inputs["bits"] / weights, 1000 * 2 * 16 / weights, places / weights


def _right(inputs: dict) -> float:
    return sum(_stored(inputs))


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the bits."""
    found = answer.value
    codes, grid, places = _stored(inputs)

    def shown() -> Wrong:
        return Wrong(
            **inputs,
            your_answer=f"{found:.6g} {'bit' if found == 1 else 'bits'}",
            expected="bits of the codes, of scale and zero, and of the places, over all weights",
        )

    def enough() -> None:
        if found < grid + places - 1e-9:
            raise shown()

    def right() -> None:
        if not is_close(found, codes + grid + places, 1e-6):
            raise shown()

    return [
        Part("a Python number", lambda: is_number(found)),
        Part("room for scale and zero of every group, and for the places", enough),
        Part("all bits of the matrix over all its weights", right),
    ]


def mistakes(inputs: dict) -> Iterator[tuple[float, Named]]:
    """The number that each mistake comes to, and its name."""
    sparsity, bits, group, pattern = inputs.values()
    codes, grid, places = _stored(inputs)
    right, share = codes + grid + places, 1 - sparsity
    yield (
        codes + places,
        f"scale and zero were forgotten, or // cut 32 // group to 0. Each group has them, {COST}",
    )
    yield right - grid / 2, f"one number was counted for a group. It has a scale and a zero, {COST}"
    yield right + grid, f"scale and zero were given 32 bits each. In a file they are float16, {COST}"
    yield codes + places + 2 / group, f"scale and zero were given one bit each. They are float16, {COST}"
    yield codes + places + 4 / group, f"bytes were added to bits: two float16 are 32 bits, {COST}"
    yield right * group, f"these are the bits of a whole group. Divide by its weights, {COST}"
    yield right / 8, f"the answer is in bytes. Bits are asked for, {COST}"
    if pattern == "dense":
        return
    yield bits + grid, f"nothing was saved: only codes of kept weights are stored, {COST}"
    yield bits + grid + places, f"codes of dropped weights were stored as well, {COST}"
    yield codes + grid, f"the places are missing: nobody could tell where a kept weight belongs, {COST}"
    per_kept = "the bits were divided by the kept weights. Divide by all of them, as a dense matrix does"
    yield right / share, f"{per_kept}, {COST}"
    if pattern == "bitmask":
        flipped = "the sparsity was taken for the share that stays. It is the share that goes."
        for marks in (1.0, sparsity, share, 0.0):  # the places may be wrong as well, or the grid
            yield sparsity * bits + grid + marks, flipped
        yield sparsity * (bits + 32 / group) + places, flipped
        yield float(round(right)), "the number was rounded. A part of a bit counts: return it as it is."
        scaled = "scale and zero were counted for kept weights alone. A group has one grid, however few stay"
        yield codes + grid * share + places, f"{scaled}, {COST}"
        yield codes + grid + share, f"only kept weights have a bit. The mask has one for every weight, {COST}"
        yield (
            codes + grid + 16 * share,
            f"each kept weight was given an index. A bitmask has one bit each, {COST}",
        )
    else:
        yield (
            codes + grid + 2,
            f"every weight was given 2 bits for its place. Only kept ones have one, {COST}",
        )
        yield codes + grid + 0.5, f"a place was given 1 bit. It is one of four, so it takes 2, {COST}"
        yield codes + grid + 0.25, f"the places were halved twice: 2 bits for each kept weight, {COST}"


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number of bits shows."""
    found = answer.value
    if not isinstance(found, int | float) or is_close(found, _right(inputs), 1e-6):
        return
    for value, said in mistakes(inputs):
        if is_close(found, value, 1e-6):
            yield looks(said)


EXERCISE = Exercise("bits_per_weight", "11.6", cases, parts, cause)
