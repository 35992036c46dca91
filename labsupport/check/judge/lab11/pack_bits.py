"""Judges pack_bits, exercise 11.3: codes of a few bits, side by side in bytes."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import bit_rows, draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many

ROW = see("11.3", "Bits in a row")


def cases(seed: int) -> list[Case]:
    """Codes whose bits do and do not fill whole bytes, and codes that do not fit."""
    source = draw.rng(seed, "pack_bits")

    def asked(count: int, bits: int, *shape: int) -> dict:
        return {"codes": bit_rows.draw_codes(source, count, bits).view(shape or (count,)), "bits": bits}

    plain = draw.until(lambda: asked(5, 3), _suits)
    too_large = asked(5, 2)["codes"].index_fill(0, torch.tensor([source.randrange(5)]), 4)  # 2**bits
    return [
        Case("five codes of 3 bits", plain),
        Case("2 bits, an odd number of codes", asked(source.choice((5, 7, 9)), 2)),
        Case("4 bits, an odd number of codes", asked(source.choice((3, 5, 7)), 4)),
        Case("a matrix of codes, its rows no whole bytes", asked(15, 3, 3, 5)),
        Case("1 bit: a mask", asked(19, 1)),
        Case("8 bits: the codes as they are", asked(6, 8)),
        Case("a larger matrix", asked(40 * 51, 3, 40, 51)),
        Case("a code that does not fit raises ValueError", {"codes": too_large, "bits": 2}, "ValueError"),
    ]


def _suits(inputs: dict) -> bool:
    """Whether no two mistakes come to the same bytes, and none to the right ones."""
    row, numbers = bit_rows.text(**inputs), inputs["codes"].tolist()
    wrong = [(found.tolist(), said) for found, said in mistakes(row, numbers, inputs["bits"])]
    return draw.apart([(bit_rows.packed(row).tolist(), "right"), *wrong])


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the bytes, uint8 [ceil(n * bits / 8)]."""
    codes, bits, found = inputs["codes"], inputs["bits"], answer.value
    right = bit_rows.packed(bit_rows.text(codes, bits))
    count = codes.numel()

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not torch.uint8:
            raise WrongForm(f"it is {found.dtype}")

    def counted() -> None:
        if found.shape != right.shape:
            raise Wrong(f"yours is {tuple(found.shape)}", codes=codes, your_answer=found)

    def placed() -> None:
        if not torch.equal(found, right):
            if count > 30:
                raise Wrong(codes=codes, your_answer=found)
            in_bits = " ".join(f"{code:0{bits}b}" for code in codes.flatten().tolist())
            raise Wrong(codes_in_bits=in_bits, your_bytes=bit_rows.in_eights(found))

    size = f"{many(count, 'code')} of {bits} bits: ceil({count * bits} / 8) = {many(len(right), 'byte')}"
    return [
        Part("a torch.uint8 tensor", typed),
        Part(f"{size}, shape ({len(right)},)", counted),
        Part("on the device of the codes", lambda: on_same_device(answer)),
        Part("the codes stand one after the other, highest bit first, zeros at the end", placed),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that bytes show."""
    codes, bits, found = inputs["codes"], inputs["bits"], answer.value
    if not isinstance(found, torch.Tensor) or found.dtype is not torch.uint8:
        return
    row, numbers = bit_rows.text(codes, bits), codes.flatten().tolist()
    right = bit_rows.packed(row)
    if torch.equal(found.flatten(), right):
        return
    for other, said in mistakes(row, numbers, bits):
        if torch.equal(found.flatten(), other):
            yield looks(said)
    if len(found) < len(right) and torch.equal(found, right[: len(found)]):
        yield looks(f"the bits at the end were left out: part of a byte takes a whole one, {ROW}")
    if codes.dim() == 2 and torch.equal(
        found.flatten(), torch.cat([bit_rows.packed(bit_rows.text(each, bits)) for each in codes])
    ):
        yield looks(f"each row was filled up to whole bytes. Only the end of all codes is, {ROW}")


def mistakes(row: str, numbers: list[int], bits: int) -> Iterator[tuple[torch.Tensor, Named]]:
    """The bytes that each mistake comes to, and its name."""
    own = torch.tensor(numbers, dtype=torch.uint8)
    yield own, f"each code has a byte to itself. Several fit into one, {ROW}"
    yield torch.tensor([int(bit) for bit in row], dtype=torch.uint8), f"each bit has a byte to itself, {ROW}"
    each = 8 // bits
    alone = ["".join(f"{n:0{bits}b}" for n in numbers[i : i + each]) for i in range(0, len(numbers), each)]
    text = (
        f"a byte holds {each} whole codes and its last bits stay empty. A code may cross into the next, {ROW}"
    )
    shared = bit_rows.packed("".join(part.ljust(8, "0") for part in alone))
    yield shared, Cause(text, "no code crosses a byte")
    lowest = f"the lowest bit of a code comes first. The highest does, as one writes numbers, {ROW}"
    yield bit_rows.packed(bit_rows.reverse_each(row, bits)), lowest
    whole = row + "0" * (-len(row) % 8)
    from_right = f"a byte was filled from its low end. Its highest bit comes first, {ROW}"
    yield bit_rows.packed(bit_rows.reverse_each(whole, 8)), from_right
    turned = bit_rows.reverse_each(row, bits)
    turned += "0" * (-len(turned) % 8)
    both = f"everything begins at the low end: codes and bytes have their lowest bit first here, {ROW}"
    yield bit_rows.packed(bit_rows.reverse_each(turned, 8)), both
    yield bit_rows.packed("0" * (-len(row) % 8) + row), f"the zeros that fill up came first, {ROW}"
    shifted = "".join(f"{n:0{bits}b}" for n in reversed(numbers))
    yield bit_rows.packed(shifted), f"the last code comes first, {ROW}"


EXERCISE = Exercise("pack_bits", "11.3", cases, parts, cause)
