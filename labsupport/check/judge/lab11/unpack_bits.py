"""Judges unpack_bits, exercise 11.4: the codes of a row of bytes."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import bit_rows, draw
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

COUNT = see("11.4", "How many were there?")
ROW = see("11.3", "Bits in a row")


def cases(seed: int) -> list[Case]:
    """Codes that end within a byte and at its end, a byte that is missing, and one too many."""
    source = draw.rng(seed, "unpack_bits")

    def asked(count: int, bits: int) -> dict:
        codes = bit_rows.draw_codes(source, count, bits)
        return {"packed": bit_rows.packed(bit_rows.text(codes, bits)), "bits": bits, "count": count}

    cut = asked(9, 4)
    more = torch.cat([cut["packed"], torch.zeros(1, dtype=torch.uint8)])  # one byte more
    return [
        Case("six codes of 3 bits", asked(6, 3)),
        Case("eight codes of 3 bits, which fill their bytes", asked(8, 3)),
        Case("2 bits, an odd number of codes", asked(source.choice((5, 7, 9)), 2)),
        Case("4 bits, an odd number of codes", asked(source.choice((3, 5, 7)), 4)),
        Case("1 bit: a mask", asked(19, 1)),
        Case("8 bits: the bytes as they are", asked(6, 8)),
        Case("2,040 codes of 3 bits", asked(2040, 3)),
        Case("a byte that is missing raises ValueError", {**cut, "packed": cut["packed"][:-1]}, "ValueError"),
        Case("a byte too many raises ValueError", {**cut, "packed": more}, "ValueError"),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the codes, uint8 [count]."""
    packed, bits, count = inputs.values()
    found = answer.value

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not torch.uint8:
            raise WrongForm(f"it is {found.dtype}")

    def counted() -> None:
        if tuple(found.shape) != (count,):
            raise Wrong(f"yours is {tuple(found.shape)}")

    def right() -> None:
        if not torch.equal(found, _right(inputs)):
            shown = {"bytes": bit_rows.in_eights(packed)} if count < 30 else {"bytes": packed}
            raise Wrong(**shown, bits=bits, count=count, your_codes=found)

    return [
        Part("a torch.uint8 tensor", typed),
        Part(f"shape (count,) = ({count},)", counted),
        Part("on the device of the bytes", lambda: on_same_device(answer)),
        Part("each code is its bits, highest first", right),
    ]


def _row(packed: torch.Tensor) -> str:
    return bit_rows.in_eights(packed).replace(" ", "")


def _numbers(row: str, bits: int, count: int) -> torch.Tensor:
    found = [int(row[i : i + bits] or "0", 2) for i in range(0, count * bits, bits)]
    return torch.tensor(found, dtype=torch.uint8)


def _right(inputs: dict) -> torch.Tensor:
    return _numbers(_row(inputs["packed"]), inputs["bits"], inputs["count"])


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that codes show."""
    packed, bits, count = inputs.values()
    found, right, row = answer.value, _right(inputs), _row(packed)
    if not isinstance(found, torch.Tensor) or found.dtype is not torch.uint8:
        return
    if torch.equal(found.flatten(), right):
        return
    if torch.equal(found, packed) and len(packed) != count:
        yield looks(f"the bytes were returned as they are, {ROW}")
    if found.dim() == 1 and len(found) > count and torch.equal(found[:count], right):
        yield looks(f"the bits that fill the last byte became a code, too. There are `count` codes, {COUNT}")
    if torch.equal(found, torch.tensor([int(bit) for bit in row], dtype=torch.uint8)):
        yield looks(f"each bit was taken for a code. A code is {bits} of them, {ROW}")
    if torch.equal(found, _numbers(bit_rows.reverse_each(row, bits), bits, count)):
        yield looks(f"the first bit of a code was taken for its lowest. It is the highest, {ROW}")
    turned = bit_rows.reverse_each(row, 8)
    if torch.equal(found, _numbers(turned, bits, count)):
        yield looks(f"a byte was read from its low end. Its highest bit comes first, {ROW}")
    if torch.equal(found, _numbers(bit_rows.reverse_each(turned, bits), bits, count)):
        yield looks(
            f"everything was read from the low end: bytes and codes begin with their highest bit, {ROW}"
        )
    each = 8 // bits
    alone = "".join(row[i : i + each * bits] for i in range(0, len(row), 8)).ljust(count * bits, "0")
    if 8 % bits and torch.equal(found, _numbers(alone, bits, count)):
        yield looks(f"every byte was read by itself. A code may cross into the next one, {ROW}")


EXERCISE = Exercise("unpack_bits", "11.4", cases, parts, cause)
